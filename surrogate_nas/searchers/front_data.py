"""The data of a guide of several goals: scales, trials and predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from surrogate_nas._types import BoolArray, FloatArray
from surrogate_nas.spaces.base import Architecture


@dataclass(frozen=True, slots=True)
class GoalPredictions:
    """Predictions of all goals, in the scales of scores: each float (n, goals).

    ``own`` is the model's own uncertainty, ``std`` that of a measurement.
    """

    mean: FloatArray
    own: FloatArray
    std: FloatArray


@dataclass(frozen=True, slots=True)
class KnownTrials:
    """What was measured, and then what is pending.

    Attributes:
        archs: The architectures.
        scores: float (archs, goals), predicted ones for those that are pending.
        values: float (trials, goals), with the worst of each goal where a trial failed.
        failed: bool (archs,).
        least: Least score of each goal that keeps its limit, minus infinity where it has none.
    """

    archs: list[Architecture]
    scores: FloatArray
    values: FloatArray
    failed: BoolArray
    least: FloatArray

    def feasible(self, free: BoolArray) -> FloatArray:
        """Scores of the free goals of what succeeded and keeps all limits: float (m, goals)."""
        keeps = (self.scores >= self.least).all(axis=1) & ~self.failed
        return self.scores[keeps][:, free]


@dataclass(frozen=True, slots=True)
class GoalScale:
    """The warped scale of one goal, in which its model learns and improvements are measured."""

    values: FloatArray
    scores: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> GoalScale:
        """The scale of values (n,)."""
        from surrogate_nas.predictors.scores import warped  # slow to import

        known, first = np.unique(values, return_index=True)
        return cls(known, warped(values)[first])

    def to_values(self, scores: FloatArray) -> FloatArray:
        """Values at scores, none beyond the known ones."""
        return np.asarray(np.interp(scores, self.scores, self.values))

    def to_scores(self, values: FloatArray) -> FloatArray:
        """Scores of values of any shape; beyond the known ones along a straight line."""
        found = np.interp(values, self.values, self.scores)
        span = float(self.values[-1] - self.values[0])
        if span > 0:
            slope = float(self.scores[-1] - self.scores[0]) / span
            beyond = np.clip(values, self.values[0], self.values[-1])
            found = found + slope * (values - beyond)
        return np.asarray(found)


def keeping(found: GoalPredictions, least: FloatArray) -> FloatArray:
    """Probability that all limits hold: float (n,)."""
    chance: FloatArray = np.ones(len(found.mean))
    for i in np.flatnonzero(np.isfinite(least)):
        mean, std = found.mean[:, i], found.std[:, i]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (mean - least[i]) / std
        chance *= np.where(std > 0, ndtr(z), mean >= least[i])
    return chance
