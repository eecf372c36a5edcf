"""A meta-learner for the weighted mean of several tasks: it adapts to each of them."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Self

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Adapted, MetaPredictor, Predictor, require_rows
from surrogate_nas.spaces.base import SearchSpace

_TOGETHER = 0.5  # share of the variance that the tasks' errors have in common


class SeveralTasks(Predictor):
    """Predicts each task of a weighted mean by a meta-learner, and adds them up.

    Sources know tasks, not means of tasks: a task's likeness to each source counts for it alone. So
    the values of each task are learnt apart, from `TaskData.parts`. Their errors have a half of
    their variance in common. Without parts the mean is learnt as if it were a task.

    Attributes:
        metrics: Name of each task's metric.
        weights: float (tasks,), of the tasks' values; negative where less is better.
    """

    has_prior = True

    def __init__(
        self,
        learner: MetaPredictor,
        space: SearchSpace,
        metrics: tuple[str, ...],
        weights: tuple[float, ...],
    ) -> None:
        """Store the arguments; a weight of 0 means that the task's values do not count."""
        self.learner, self.space = learner, space
        self.metrics, self.weights = metrics, np.array(weights)
        self.conditions = learner.conditions
        self._each: tuple[Adapted, ...] = ()
        self._whole = Adapted(learner, space)
        self._sums: FloatArray = np.zeros(0)
        self._values: FloatArray = np.zeros(0)

    def of_one(self) -> Predictor:
        """A predictor of one of the tasks, which has learnt nothing yet."""
        return Adapted(self.learner, self.space)

    def fit(self, data: TaskData) -> Self:
        """Adapt to each task."""
        require_rows(data)
        if data.parts is None:
            self._whole, self._each = Adapted(self.learner, self.space).fit(data), ()
            return self
        if data.parts.shape[1] != len(self.metrics):
            raise InvalidArgumentError(
                f"parts must have a column for each of the {len(self.metrics)} tasks, got "
                f"{data.parts.shape[1]}"
            )
        known = _measured(data.parts)
        if not known.any():
            return self.fit(replace(data, parts=None))
        self._each = ()
        return self._learn(data, known, anew=True)

    def update(self, data: TaskData) -> Self:
        """Adapt to each task, from what `fit` adapted to."""
        if data.parts is None or not self._each:
            return self.fit(data)
        return self._learn(data, _measured(data.parts), anew=False)

    def _learn(self, data: TaskData, known: BoolArray, *, anew: bool) -> Self:
        """Learn rows; those without values of the tasks count with what is predicted for them."""
        parts = self._signed(data)
        if anew:
            some = data.take(np.flatnonzero(known))
            each = [
                Adapted(self.learner, self.space).fit(replace(some, values=values, parts=None))
                for values in parts[known].T
            ]
        else:
            each = list(self._each)
        if not known.all() or not anew:
            rest = data.choices[~known]
            if len(rest):
                parts = parts.copy()
                parts[~known] = np.stack([p.predict(rest).mean for p in each], axis=1)
            each = [
                _updated(predictor, replace(data, values=values, parts=None))
                for predictor, values in zip(each, parts.T, strict=True)
            ]
        self._each = tuple(each)
        sums = parts[known] @ np.abs(self.weights)
        self._sums, first = np.unique(sums, return_index=True)
        self._values = np.asarray(data.values, dtype=np.float64)[known][first]
        return self

    @property
    def signs(self) -> FloatArray:
        """Of each task's values, so that larger is better: 1 or -1, (tasks,)."""
        return np.where(self.weights < 0, -1.0, 1.0)

    def _signed(self, data: TaskData) -> FloatArray:
        """Values of the tasks, larger is better: (n, tasks)."""
        return np.asarray(data.parts, dtype=np.float64) * self.signs

    def predict(self, choices: IntArray) -> Prediction:
        """Predict the mean, in the scale of the values of the last `fit`."""
        if not self._each:
            return self._whole.predict(choices)
        shares = np.abs(self.weights)
        found = [predictor.predict(choices) for predictor in self._each]
        mean = sum(w * p.mean for w, p in zip(shares, found, strict=True))
        std = _added([w * p.std for w, p in zip(shares, found, strict=True)])
        own = _added(
            [
                w * (p.std if p.epistemic is None else p.epistemic)
                for w, p in zip(shares, found, strict=True)
            ]
        )
        low, middle, high = self._mapped(np.stack([mean - std, mean, mean + std]))
        scaled = (high - low) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(std > 0, own / std, 0.0)
        return Prediction(middle, scaled, scaled * share)

    def _mapped(self, sums: FloatArray) -> FloatArray:
        """Weighted sums in the scale of the values; beyond the known ones on a straight line."""
        known, values = self._sums, self._values
        found = np.interp(sums, known, values)
        span = float(known[-1] - known[0])
        slope = float(values[-1] - values[0]) / span if span > 0 else 1.0
        return np.asarray(found + slope * (sums - np.clip(sums, known[0], known[-1])))


def _measured(parts: FloatArray) -> BoolArray:
    """Which rows have the values of all tasks: bool (n,)."""
    return np.asarray(np.isfinite(parts).all(axis=1))


def _updated(predictor: Adapted, data: TaskData) -> Adapted:
    """A predictor that also knows these rows; the given one is unchanged."""
    return copy.copy(predictor).update(data)


def _added(parts: list[FloatArray]) -> FloatArray:
    """Standard deviation of a sum whose parts have deviations (n,) each."""
    apart = np.sqrt(np.sum([part * part for part in parts], axis=0))
    together = np.sum(parts, axis=0)
    return np.asarray(np.sqrt(_TOGETHER * together**2 + (1 - _TOGETHER) * apart**2))
