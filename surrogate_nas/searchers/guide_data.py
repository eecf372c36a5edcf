"""The data of a guide of one goal: its trials, and what is pending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.spaces.base import Architecture

if TYPE_CHECKING:
    from surrogate_nas.predictors.scores import QuantileMap


@dataclass(frozen=True, slots=True)
class KnownScores:
    """What a guide learns from.

    Attributes:
        archs: The architectures of trials, in the order of their first results, and then of
            pending proposals.
        values: float64 (trials,), NaN where a trial failed.
        scores: float64 (archs,), the warped values, with the worst for failed trials, and the
            predictions for pending proposals.
    """

    archs: list[Architecture]
    values: FloatArray
    scores: FloatArray

    @classmethod
    def of(cls, told: Mapping[Architecture, float], believed: Mapping[Architecture, float]) -> Self:
        """The values of trials, NaN for failed ones, and predictions of what is pending.

        If no trial succeeded, there is no scale of scores, and only what is pending is known.
        """
        from surrogate_nas.predictors.scores import warped  # slow to import

        values = np.array(list(told.values()))
        pending = list(believed.values())
        if np.isnan(values).all():
            return cls(list(believed), values[:0], np.array(pending))
        scores = warped(np.where(np.isnan(values), np.nanmin(values), values))
        return cls([*told, *believed], values, np.append(scores, pending))

    def best(self, n: int) -> IntArray:
        """Up to n architectures that succeeded, the best first: (m, decisions)."""
        succeeded = int((~np.isnan(self.values)).sum())
        order = np.argsort(-self.values, kind="stable")[: min(n, succeeded)]
        return np.array([self.archs[i].choices for i in order.tolist()])

    def worst(self, best: int) -> IntArray:
        """Positions of the trials but the best of a number, the worst first: int (n,)."""
        trials = len(self.values)
        return np.argsort(self.scores[:trials], kind="stable")[: max(trials - best, 0)]

    def to_value(self) -> QuantileMap:
        """The map from scores back to values; needs a trial that succeeded."""
        from surrogate_nas.predictors.scores import QuantileMap  # slow to import

        succeeded = np.flatnonzero(~np.isnan(self.values))
        return QuantileMap(self.scores[succeeded], self.values[succeeded])
