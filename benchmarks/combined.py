"""One architecture for several tasks: a table's tasks combined into one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.sources import METRICS, ArraySource
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.task_weights import MEAN, shares

MeanScale = Literal["raw", "normal"]
"""Whether a weighted mean is of the values themselves or of their normal scores in each task."""


class CombinedTask(TabularTask):
    """The weighted mean of several tasks over their common rows.

    The value of each task, and each of its metrics, is a metric of this one: ``cora:accuracy``,
    ``cora:latency``. So `with_goals` makes each task a goal.

    Attributes:
        parts: The tasks.
        weights: Of the tasks, with the sum 1.
        scale: Of what the mean is.
    """

    parts: tuple[TabularTask, ...]
    weights: tuple[float, ...]
    scale: MeanScale

    @property
    def each(self) -> tuple[Goal, ...]:
        """Each task as a goal."""
        return tuple(
            Goal(f"{task.name}:{task.goal.metric}", task.goal.maximise, task.goal.unit)
            for task in self.parts
        )


def combined(
    tasks: Sequence[TabularTask],
    weights: Sequence[float] | None = None,
    *,
    scale: MeanScale = "raw",
) -> CombinedTask:
    """Combine tasks of one space.

    Values are means over seeds, at the budgets that all tasks have. An evaluation costs the sum.

    Args:
        tasks: At least two, each with its own goal alone.
        weights: One for each task, not negative; None for equal ones.
        scale: Of what the mean is.

    Raises:
        InvalidArgumentError: If weights do not fit the tasks, tasks are given twice, or they have
            no row or no budget in common.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> rows = space.all_choices()[:8]
        >>> wide = TabularTask("wide", space, rows, rows.sum(axis=1) / 10)
        >>> narrow = TabularTask("narrow", space, rows, -rows.sum(axis=1) / 10)
        >>> task = combined([wide, narrow], [0.75, 0.25])
        >>> round(task.evaluate(space.parse("8:8:8:8:56")).value, 3)
        0.3
    """
    first = tasks[0] if tasks else None
    names = [task.name for task in tasks]
    if first is None or len(set(names)) < len(names) or len(names) < 2:
        raise InvalidArgumentError(f"tasks must be two different ones or more, got {names}")
    by_weight = shares(names, weights)
    if scale not in get_args(MeanScale):
        raise InvalidArgumentError(f"scale must be 'raw' or 'normal', got {scale!r}")
    for task in tasks[1:]:
        if task._whole.identity != first._whole.identity:
            raise InvalidArgumentError(
                f"tasks must be of one space, got {first._whole.identity} and "
                f"{task._whole.identity}"
            )
    budgets = [b for b in first.budgets if all(b in task.budgets for task in tasks)]
    if not budgets:
        raise InvalidArgumentError(f"tasks must have a budget in common, got none of {names}")
    choices = first.choices
    last = [task.lookup(choices, budget=budgets[-1]) for task in tasks]
    there = np.asarray(np.isfinite(last).all(axis=0))
    if not there.any():
        raise InvalidArgumentError(
            f"tasks must have an architecture in common, got none of {names}"
        )
    if len(there) > there.sum():
        warnings.warn(
            f"{(~there).sum():,} of {len(there):,} architectures are not in all of "
            f"{', '.join(names)}, and are left out",
            stacklevel=2,
        )
    choices = choices[there]
    columns = [np.stack([t.lookup(choices, budget=b) for b in budgets], axis=1) for t in tasks]
    mean = _mean(columns, by_weight, scale)
    goal, sign = _goal(tasks, scale)
    tests = [task.test_values for task in tasks]
    test: FloatArray | None = None
    if all(values is not None for values in tests):
        own = [
            task.goal.sign * values[task.rows(choices)]
            for task, values in zip(tasks, tests, strict=True)
            if values is not None
        ]
        test = np.full(mean.shape, np.nan)
        test[:, -1] = sign * _mean([values[:, None] for values in own], by_weight, scale)[:, 0]
    metrics, goals = _metrics(tasks, columns, choices, budgets)
    task = CombinedTask(
        "+".join(names),
        first._whole,
        choices,
        sign * mean[:, None, :],
        goal=goal,
        test=None if test is None else test[:, None, :],
        metrics=metrics,
        budgets=tuple(budgets),
        costs=np.sum([[t.costs[t.budgets.index(b)] for b in budgets] for t in tasks], axis=0),
        isomorphs=first.isomorphs,
        benchmark=first.benchmark,
    )
    task.parts, task.weights, task.scale = tuple(tasks), by_weight, scale
    if isinstance(task._source, ArraySource):
        task._source.goals = goals
    return task


def combined_settings(task: object) -> dict[str, Any]:
    """What decides a combined task, as JSON values; nothing of another one."""
    if not isinstance(task, CombinedTask):
        return {}
    names = [part.name for part in task.parts]
    return {"parts": names, "task_weights": list(task.weights), "scale": task.scale}


def weighted_metrics(task: object) -> tuple[tuple[str, float], ...]:
    """The metric of each task of a weighted mean of values, and its weight; else nothing.

    Weights are negative where less is better. Means of normal scores have none, as scores follow
    from whole tables, and a search does not know these.
    """
    if not isinstance(task, CombinedTask) or task.scale != "raw":
        return ()
    weighted = zip(task.each, task.weights, strict=True)
    return tuple((goal.metric, goal.sign * weight) for goal, weight in weighted)


def parts_of(task: TabularTask) -> tuple[TabularTask, ...]:
    """The tasks of a combined one, else the task itself."""
    return task.parts if isinstance(task, CombinedTask) else (task,)


def _mean(columns: Sequence[FloatArray], weights: Sequence[float], scale: MeanScale) -> FloatArray:
    """Weighted mean of values (rows, budgets), larger is better."""
    if scale == "normal":
        columns = [_normal_scores(values) for values in columns]
    return np.asarray(sum(w * values for w, values in zip(weights, columns, strict=True)))


def _normal_scores(values: FloatArray) -> FloatArray:
    """Normal scores of the ranks in each column, equal values share one; NaN stays."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0, nan_policy="omit")
    count = np.isfinite(values).sum(axis=0)
    return np.asarray(ndtri((ranks - 0.5) / count))


def _goal(tasks: Sequence[TabularTask], scale: MeanScale) -> tuple[Goal, int]:
    """The goal of the mean, and the sign that gives the mean of larger-is-better values in it."""
    directions = {task.goal.maximise for task in tasks}
    units = {task.goal.unit for task in tasks}
    if scale == "normal" or len(directions) > 1:
        return Goal(MEAN), 1
    maximise = directions == {True}
    unit = units.pop() if len(units) == 1 else ""
    return Goal(MEAN, maximise, unit), 1 if maximise else -1


def _metrics(
    tasks: Sequence[TabularTask],
    columns: Sequence[FloatArray],
    choices: IntArray,
    budgets: Sequence[int],
) -> tuple[dict[str, FloatArray], dict[str, Goal]]:
    """Values and further metrics of each task, in their own signs, and their directions."""
    metrics, goals = {}, {}
    for task, values in zip(tasks, columns, strict=True):
        own = task.goal
        name = f"{task.name}:{own.metric}"
        metrics[name] = (own.sign * values)[:, None, :]
        goals[METRICS + name] = Goal(name, own.maximise, own.unit)
        rows = task.rows(choices)
        for column in task._source.columns:
            if not column.startswith(METRICS):
                continue
            name = f"{task.name}:{column.removeprefix(METRICS)}"
            at = [task._column(column, task.budgets.index(b), None)[rows] for b in budgets]
            metrics[name] = np.stack(at, axis=1)[:, None, :]
            if column in task._source.goals:
                known = task._source.goals[column]
                goals[METRICS + name] = Goal(name, known.maximise, known.unit)
    return metrics, goals
