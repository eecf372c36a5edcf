"""Metrics of a table as goals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.sources import METRICS, VALIDATION, TaskSource
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal
from surrogate_nas.goal_checks import checked_goals


def goal_columns(
    own: Goal,
    source: TaskSource,
    goals: Sequence[Goal | str],
    known: Sequence[str],
    where: str,
) -> tuple[tuple[Goal, ...], tuple[str, ...]]:
    """The goals, and the column of each.

    Args:
        own: The goal of the validation column.
        source: The table.
        goals: See `surrogate_nas.benchmarks.base.TabularTask.with_goals`.
        known: Metrics of some of them.
        where: Names the task, for messages.

    Raises:
        UnknownNameError: If there is no such metric, or no such goal.
        InvalidArgumentError: See `surrogate_nas.evaluation.checked_goals`.
    """
    columns = _columns(own, source)
    found = []
    for goal in goals:
        of_table = metric_goal(own, source, goal if isinstance(goal, str) else goal.metric, where)
        if isinstance(goal, str):
            goal = of_table
        found.append(goal if goal.unit else replace(goal, unit=of_table.unit))
    checked = checked_goals(found)
    metrics = [goal.metric for goal in checked]
    for name in known:
        if name not in metrics:
            raise UnknownNameError("goal that is known", name, metrics)
    return checked, tuple(columns[metric] for metric in metrics)


def metric_goal(own: Goal, source: TaskSource, metric: str, where: str) -> Goal:
    """A metric as a goal, with the direction and unit that the table has for it.

    Raises:
        UnknownNameError: If there is no such metric.
    """
    columns = _columns(own, source)
    if metric not in columns:
        raise UnknownNameError(f"metric of {where}", metric, columns)
    return own if metric == own.metric else source.goals.get(columns[metric], Goal(metric))


def _columns(own: Goal, source: TaskSource) -> dict[str, str]:
    """The column of each metric."""
    columns = {own.metric: VALIDATION}
    for column in source.columns:
        if column.startswith(METRICS):
            columns.setdefault(column.removeprefix(METRICS), column)
    return columns


def missing(goals: Sequence[Goal], finals: Sequence[FloatArray]) -> None:
    """Warn of goals that some rows lack.

    Args:
        goals: The goals.
        finals: Values of each, (rows,), NaN where missing.
    """
    for goal, values in zip(goals, finals, strict=True):
        lacking = int(np.isnan(values).sum())
        if lacking == len(values):
            raise InvalidArgumentError(f"the goal {goal.metric!r} must have values, got none")
        if lacking and len(goals) > 1:
            warnings.warn(
                f"{goal.metric} is missing in {lacking:,} of {len(values):,} rows of the table, "
                "which are left out",
                stacklevel=3,
            )
