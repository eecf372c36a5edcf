"""A random forest on structural features."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import interval_std, least_std
from surrogate_nas.predictors.features import TREE_FAMILIES, StructuralFeatures


class Forest(Predictor):
    """Random forest (Breiman, 2001): the trees' mean and spread.

    The spread is scaled so that the 90 % intervals of out-of-bag rows are right, each predicted
    by the trees that did not see it.
    """

    def __init__(self, *, seed: int = 0, trees: int = 100, column_share: float = 0.3) -> None:
        """Store the arguments.

        Args:
            seed: Source of the bootstrap samples and of the columns that a split may use.
            trees: Number of trees.
            column_share: Share of the columns that one split may choose from.
        """
        self.seed = seed
        self.trees = trees
        self.column_share = column_share
        self._forest: RandomForestRegressor | None = None

    def fit(self, data: TaskData) -> Self:
        """Grow the trees and calibrate their spread."""
        require_rows(data)
        self._features = StructuralFeatures.of(data.space)
        values = np.asarray(data.values, dtype=np.float64)
        self._columns = self._features.columns(TREE_FAMILIES)
        x = self._features.transform(data.choices)[:, self._columns]
        forest = RandomForestRegressor(
            self.trees,
            max_features=self.column_share,
            n_jobs=1,
            random_state=self.seed,
        ).fit(x, values)
        self._forest = forest
        self._floor = least_std(values)
        self._factor = 1.0
        seen = np.stack([np.isin(np.arange(len(x)), s) for s in forest.estimators_samples_])
        judged = np.flatnonzero((~seen).sum(axis=0) >= 2)
        if judged.size:
            trees = np.ma.MaskedArray(_trees(forest, x)[:, judged], mask=seen[:, judged])
            spread = np.maximum(np.asarray(trees.std(axis=0)), self._floor)
            self._factor = interval_std((values[judged] - np.asarray(trees.mean(axis=0))) / spread)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if self._forest is None:
            raise not_fitted(self)
        trees = _trees(self._forest, self._features.transform(choices)[:, self._columns])
        std = np.maximum(trees.std(axis=0) * self._factor, self._floor)
        return Prediction(trees.mean(axis=0), std)


def _trees(forest: RandomForestRegressor, x: FloatArray) -> FloatArray:
    """Prediction of each tree: float64 (trees, n)."""
    return np.stack([tree.tree_.predict(x)[:, 0] for tree in forest.estimators_])
