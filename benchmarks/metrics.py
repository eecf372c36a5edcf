"""Metrics of a table as goals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.sources import METRICS, VALIDATION, TaskSource
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal, checked_goals


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
    columns = {own.metric: VALIDATION}
    for column in source.columns:
        if column.startswith(METRICS):
            columns.setdefault(column.removeprefix(METRICS), column)
    found = []
    for goal in goals:
        metric = goal if isinstance(goal, str) else goal.metric
        if metric not in columns:
            raise UnknownNameError(f"metric of {where}", metric, columns)
        if isinstance(goal, str):
            goal = own if metric == own.metric else source.goals.get(columns[metric], Goal(metric))
        found.append(goal)
    checked = checked_goals(found)
    metrics = [goal.metric for goal in checked]
    for name in known:
        if name not in metrics:
            raise UnknownNameError("goal that is known", name, metrics)
    return checked, tuple(columns[metric] for metric in metrics)


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
