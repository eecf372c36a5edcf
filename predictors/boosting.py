"""Gradient boosting on structural features."""

from __future__ import annotations

from typing import Self

import numpy as np
import xgboost

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import interval_std, least_std
from surrogate_nas.predictors.features import TREE_FAMILIES, StructuralFeatures


class XGBoost(Predictor):
    """XGBoost (Chen and Guestrin, KDD 2016), a few boosters that each leave out one fold.

    The mean is the boosters' mean. The variance is their spread plus a constant that makes the
    90 % intervals of the left-out rows right.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        trees: int = 200,
        members: int = 5,
        learning_rate: float = 0.2,
        max_depth: int = 4,
        column_share: float = 0.3,
    ) -> None:
        """Store the arguments.

        Args:
            seed: Source of the folds and of the columns that a split may use.
            trees: Number of trees of all members together.
            members: Number of boosters and of folds.
            learning_rate: Shrinkage of each tree.
            max_depth: Depth of each tree.
            column_share: Share of the columns that one split may choose from.
        """
        self.seed = seed
        self.trees = trees
        self.members = members
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.column_share = column_share
        self._boosters: list[xgboost.Booster] = []
        self._constant_std = 0.0

    def fit(self, data: TaskData) -> Self:
        """Boost on all folds but one, for each fold."""
        require_rows(data)
        self._features = StructuralFeatures.of(data.space)
        self._columns = self._features.columns(TREE_FAMILIES)
        values = np.asarray(data.values, dtype=np.float64)
        self._centre = float(values.mean())
        self._scale = float(values.std()) or 1.0
        target = (values - self._centre) / self._scale
        floor = least_std(values)
        self._boosters = []
        self._constant_std = floor
        n = len(values)
        if n == 1:
            return self
        members = min(self.members, n)
        fold = np.random.default_rng(self.seed).permutation(n) % members
        x = self._features.transform(data.choices)[:, self._columns]
        matrix = xgboost.QuantileDMatrix(x, target, nthread=1)
        left_out = np.empty(n)
        for member in range(members):
            # Weights and not rows make the folds: the columns are sorted and binned only once.
            matrix.set_weight((fold != member).astype(np.float32))
            booster = xgboost.train(
                {
                    "eta": self.learning_rate,
                    "max_depth": self.max_depth,
                    "colsample_bynode": self.column_share,
                    "tree_method": "hist",
                    "base_score": 0.0,
                    "seed": self.seed + member,
                    "nthread": 1,
                },
                matrix,
                -(-self.trees // members),
            )
            self._boosters.append(booster)
            rows = np.flatnonzero(fold == member)
            left_out[rows] = booster.inplace_predict(x[rows])
        residuals = values - (left_out * self._scale + self._centre)
        # A member errs by its distance from the mean of all more than that mean does (Krogh and
        # Vedelsby, NeurIPS 1995), and `predict` adds this distance: it is in twice.
        apart = self._members(x).var(axis=0) * self._scale**2
        variance = interval_std(residuals) ** 2 - 2 * float(np.median(apart))
        self._constant_std = max(np.sqrt(max(variance, 0.0)), floor)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if self._constant_std == 0.0:
            raise not_fitted(self)
        x = np.ascontiguousarray(self._features.transform(choices)[:, self._columns])
        members = self._members(x) * self._scale + self._centre
        std = np.sqrt(members.var(axis=0) + self._constant_std**2)
        return Prediction(members.mean(axis=0), std)

    def _members(self, x: FloatArray) -> FloatArray:
        """Standardised prediction of each booster: float64 (members, n)."""
        if not self._boosters:
            return np.zeros((1, len(x)))
        return np.stack([b.inplace_predict(x) for b in self._boosters]).astype(np.float64)
