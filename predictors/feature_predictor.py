"""Predictors whose input is a row of numbers for each architecture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Features, Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.structure.decision_columns import DecisionColumns
from surrogate_nas.predictors.structure.features import FAMILIES, StructuralFeatures
from surrogate_nas.spaces.base import ENUMERABLE, SearchSpace

OTHERS = 300
"""Number of random architectures on which the disagreement of an ensemble is measured."""

_BLOCK = 1 << 14  # rows predicted at once where they are too many to be kept

Inputs = Callable[[IntArray], FloatArray]
"""From encodings (n, decisions) to rows of numbers (n, k)."""


class FeaturePredictor(Predictor):
    """A regression on rows of numbers: structural features, decisions and features of the data.

    A subclass defines `learn` and `infer`, which know nothing of architectures:
    `surrogate_nas.predictors.estimators` offers them as scikit-learn's estimators.

    Attributes:
        families: The families of structural features that the regression sees.
    """

    reads_features = True
    families: ClassVar[tuple[str, ...]] = FAMILIES
    _inputs: Inputs | None = None

    def fit(self, data: TaskData) -> Self:
        """Learn from the rows of the measured architectures."""
        require_rows(data)
        self._inputs = self.describe(data.space, data.features)
        x = self._inputs(data.choices)
        others = self._inputs(data.space.sample_choices(np.random.default_rng(0), OTHERS))
        return self.learn(x, np.asarray(data.values, dtype=np.float64), others)

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if self._inputs is None:
            raise not_fitted(self)
        choices = np.asarray(choices)
        if len(choices) <= ENUMERABLE:
            return self.infer(self._inputs(choices))
        blocks = range(0, len(choices), _BLOCK)  # copies, of which nothing is kept
        parts = [self.infer(self._inputs(choices[i : i + _BLOCK].copy())) for i in blocks]
        return Prediction.joined(parts)

    @abstractmethod
    def learn(self, x: FloatArray, values: FloatArray, others: FloatArray) -> Self:
        """Learn from rows (n, k), n >= 1, and their values, float64 (n,).

        ``others`` (m, k) are rows without values, like those to be predicted. The disagreement of
        an ensemble on them is a part of its calibration.
        """

    @abstractmethod
    def infer(self, x: FloatArray) -> Prediction:
        """Predict rows (m, k); float64 mean and std (m,)."""

    def describe(self, space: SearchSpace, features: Features | None) -> Inputs:
        """What the regression sees of the architectures of ``space``."""
        structure, decisions = StructuralFeatures.of(space), DecisionColumns.of(space)
        columns = structure.columns(self.families)

        def rows(choices: IntArray) -> FloatArray:
            parts = [structure.transform(choices, columns)]
            if len(decisions):
                parts.append(decisions.transform(choices))
            if features is not None:
                parts.append(features(choices))
            return np.ascontiguousarray(with_columns(parts))

        return rows


def with_columns(parts: Sequence[FloatArray]) -> FloatArray:
    """Columns (n, k) side by side as float32; one of zeros where there is none at all."""
    if sum(part.shape[1] for part in parts) == 0:
        return np.zeros((len(parts[0]), 1), dtype=np.float32)
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts, axis=1, dtype=np.float32)
