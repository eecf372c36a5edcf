"""What all predictors do with what they are given: checks, and values of any magnitude."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.ranges import checked_choices

_ORDINARY = 1e-30, 1e30  # magnitudes of which squares and products are finite and not zero


class Given:
    """What a predictor was given last.

    Attributes:
        space: The space of the last rows.
        unit: Values are divided by it; a power of two, so that no digit changes.
        checked: The last read-only encodings that were found to be right.
    """

    __slots__ = ("checked", "space", "unit")

    def __init__(self, space: SearchSpace, unit: float) -> None:
        self.space, self.unit = space, unit
        self.checked: IntArray | None = None

    def __reduce__(self) -> tuple[type[Given], tuple[SearchSpace, float]]:
        """Leave the encodings out."""
        return Given, (self.space, self.unit)

    def choices(self, choices: IntArray) -> IntArray:
        """The checked encodings; a read-only array is checked once."""
        if choices is self.checked:
            return choices
        choices = checked_choices(self.space, choices)
        if not choices.flags.writeable:
            self.checked = choices
        return choices


def learning(method: Callable[[Any, TaskData], Any]) -> Callable[[Any, TaskData], Any]:
    """A `Predictor.fit` or `Predictor.update` that learns values of any magnitude."""

    @functools.wraps(method)
    def learn(self: Any, data: TaskData) -> Any:
        if self._learning:  # called by the same predictor's other method
            return method(self, data)
        unit = unit_of(data)
        self._learning = True
        try:
            learnt = method(self, data if unit == 1 else replace(data, values=data.values / unit))
        finally:
            del self._learning
        old = self._given
        if old is None or old.space is not data.space or old.unit != unit:
            self._given = Given(data.space, unit)
        return learnt

    return learn


def predicting(
    method: Callable[[Any, IntArray], Prediction],
) -> Callable[[Any, IntArray], Prediction]:
    """A `Predictor.predict` that refuses what are no encodings, and gives values in their unit."""

    @functools.wraps(method)
    def predict(self: Any, choices: IntArray) -> Prediction:
        given = self._given
        if given is None:  # not fitted
            return method(self, choices)
        found = method(self, given.choices(choices))
        if given.unit == 1:
            return found
        epistemic = None if found.epistemic is None else found.epistemic * given.unit
        return Prediction(found.mean * given.unit, found.std * given.unit, epistemic)

    return predict


def untold(
    method: Callable[[Any, SearchSpace], Any],
) -> Callable[[Any, SearchSpace], Any]:
    """A `MetaPredictor.prior` whose predictor knows what its encodings must be."""

    @functools.wraps(method)
    def prior(self: Any, space: SearchSpace) -> Any:
        found = method(self, space)
        found._given = Given(space, 1.0)
        return found

    return prior


def unit_of(data: TaskData) -> float:
    """A power of two near the largest value; 1 for ordinary magnitudes."""
    largest = float(np.abs(data.values).max()) if len(data) else 1.0
    if largest == 0 or _ORDINARY[0] <= largest <= _ORDINARY[1]:
        return 1.0
    return 2.0 ** max(math.frexp(largest)[1], -1000)
