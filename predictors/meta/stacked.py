"""Stacking of a transferred predictor and one that is trained from scratch."""

from __future__ import annotations

import copy
import dataclasses
from typing import Self

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, require_rows
from surrogate_nas.predictors.calibration import least_std
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.process import AdaptedProcess
from surrogate_nas.predictors.scores import QuantileMap, warped

_TYPICAL = 20  # labels at which the data count as much as the prior weights
_ALL_KNOWN, _NONE_KNOWN = 0.5, 0.95  # prior weight of the process from scratch


class Stacked(Predictor):
    """The weighted mean of a transferred process and one that is trained from scratch.

    `AdaptedProcess` has hyperparameters of its sources, which mean less in an unseen space.
    `GaussianProcess` fits its own. Both learn warped values (see `warped`). The weight minimises
    the squared leave-one-out error (Breiman, "Stacked Regressions", Machine Learning 1996). As
    few rows say little about it, it is shrunk as by 20 further rows: towards one half if the
    sources know all operations of the space, and nearly towards the process from scratch alone if
    they know none. In between, the square of what they know counts, the share of pairs of known
    operations, as an operation's worth depends on the others. Before `fit`, the prediction is a
    mixture in the same way, of the transferred process and of standard normal scores, so that it
    keeps the order and is as wide as it should be.
    """

    has_prior = True
    conditions = True

    def __init__(
        self, transferred: AdaptedProcess, scratch: GaussianProcess, *, known: float
    ) -> None:
        """Store both.

        Args:
            transferred: Conditioned here, as the other.
            scratch: One that knows nothing of other tasks.
            known: Share of the operations of the space that the sources know, in 0, …, 1.
        """
        self._transferred, self._scratch = transferred, scratch
        self._map: QuantileMap | None = None
        # The weight of the process from scratch, without labels and with some.
        self._expected = self._share = _NONE_KNOWN + (_ALL_KNOWN - _NONE_KNOWN) * known**2

    def fit(self, data: TaskData) -> Self:
        """Fit both to ``data`` alone."""
        require_rows(data)
        target = self._target(data)
        # Copies, so that copies of this object keep theirs.
        self._transferred = copy.copy(self._transferred).fit(target)
        self._scratch = copy.copy(self._scratch).fit(target)
        return self._weigh(target.values)

    def update(self, data: TaskData) -> Self:
        """Update both."""
        if self._map is None:
            return self.fit(data)
        target = self._target(data)
        # Copies, so that copies of this object keep theirs.
        self._transferred = copy.copy(self._transferred).update(target)
        self._scratch = copy.copy(self._scratch).update(target)
        return self._weigh(target.values)

    def _target(self, data: TaskData) -> TaskData:
        values = np.asarray(data.values, dtype=np.float64)
        scores = warped(values)
        self._map, self._floor = QuantileMap(scores, values), least_std(values)
        return dataclasses.replace(data, values=scores)

    def _weigh(self, scores: FloatArray) -> Self:
        transferred, scratch = (
            self._transferred.leave_one_out()[0],
            self._scratch.leave_one_out()[0],
        )
        disagreement, n = scratch - transferred, len(scores)
        square = float(disagreement @ disagreement)
        best = self._expected
        if square > 0:
            best = min(max(float(disagreement @ (scores - transferred)) / square, 0.0), 1.0)
        self._share = (n * best + _TYPICAL * self._expected) / (n + _TYPICAL)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean, std and epistemic (n,)."""
        transferred = self._transferred.predict(choices)
        if self._map is None:
            mean = (1 - self._share) * transferred.mean
            square = (1 - self._share) * (transferred.mean**2 + transferred.std**2) + self._share
            return Prediction(mean, np.sqrt(square - mean**2))
        scratch = self._scratch.predict(choices)

        def mixed(first: FloatArray, second: FloatArray) -> FloatArray:
            return (1 - self._share) * first + self._share * second

        std = np.sqrt(mixed(transferred.std**2, scratch.std**2))
        mean, spread = self._map.moments(mixed(transferred.mean, scratch.mean), std)
        spread = np.maximum(spread, self._floor)
        if transferred.epistemic is None or scratch.epistemic is None:
            return Prediction(mean, spread)
        own = np.sqrt(mixed(transferred.epistemic**2, scratch.epistemic**2))
        return Prediction(mean, spread, spread * own / std)
