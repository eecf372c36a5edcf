"""How promising a prediction makes a candidate: acquisition functions, larger is better.

Each takes what is believed of n candidates, the best mean of what was proposed before, how many
standard deviations of exploration are wished, and a source of randomness, and gives float64 (n,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Prediction

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
    """Expected improvement on the best mean, which noise has not raised as it has the best value.

    Jones et al., "Efficient global optimization of expensive black-box functions", 1998.
    """
    z = (prediction.mean - best) / prediction.std
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return np.asarray(prediction.std * (density + z * ndtr(z)))


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
