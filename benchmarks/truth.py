"""What is true of a task as a whole: for reports and measurements, never for a search."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.benchmarks.sources import VALIDATION, TaskSource, seed_mean
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, TaskData, fingerprint
from surrogate_nas.fronts import nondominated, violation
from surrogate_nas.spaces.base import SearchSpace


class Truth:
    """The best values of a task, the standing of others, and the task as data."""

    if TYPE_CHECKING:
        name: str
        own_goal: Goal
        budgets: tuple[int, ...]
        goals: tuple[Goal, ...]
        descriptor: Mapping[str, float] | None
        _whole: SearchSpace
        _source: TaskSource

        @cached_property
        def space(self) -> SearchSpace: ...  # noqa: D102
        @cached_property
        def choices(self) -> IntArray: ...  # noqa: D102
        @cached_property
        def values(self) -> FloatArray: ...  # noqa: D102
        @cached_property
        def goal_values(self) -> FloatArray: ...  # noqa: D102

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def front(self) -> FloatArray:
        """Values of the goals without a limit on the true front, larger is better: (n, goals).

        Only of what keeps all limits; best by the first goal first, each once.
        """
        values = self.goal_values[self._keeps][:, [g.limit is None for g in self.goals]]
        return np.unique(values[nondominated(values)], axis=0)[::-1]

    @cached_property
    def optimum(self) -> float:
        """The best value of the task that keeps all limits; NaN where none does."""
        return float(self._ascending[-1]) if len(self._ascending) else np.nan

    @cached_property
    def _keeps(self) -> BoolArray:
        """Which architectures keep all limits: bool (n,)."""
        limits = [None if g.limit is None else g.sign * g.limit for g in self.goals]
        return np.asarray(violation(self.goal_values, limits) == 0)

    @cached_property
    def _ascending(self) -> FloatArray:
        return np.sort(self.values if len(self.goals) == 1 else self.values[self._keeps])

    def rank(self, value: float) -> int:
        """1 + the number of architectures with a strictly better value, that keep all limits."""
        return 1 + len(self._ascending) - int(np.searchsorted(self._ascending, value, side="right"))

    def regret(self, value: float) -> float:
        """Distance to the best value, never negative for a value of the table."""
        return self.optimum - value

    @cached_property
    def fingerprint(self) -> str:
        """Identifies these measurements, whatever their name and the rule of isomorphism."""
        return fingerprint(self._whole, *self._measured)

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint, and those of the same values in percent and as fractions."""
        choices, values = self._measured
        found = [self.fingerprint]
        for other in (values * 100, values / 100):
            # Rounded, too, so that a short number in the other unit is a short number again.
            for form in (other, np.round(other, 10)):
                found.append(fingerprint(self._whole, choices, form))
        return tuple(found)

    @property
    def _measured(self) -> tuple[IntArray, FloatArray]:
        """Encodings and values of the task's own metric, of all rows that have it."""
        own = seed_mean(self._source.read(VALIDATION, len(self.budgets) - 1))
        there = np.flatnonzero(np.isfinite(own))
        return self._source.choices[there], own[there] * self.own_goal.sign

    def data(self, rows: IntArray | None = None) -> TaskData:
        """The task, or the given positions of `values`, for a predictor to learn from."""
        whole = TaskData(
            name=self.name,
            space=self.space,
            choices=self.choices,
            values=self.values,
            descriptor=self.descriptor,
            fingerprint=self.fingerprint,
        )
        return whole if rows is None else whole.take(rows)

    def sample_data(self, n: int, rng: np.random.Generator) -> TaskData:
        """A random support set of n different architectures."""
        if not 0 < n <= len(self):
            raise InvalidArgumentError(
                f"n must be between 1 and the {len(self)} architectures of {self.name!r}, got {n}"
            )
        return self.data(rng.choice(len(self), size=n, replace=False))
