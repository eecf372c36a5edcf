"""Metrics that a table does not have, but that are computed for its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.sources import METRICS, TaskSource
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal

T = TypeVar("T", bound=TabularTask)


def table_choices(task: TabularTask) -> IntArray:
    """The encodings of all rows of a task's table, in its order: int (rows, decisions)."""
    return task._source.choices


def with_metric(task: T, goal: Goal, values: FloatArray, text: str) -> T:
    """A task with a further metric that is computed, such as a predicted latency.

    Args:
        task: The task.
        goal: The metric's name, direction and unit.
        values: In its own sign, of each row of `table_choices`: (rows,).
        text: How it is computed, for records.

    Raises:
        InvalidArgumentError: If the table has a metric of this name, or values do not fit.
    """
    if not task.listed:
        raise InvalidArgumentError(
            f"{goal.metric!r} can be added to tables, and {task.benchmark!r} is a surrogate of a "
            "space that cannot be listed; leave out --cost-model, or fit the surrogate to a table "
            "that has this metric"
        )
    if METRICS + goal.metric in task._source.columns or goal.metric == task.own_goal.metric:
        raise InvalidArgumentError(
            f"task {task.name!r} of {task.benchmark!r} has a metric {goal.metric!r} already; leave "
            "out --cost-model, or give it a table with a metric of another name"
        )
    if np.shape(values) != (len(task._source.choices),):
        raise InvalidArgumentError(
            f"values must have the shape ({len(task._source.choices)},), got {np.shape(values)}"
        )
    other = object.__new__(type(task))
    source = AddedMetric(task._source, goal, values)
    other.__dict__.update(task.__getstate__(), _source=source, added=text)
    return other


class AddedMetric:
    """The columns of a task, and one further metric that is computed."""

    def __init__(self, source: TaskSource, goal: Goal, values: FloatArray) -> None:
        """Add ``values`` (rows,) of a metric in its own sign."""
        self._source, self._values = source, values
        self._column = METRICS + goal.metric
        self.columns = (*source.columns, self._column)
        self.seeds = source.seeds
        self._goal = goal

    @property
    def goals(self) -> Mapping[str, Goal]:
        """See `TaskSource`."""
        return {**self._source.goals, self._column: self._goal}

    @property
    def choices(self) -> IntArray:
        """See `TaskSource`."""
        return self._source.choices

    def read(self, column: str, budget: int) -> FloatArray:
        """See `TaskSource`."""
        return (
            self._values[:, None] if column == self._column else self._source.read(column, budget)
        )
