"""What the report of a search is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import Goal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.records.results import keeps
from surrogate_nas.records.verification import VerificationRecord
from surrogate_nas.reporting.digits import digits_of, number
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True)
class SearchSubject:
    """A search, with everything that its report shows.

    Attributes:
        title: The task.
        method: The searcher with its predictor.
        result: The trials.
        space: Of the architectures.
        settings: Names and values of the settings, for people to read.
        versions: Of the libraries that made it.
        command: What repeats it, or None where that is unknown.
        seconds: When each trial was finished, since the start of the search; NaN if unknown.
        task: The task of a table, or None.
        training: How architectures were trained, see `surrogate_nas.training_settings.recorded`.
        verification: Real trainings of the best, or None.
        remarks: What the reader should know about missing parts.
    """

    title: str
    method: str
    result: SearchResult
    space: SearchSpace
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    seconds: Sequence[float] = ()
    task: TabularTask | None = None
    training: Mapping[str, Any] | None = None
    verification: VerificationRecord | None = None
    remarks: Sequence[str] = ()

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What was optimised."""
        return self.result.goals

    @property
    def goal(self) -> Goal:
        """The first goal."""
        return self.result.goals[0]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials."""
        return self.result.trials

    @cached_property
    def values(self) -> FloatArray:
        """Of each goal in its own sign, NaN for a failed trial: (trials, goals)."""
        signs = np.array([goal.sign for goal in self.goals])
        nothing = (np.nan,) * len(self.goals)
        rows = [nothing if t.evaluation is None else t.evaluation.values for t in self.trials]
        values = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.goals))
        return np.asarray(values * signs)

    @cached_property
    def whole(self) -> FloatArray:
        """Values of the first goal at the largest budget: (trials,).

        NaN for all other trials, and for those that break a limit.
        """
        found = [t.evaluation for t in self.trials]
        largest = max((e.budget for e in found if e is not None), default=0)
        counts = [e is not None and e.budget == largest and keeps(self.goals, e) for e in found]
        return np.asarray(np.where(counts, self.values[:, 0], np.nan))

    @cached_property
    def best_first(self) -> list[int]:
        """Numbers of the successful trials of the largest budget, the best first."""
        values = self.goal.sign * self.whole
        order = np.argsort(-values, kind="stable")
        return [int(i) for i in order if np.isfinite(values[i])]

    @cached_property
    def names(self) -> list[str]:
        """The architecture of each trial in its space's notation."""
        return [self.space.format(trial.arch) for trial in self.trials]

    @cached_property
    def decimals(self) -> int:
        """Decimals that distinguish the better half of the values."""
        values = self.whole[np.isfinite(self.whole)] * self.goal.sign
        better = values[values >= np.median(values)] if values.size else values
        return digits_of(better)

    def text(self, value: float | None) -> str:
        """A value of the first goal."""
        return number(value, self.decimals)

    @property
    def unit(self) -> str:
        """The unit of the first goal in brackets, or nothing."""
        return f" ({self.goal.unit})" if self.goal.unit else ""

    def tip(self, position: int) -> str:
        """What is said about a trial under the pointer."""
        trial = self.trials[position]
        head = f"trial {position}: {self.names[position]}"
        if trial.error is not None:
            return f"{head}\nfailed: {trial.error}"
        parts = [
            f"{goal.metric} {number(float(value), digits_of([float(value)]))}"
            for goal, value in zip(self.goals, self.values[position], strict=True)
        ]
        return f"{head}\n{', '.join(parts)}"
