"""A Gaussian process on decisions, beside a guide of a space that cannot be listed."""

from __future__ import annotations

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


class DecisionProcess:
    """Adds to predictions what nearby results say, and how near they are.

    Trees have nearly the same uncertainty everywhere, and a process on structural features does not
    see which decision a neighbour differs in. In a space that cannot be listed, the mean is
    therefore that of the predictor's mean and of a Gaussian process's on decisions, and the
    standard deviation that of this process. Its kernel is the sum of two Gaussians of the distance
    of encodings: the squared differences of numbers and ordered options, 1 for any other
    difference. The first is as wide as two architectures are apart in the mean, and nothing is
    fitted but the mean and the variance.

    On chains of 8**20 architectures, after 100 trials on 6 functions, where evolution is at -3.9:
    guided by ``xgboost`` with steepest ascent -3.5 to -3.9, with this standard deviation alone
    -3.5, with half of this mean and more frequent fits after 10 trials -2.8. After 80 trials of
    evolution on 3 functions of the space of NAS-Bench-101, Spearman's correlation among neighbours
    of the best was .40, .47 and .58 for ``gp``, .70, .53 and .80 for this process, and .57, .64 and
    .73 for both; in ``hierarchical`` .30, .40 and .68, .42, .50 and .53, and .37, .47 and .81.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Prepare for encodings of a space."""
        self._ordered = np.array([decision.ordered for decision in space.decisions])
        self._sizes = np.array(space.sizes)
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

    def joined(self, prediction: Prediction, choices: IntArray) -> Prediction:
        """The prediction of encodings (m, decisions) with what this process says of them."""
        cross = self._kernel(self._rows(choices))
        white = cross @ self._whiten.T
        own = self._mean + cross @ self._weights
        std = self._std * np.sqrt((1 - (white * white).sum(axis=1)).clip(1e-9))
        return Prediction((prediction.mean + own) / 2, std, std)

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
