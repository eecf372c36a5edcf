"""A Gaussian process on decisions, beside a guide of a space that cannot be listed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.base import DifferentiablePredictor, Predictor, Relaxation
from surrogate_nas.spaces.base import SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

_NOISE = 0.15  # of the variance
_NEAR = 0.15  # range of the second kernel, in units of the first
_SAMPLE = 200  # architectures that tell how far apart two are
_MOST = 200  # of the best rows, and of the last ones, that it learns from
_WIDTH = 0.5  # of the exploration, in units of the root of the number of effects


class DecisionProcess:
    """Adds to predictions what nearby results say, and how near they are.

    Trees have nearly the same uncertainty everywhere, and a process on structural features does not
    see which decision a neighbour differs in. In a space that cannot be listed, the mean is
    therefore that of the predictor's mean and of a Gaussian process's on decisions, and the
    standard deviation that of this process. Its kernel is the sum of two Gaussians of the distance
    of encodings: the squared differences of numbers and ordered options, 1 for any other
    difference. The first is as wide as two architectures are apart in the mean, and nothing is
    fitted but the mean and the variance.

    This process alone compares the thousands of architectures that a local search meets, and the
    predictor is asked about the thirty that are best by it. So a proposal takes about half of the
    time, as features of graphs take most of it. The process learns each result at once, and a
    predictor that does not condition on new rows every fifth.

    The upper confidence bound of a linear model with d effects is wider by the root of d
    (Abbasi-Yadkori et al., "Improved algorithms for linear stochastic bandits", NeurIPS 2011). By
    default it is half the root of the number of effects of single decisions above the mean: 5.9
    standard deviations in chains of 8**20 architectures, 4.9 in ``hierarchical``, 2.8 in the space
    of NAS-Bench-101 and 1.6 for ten numbers.

    Tried with ``gp`` on 6 functions each, after 100 trials, where evolution is at -3.9 in the
    chains and at 3.0 in ``hierarchical``:

    - Both compare all, with three standard deviations (two in ``hierarchical``): -3.1 and 3.3.
    - The process alone compares and chooses, without a predictor. With 1, 3 and 6 standard
      deviations it is at 3.4, 4.0 and 3.9 in ``hierarchical``, at -.54, -.53 and -1.2 for numbers
      (evolution -.83), and at 3.2, 3.8 and 3.7 in the space of NAS-Bench-101 (evolution 3.2). In
      the chains (8 functions) 1.5, 3, 6 and 12 are at -3.0, -2.3, -1.9 and -2.8.
    - With kernels chosen by the marginal likelihood the chains are at -2.6, and not at -2.3.
    - As it is here: -2.5 and 3.9, numbers -.50, NAS-Bench-101 3.7. Half of the exploration where
      the predictor compares: -2.3 and 3.7. Climbs from four starts in eight steps: -2.7 and 4.3,
      in a third more time.

    With so few functions, differences of .3 say nothing. In the benchmark ``large-hierarchical``
    some searches with ``gp`` stay at networks of one depth, as five trials of the inner searcher
    came before the first guided one. Ten of them help there (8 seeds), but not in
    ``large-layerwise``.
    """

    def __init__(self, space: SearchSpace, exploration: float | None = None) -> None:
        """Prepare for encodings of a space.

        Args:
            space: The space.
            exploration: How many standard deviations the upper confidence bound is above the mean;
                None for half the root of the number of effects of single decisions.
        """
        self._ordered = np.array([decision.ordered for decision in space.decisions])
        self._sizes = np.array(space.sizes)
        if exploration is None:
            effects = np.where(self._ordered, 1, self._sizes - 1).sum()
            exploration = _WIDTH * math.sqrt(effects)
        self.exploration = exploration
        sample = self._rows(space.sample_choices(np.random.default_rng(0), _SAMPLE))
        self._scale = max(2 * float(sample.var(axis=0).sum()), np.finfo(np.float64).eps)

    def fit(self, choices: IntArray, scores: FloatArray) -> None:
        """Learn from encodings (n, decisions), the latest last, and their scores (n,)."""
        if len(scores) > 2 * _MOST:
            order = np.argsort(-scores[:-_MOST], kind="stable")[:_MOST]
            kept = np.append(np.sort(order), np.arange(len(scores) - _MOST, len(scores)))
            choices, scores = choices[kept], scores[kept]
        self._x = self._rows(choices)
        covariance = self._kernel(self._x)
        covariance[np.diag_indices(len(covariance))] += _NOISE
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        self._mean, self._std = float(scores.mean()), float(scores.std())
        self._weights = self._whiten.T @ (self._whiten @ (scores - self._mean))

    def predict(self, choices: IntArray) -> Prediction:
        """What this process says of encodings (m, decisions)."""
        cross = self._kernel(self._rows(choices))
        white = cross @ self._whiten.T
        own = self._mean + cross @ self._weights
        std = self._std * np.sqrt((1 - (white * white).sum(axis=1)).clip(1e-9))
        return Prediction(own, std, std)

    def joined(self, prediction: Prediction, choices: IntArray) -> Prediction:
        """The prediction of encodings (m, decisions) with what this process says of them."""
        own = self.predict(choices)
        return Prediction((prediction.mean + own.mean) / 2, own.std, own.epistemic)

    def relaxation(self, predictor: Predictor) -> Relaxation:
        """The mean at mixtures of options, differentiable.

        A mixture lies between its options, as the kernel sees them. At single options the mean is
        that of `joined`, but for a predictor without gradients, which has no part in it. In
        ``hierarchical``, ascents of the upper confidence bound found no better ones (6 functions).

        Args:
            predictor: The one that this process joins.
        """

        def mean(p: Tensor) -> Tensor:
            import torch  # for searchers that ascend

            known = torch.from_numpy(self._x)
            rows = self._mixed(p.double())
            square = torch.cdist(rows, known, compute_mode="donot_use_mm_for_euclid_dist") ** 2
            square = square / self._scale
            cross = ((-square).exp() + (-square / _NEAR).exp()) / 2
            own = self._mean + cross @ torch.from_numpy(self._weights)
            if isinstance(predictor, DifferentiablePredictor):
                return (own + predictor.relaxed(p)) / 2
            return own

        return mean

    def _mixed(self, p: Tensor) -> Tensor:
        """As `_rows`, of mixtures (n, decisions, options)."""
        import torch

        parts = []
        for i, (size, ordered) in enumerate(zip(self._sizes, self._ordered, strict=True)):
            if ordered:
                position = torch.arange(size, dtype=p.dtype) / max(size - 1, 1)
                parts.append((p[:, i, :size] @ position)[:, None])
            else:
                parts.append(p[:, i, :size] * np.sqrt(0.5))
        return torch.cat(parts, dim=1)

    def _rows(self, choices: IntArray) -> FloatArray:
        """Encodings as rows (n, k) whose squared distances are those of the kernel."""
        parts = []
        for column, size, ordered in zip(choices.T, self._sizes, self._ordered, strict=True):
            if ordered:
                parts.append(column[:, None] / max(size - 1, 1))
            else:
                parts.append(np.eye(size)[column] * np.sqrt(0.5))
        return np.concatenate(parts, axis=1)

    def _kernel(self, rows: FloatArray) -> FloatArray:
        square = (rows * rows).sum(axis=1)[:, None] + (self._x * self._x).sum(axis=1)
        square = (square - 2 * rows @ self._x.T).clip(0) / self._scale
        return np.asarray((np.exp(-square) + np.exp(-square / _NEAR)) / 2)
