"""Acquisition functions: how promising candidates are by their predictions; larger is better.

Each takes the prediction of n candidates, the best value so far, a number of standard deviations
for exploration, and a source of randomness. Each returns float64 (n,).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erfcx

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.evaluation import Prediction

_FAR = 1e6  # standard deviations; beyond it the formula loses all digits
_HALF_PI_ROOT = math.sqrt(math.pi / 2)

Acquisition = Callable[[Prediction, float, float, np.random.Generator], FloatArray]


def upper_confidence_bound(
    prediction: Prediction, best: float, exploration: float, rng: np.random.Generator
) -> FloatArray:
    """Mean plus some standard deviations.

    Srinivas et al., "Gaussian process optimization in the bandit setting", ICML 2010.
    """
    return prediction.mean + exploration * prediction.std


def expected_improvement(
    prediction: Prediction, best: float, exploration: float, rng: np.random.Generator
) -> FloatArray:
    """Logarithm of the expected improvement on the best value, without measurement noise.

    Jones et al., "Efficient global optimization of expensive black-box functions", 1998; computed
    without underflow as in Ament et al., "Unexpected improvements to expected improvement for
    Bayesian optimization", NeurIPS 2023.
    """
    std = prediction.std if prediction.epistemic is None else prediction.epistemic
    std = np.maximum(std, np.finfo(np.float64).tiny)
    z = ((prediction.mean - best) / std).clip(-_FAR, _FAR)
    # The density times 1 - |z| (1 - Φ(|z|)) / φ(z), for z < 0; the other side by symmetry.
    below = np.log1p(-np.abs(z) * _HALF_PI_ROOT * erfcx(np.abs(z) / math.sqrt(2)))
    logarithm = below - 0.5 * z * z - 0.5 * math.log(2 * math.pi)
    gained = np.log(z.clip(0) + np.exp(logarithm), out=logarithm, where=z > 0)
    return np.asarray(gained + np.log(std))


def thompson_sample(
    prediction: Prediction, best: float, exploration: float, rng: np.random.Generator
) -> FloatArray:
    """One draw from each candidate's own distribution.

    Independent Thompson sampling: White et al., "BANANAS: Bayesian optimization with neural
    architectures for neural architecture search", AAAI 2021.
    """
    return np.asarray(rng.normal(prediction.mean, prediction.std))


ACQUISITIONS: dict[str, Acquisition] = {
    "ucb": upper_confidence_bound,
    "ei": expected_improvement,
    "thompson": thompson_sample,
}


def most_promising(candidates: IntArray, score: FloatArray, n: int) -> list[int]:
    """Positions of up to n candidates with the best score, no two of them neighbours.

    Neighbours have nearly the same predictions, and their results would be nearly the same.
    """
    chosen: list[int] = []
    for _ in range(n):
        best = int(score.argmax())
        if score[best] == -np.inf:
            break
        chosen.append(best)
        if len(chosen) < n:
            score[near(candidates, candidates[best])] = -np.inf
    return chosen


def near(candidates: IntArray, choices: IntArray) -> BoolArray:
    """Which of the candidates (n, decisions) differ in one decision or none: bool (n,)."""
    return np.asarray((candidates != choices).sum(axis=1) <= 1)
