"""Gradient boosting on structural features."""

from __future__ import annotations

from typing import Self

import numpy as np
import xgboost

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.calibration import constant_std, folds, least_std
from surrogate_nas.predictors.feature_predictor import FeaturePredictor
from surrogate_nas.predictors.structure.features import TREE_FAMILIES


class XGBoost(FeaturePredictor):
    """XGBoost (Chen and Guestrin, KDD 2016), an ensemble with one booster a fold.

    Each booster is trained without its fold. The mean is the boosters' mean. The variance is
    their disagreement plus a constant, by which 90 % intervals cover 90 % of the held-out rows.

    Attributes:
        boosters: One a fold, once it is fitted; they predict ``(values - centre) / scale``.
        centre: Mean of the values.
        scale: Their standard deviation.
        held_out: float64 (n,), prediction of each row by the booster that was trained without it.
    """

    families = TREE_FAMILIES
    held_out: FloatArray

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

    def learn(self, x: FloatArray, values: FloatArray, others: FloatArray) -> Self:
        """Boost on all folds but one, for each fold."""
        self.centre = float(values.mean())
        self.scale = float(values.std()) or 1.0
        target = (values - self.centre) / self.scale
        self.boosters: list[xgboost.Booster] = []
        self._constant_std = least_std(values)
        n = len(values)
        self.held_out = np.full(n, self.centre)
        if n == 1:
            return self
        fold = folds(n, self.members, self.seed)
        members = int(fold.max()) + 1
        matrix = xgboost.QuantileDMatrix(x, target, nthread=1)
        held_out = np.empty(n)
        for member in range(members):
            # Folds are made by weights, so that the columns are sorted and binned only once.
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
            self.boosters.append(booster)
            rows = np.flatnonzero(fold == member)
            held_out[rows] = booster.inplace_predict(x[rows])
        self.held_out = held_out * self.scale + self.centre
        residuals = values - self.held_out
        disagreement = self._members(others).var(axis=0) * self.scale**2
        self._constant_std = max(constant_std(residuals, disagreement), self._constant_std)
        return self

    def infer(self, x: FloatArray) -> Prediction:
        """Mean and spread of the boosters, and the constant."""
        members = self._members(x) * self.scale + self.centre
        std = np.sqrt(members.var(axis=0) + self._constant_std**2)
        return Prediction(members.mean(axis=0), std)

    def _members(self, x: FloatArray) -> FloatArray:
        """Standardised prediction of each booster: float64 (members, n)."""
        if not self.boosters:
            return np.zeros((1, len(x)))
        return np.stack([b.inplace_predict(x) for b in self.boosters]).astype(np.float64)
