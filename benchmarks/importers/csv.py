"""CSV files: the door for results of one's own.

One row an architecture; columns hold its notation and its measurements. An empty cell is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import Imported, check_name, differs, install
from surrogate_nas.benchmarks.importers.columns import TaskColumns, read_columns
from surrogate_nas.benchmarks.importers.text import parse_all, parse_numbers, read_rows
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace

_SHOWN = 5  # bad rows in a message


def import_csv(
    file: str | os.PathLike[str],
    *,
    name: str,
    space: str | os.PathLike[str],
    arch: str,
    tasks: Mapping[str, str],
    tests: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    costs: Mapping[str, str] | None = None,
    minimise: Sequence[str] = (),
    skip_bad: bool = False,
) -> Imported:
    """Make an installed table of a CSV file; a table of the same name is replaced.

    Args:
        file: Comma-separated UTF-8 text with a header, compressed by gzip or not.
        name: Name of the table.
        space: Name of a registered space.
        arch: Column of the architectures, in the notation of the space.
        tasks: Column of the validation metric by ``NAME[@EPOCHS][#SEED]``. Without a seed it is a
            mean over seeds, without epochs the only budget. Seeds are renumbered from 0 in
            ascending order.
        tests: Column of the test metric, likewise.
        metrics: Column of a further metric by ``[TASK:]NAME``; without a task it is one of all.
        costs: Column of the cost by task, ``""`` for all others. Its mean is the cost of one
            evaluation at the largest budget; smaller budgets cost in proportion to their epochs.
        minimise: Tasks and metrics of which less is better.
        skip_bad: Leave bad rows out, instead of refusing the file. Of rows that contradict each
            other the first is kept.

    Raises:
        InvalidArgumentError: If an argument breaks a rule, or the file cannot be read.
        UnknownNameError: If there is no such space, column or task.
        FormatError: If the file is no such text, or a row is bad; nothing is written then.
    """
    check_name(name)
    columns = read_columns(tasks, tests or {}, metrics or {}, costs or {}, minimise)
    opened = open_space(space)
    if opened.name not in registry.names("space"):
        raise InvalidArgumentError(
            f"space must be a registered one, as a table names its space, got {os.fspath(space)!r} "
            f"(choose from: {', '.join(registry.names('space'))})"
        )
    file = Path(file)
    used = list(dict.fromkeys(column for task in columns for column in task.used))
    lines, texts, cells, bad = read_rows(file, [arch, *used])

    choices = parse_all(opened, texts, lines, bad)
    numbers = {
        column: parse_numbers(text, column, lines, bad)
        for column, text in zip(used, cells, strict=True)
    }
    good = ~np.isin(lines, list(bad))
    place = np.flatnonzero(good)
    kept, repeated = _different(opened, choices, numbers, lines, place, bad)
    if bad and not skip_bad:
        raise FormatError(
            f"{file} has {len(bad):,} bad row{'s' * (len(bad) > 1)}, nothing was written: "
            f"{_told(bad)}; repair the file, or skip them with --skip-bad"
        )
    if not len(kept):
        told = f": {_told(bad)}" if bad else ""
        raise FormatError(f"{file} has no usable row, nothing was written{told}")
    choices = choices[kept]
    numbers = {column: values[kept] for column, values in numbers.items()}

    return install(
        TableSpec(
            name, opened, choices, [_task(task, numbers) for task in columns], source=file.name
        ),
        skipped=tuple(_lines(bad)),
        repeated=repeated,
    )


def _different(
    space: SearchSpace,
    choices: IntArray,
    numbers: Mapping[str, FloatArray],
    lines: IntArray,
    good: IntArray,
    bad: dict[int, str],
) -> tuple[IntArray, int]:
    """The first row of each encoding among ``good`` ones, and how many others agree with it."""
    index = space.index(choices[good])
    _, leading, group = np.unique(index, return_index=True, return_inverse=True)
    first = good[leading]
    other = np.zeros(len(good), dtype=np.bool_)
    for column, values in numbers.items():
        different = differs(values[good], values[first[group]])
        for i in np.flatnonzero(different & ~other).tolist():
            row, before = good[i], first[group[i]]
            bad[int(lines[row])] = (
                f"the architecture of line {lines[before]} again, with another {column}: "
                f"{values[row]:g}, not {values[before]:g}"
            )
        other |= different
    return np.sort(first), len(good) - len(first) - int(other.sum())


def _task(task: TaskColumns, numbers: Mapping[str, FloatArray]) -> TaskSpec:
    def cube(columns: Mapping[tuple[int, int], str]) -> FloatArray:
        some = next(iter(numbers.values()))
        values = np.full((len(some), len(task.seeds), len(task.budgets)), np.nan)
        for (budget, seed), column in columns.items():
            values[:, task.seeds.index(seed), task.budgets.index(budget)] = numbers[column]
        return values

    values = cube(task.validation)
    if np.isnan(values[:, :, -1]).all():
        raise InvalidArgumentError(
            f"task {task.name!r} has no value at its largest budget, {task.budgets[-1]}"
        )
    costs = None
    if task.cost is not None:
        given = numbers[task.cost]
        cost = float(given[~np.isnan(given)].mean()) if (~np.isnan(given)).any() else 0.0
        if cost <= 0:
            raise InvalidArgumentError(
                f"the cost of task {task.name!r} must be positive, but the mean of the column "
                f"{task.cost!r} is {cost:g}"
            )
        costs = tuple(cost * budget / task.budgets[-1] for budget in task.budgets)
    return TaskSpec(
        name=task.name,
        goal=Goal("value", task.maximise),
        values=values,
        test=cube(task.test) if task.test else None,
        metrics=[(goal, numbers[column]) for goal, column in task.metrics],
        budgets=task.budgets,
        costs=costs,
    )


def _lines(bad: Mapping[int, str]) -> list[str]:
    return [f"line {line}: {bad[line]}" for line in sorted(bad)]


def _told(bad: Mapping[int, str]) -> str:
    more = len(bad) - _SHOWN
    return "; ".join(_lines(bad)[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
