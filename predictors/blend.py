"""A Gaussian process and boosted trees together."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Self

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.calibration import least_std
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.scores import QuantileMap, warped

# More and deeper trees than usual: alone they are hardly better, but their errors are less
# correlated with those of the process.
DEEP_TREES: dict[str, Any] = {"members": 10, "trees": 400, "max_depth": 6, "column_share": 0.15}
"""Arguments of the `XGBoost` of a `Blend`."""


class Blend(Predictor):
    """The mean of `GaussianProcess` and `XGBoost`, which is better than either.

    Both learn warped values (see `warped`). Their means are averaged on that scale, and mapped
    back through the empirical quantiles. The squared error of the average is smaller than theirs
    by their disagreement (Krogh and Vedelsby, NeurIPS 1995).
    """

    reads_features = True

    def __init__(self, *, seed: int = 0) -> None:
        """Store the seed of both."""
        self.seed = seed
        self._parts: tuple[Predictor, ...] = ()

    def fit(self, data: TaskData) -> Self:
        """Fit both."""
        require_rows(data)
        scores = warped(np.asarray(data.values, dtype=np.float64))
        self._map = QuantileMap(scores, data.values)
        self._floor = least_std(data.values)
        target = dataclasses.replace(data, values=scores)
        parts = self._parts or (
            GaussianProcess(seed=self.seed),
            XGBoost(seed=self.seed, **DEEP_TREES),
        )
        # Copies, so that copies of this object keep theirs.
        self._parts = tuple(copy.copy(part).fit(target) for part in parts)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if not self._parts:
            raise not_fitted(self)
        parts = [part.predict(choices) for part in self._parts]
        means = np.stack([part.mean for part in parts])
        variance = np.mean([part.std**2 for part in parts], axis=0)
        variance = np.maximum(variance - means.var(axis=0), variance / 2)
        mean, std = self._map.moments(means.mean(axis=0), np.sqrt(variance))
        return Prediction(mean, np.maximum(std, self._floor))
