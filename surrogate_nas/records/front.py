"""Fronts of searches of several goals: as arrays, and as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_nas import fronts
from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.records.base import JsonRecord
from surrogate_nas.records.results import SearchResult, keeps
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True, slots=True)
class GoalRecord(JsonRecord):
    """A goal of a search.

    Attributes:
        metric: Its name.
        maximise: Whether larger is better.
        unit: Its unit, or an empty text.
        known: Whether the search could read it of all architectures, without a trial.
    """

    metric: str
    maximise: bool
    unit: str
    known: bool


@dataclass(frozen=True, slots=True)
class LimitRecord(JsonRecord):
    """A limit of a search.

    Attributes:
        metric: What is limited.
        at_least: The smallest allowed value, in the metric's own sign; null if it is the largest.
        at_most: The largest allowed value; null if it is the smallest.
        known: Whether the search could read the metric of all architectures, without a trial.
        nearest: The value that was farthest on the allowed side, of all trials; null where every
            trial failed.
        violations: Number of trials beyond the limit.
    """

    metric: str
    at_least: float | None
    at_most: float | None
    known: bool
    nearest: float | None
    violations: int


@dataclass(frozen=True, slots=True)
class FrontPoint(JsonRecord):
    """A trial that no other one dominates, of those that keep all limits.

    Attributes:
        arch: The architecture.
        values: Of each goal and limited metric, in its own sign.
        metrics: What else was measured.
        test: Test metrics, which the search did not see.
        number: Position of the trial, from 0.
        knee: Whether it is the nearest to the best value of every goal, each in units of its
            range on the front.
    """

    arch: str
    values: Mapping[str, float]
    metrics: Mapping[str, float | None]
    test: Mapping[str, float | None]
    number: int
    knee: bool


def own_values(goals: Sequence[Goal], evaluation: Evaluation) -> dict[str, float]:
    """Values of an evaluation by metric, in their own signs."""
    pairs = zip(goals, evaluation.values, strict=True)
    return {goal.metric: goal.sign * value for goal, value in pairs}


def knee(values: FloatArray) -> int:
    """Position of the row of a front that is nearest to the best value of each goal.

    Args:
        values: float (n, goals), larger is better, at least one row.
    """
    best, span = values.max(axis=0), np.ptp(values, axis=0)
    distance = (best - values) / np.where(span > 0, span, 1.0)
    return int((distance**2).sum(axis=1).argmin())


def front_points(space: SearchSpace, result: SearchResult) -> tuple[FrontPoint, ...]:
    """The front of a search, the best by its first goal first."""
    numbers, goals = result.front_numbers, result.goals
    found: list[tuple[int, Evaluation]] = []
    for number in numbers:
        evaluation = result.trials[number].evaluation
        if evaluation is not None:
            found.append((number, evaluation))
    if not found:
        return ()
    free = [goal.limit is None for goal in goals]
    at = knee(np.array([evaluation.values for _, evaluation in found])[:, free])
    return tuple(
        FrontPoint(
            arch=space.format(result.trials[number].arch),
            values=own_values(goals, evaluation),
            metrics=dict(evaluation.metrics),
            test=dict(evaluation.hidden),
            number=number,
            knee=position == at,
        )
        for position, (number, evaluation) in enumerate(found)
    )


def goal_records(goals: Sequence[Goal], known: Sequence[str]) -> tuple[GoalRecord, ...]:
    """The goals without a limit."""
    return tuple(
        GoalRecord(goal.metric, goal.maximise, goal.unit, goal.metric in known)
        for goal in goals
        if goal.limit is None
    )


def limit_records(result: SearchResult, known: Sequence[str]) -> tuple[LimitRecord, ...]:
    """The goals with a limit, and how the trials kept them."""
    found = []
    for i, goal in enumerate(result.goals):
        if goal.limit is None:
            continue
        values = [t.evaluation.values[i] for t in result.trials if t.evaluation is not None]
        found.append(
            LimitRecord(
                metric=goal.metric,
                at_least=goal.limit if goal.maximise else None,
                at_most=None if goal.maximise else goal.limit,
                known=goal.metric in known,
                nearest=goal.sign * max(values) if values else None,
                violations=sum(value < goal.sign * goal.limit for value in values),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Box:
    """The box in which hypervolumes are measured.

    Attributes:
        goals: The goals without a limit.
        beyond: The reference point, larger is better: float (goals,).
        whole: The hypervolume that counts as 1.
    """

    goals: tuple[Goal, ...]
    beyond: FloatArray
    whole: float

    @classmethod
    def of(cls, goals: Sequence[Goal], values: FloatArray) -> Box | None:
        """The box around values of the goals without a limit: (n, goals), larger is better.

        None if there is no value, a single goal, or more than `surrogate_nas.fronts.MOST`.
        """
        free = tuple(goal for goal in goals if goal.limit is None)
        if not len(values) or not 1 < len(free) <= fronts.MOST:
            return None
        beyond = fronts.reference(values)
        return cls(free, beyond, float((values.max(axis=0) - beyond).prod()))

    @classmethod
    def of_task(cls, task: TabularTask) -> Box | None:
        """The box of a table's true front, whose own hypervolume counts as 1."""
        found = cls.of(task.goals, task.front)
        if found is None:
            return None
        return cls(found.goals, found.beyond, fronts.hypervolume(task.front, found.beyond))

    @classmethod
    def of_result(cls, result: SearchResult) -> Box | None:
        """The box of all trials of a search."""
        done = [t.evaluation.values for t in result.trials if t.evaluation is not None]
        values = np.array(done).reshape(-1, len(result.goals))
        return cls.of(result.goals, values[:, [goal.limit is None for goal in result.goals]])

    @property
    def reference(self) -> dict[str, float]:
        """The reference point by metric, in their own signs."""
        pairs = zip(self.goals, self.beyond.tolist(), strict=True)
        return {goal.metric: goal.sign * value for goal, value in pairs}

    def curve(self, result: SearchResult) -> FloatArray:
        """Share of the box that is dominated after each trial: float (trials,)."""
        free = [goal.limit is None for goal in result.goals]
        rows = np.full((len(result.trials), len(self.goals)), np.nan)
        largest = result.largest_budget
        for i, trial in enumerate(result.trials):
            found = trial.evaluation
            if found is not None and found.budget == largest and keeps(result.goals, found):
                rows[i] = np.array(found.values)[free]
        return fronts.hypervolumes(rows, self.beyond) / self.whole
