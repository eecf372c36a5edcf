"""A random forest on structural features."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.calibration import interval_std, least_std
from surrogate_nas.predictors.feature_predictor import FeaturePredictor
from surrogate_nas.predictors.structure.features import TREE_FAMILIES


class Forest(FeaturePredictor):
    """Random forest (Breiman, 2001): the trees' mean and spread.

    The spread is scaled so that 90 % intervals cover 90 % of the out-of-bag rows. Each of these
    is predicted by the trees that did not see it.
    """

    families = TREE_FAMILIES

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

    def learn(self, x: FloatArray, values: FloatArray, others: FloatArray) -> Self:
        """Grow the trees and calibrate their spread."""
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
            spread = np.asarray(trees.std(axis=0))
            # Trees that saw the same few rows agree; their spread says nothing about the errors.
            spread[spread <= self._floor] = max(float(values.std()), self._floor)
            self._factor = interval_std((values[judged] - np.asarray(trees.mean(axis=0))) / spread)
        return self

    def infer(self, x: FloatArray) -> Prediction:
        """Mean and spread of the trees."""
        trees = _trees(self._forest, x)
        std = np.maximum(trees.std(axis=0) * self._factor, self._floor)
        return Prediction(trees.mean(axis=0), std)


def _trees(forest: RandomForestRegressor, x: FloatArray) -> FloatArray:
    """Prediction of each tree: float64 (trees, n)."""
    x = np.asarray(x, dtype=np.float32)
    return np.stack([tree.tree_.predict(x)[:, 0] for tree in forest.estimators_])
