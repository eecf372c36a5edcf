"""CSV and Parquet files: the door for results of one's own.

One row an architecture; columns hold its notation, or an option of each decision, and its
measurements. An empty cell is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import (
    Imported,
    Listener,
    check_bad,
    check_name,
    differs,
    install,
    space_of_table,
)
from surrogate_nas.benchmarks.importers.columns import TaskColumns, read_columns
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct


def import_csv(
    file: str | os.PathLike[str],
    *,
    name: str,
    space: str | os.PathLike[str],
    tasks: Mapping[str, str],
    arch: str | None = None,
    decisions: Mapping[str, str] | None = None,
    tests: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    costs: Mapping[str, str] | None = None,
    minimise: Sequence[str] = (),
    skip_bad: bool = False,
    listener: Listener | None = None,
) -> Imported:
    """Make an installed table of a file; a table of the same name is replaced.

    Args:
        file: Comma-separated UTF-8 text with a header, compressed by gzip or not, or Parquet.
        name: Name of the table.
        space: Name of a registered space, or the TOML file of one of one's own, which becomes
            part of the table.
        tasks: Column of the validation metric by ``NAME[@EPOCHS][#SEED]``. Without a seed it is a
            mean over seeds, without epochs the only budget. Seeds are renumbered from 0 in
            ascending order.
        arch: Column of the architectures, in the notation of the space. Without it, there is a
            column for each decision with the name of the option.
        decisions: Column by decision, where it is called otherwise than the decision.
        tests: Column of the test metric, like ``tasks``.
        metrics: Column of a further metric by ``[TASK:]NAME``; without a task it is one of all.
        costs: Column of the cost by task, ``""`` for all others. Its mean is the cost of one
            evaluation at the largest budget; smaller budgets cost in proportion to their epochs.
        minimise: Tasks and metrics of which less is better.
        skip_bad: Leave bad rows out, instead of refusing the file. Of rows that contradict each
            other the first is kept.
        listener: Hears how it goes.

    Raises:
        InvalidArgumentError: If an argument breaks a rule, or the file cannot be read.
        UnknownNameError: If there is no such space, decision, column or task.
        FormatError: If the file is neither, or a row is bad; nothing is written then.
        MissingDependencyError: If it is a Parquet file and pyarrow is not installed.
    """
    check_name(name)
    columns = read_columns(tasks, tests or {}, metrics or {}, costs or {}, minimise)
    opened = space_of_table(space)
    encoding = _encoding_columns(opened, arch, decisions or {})
    file = Path(file)
    measured = list(dict.fromkeys(column for task in columns for column in task.used))
    with (listener or Listener()).progress(file.name, len(measured) + 3) as advance:
        rows = _open(file)
        _check_columns(rows, encoding, measured, opened, named=bool(arch or decisions))
        rows.read(list(dict.fromkeys([*encoding, *measured])))
        advance("rows")
        choices = (
            rows.decided(opened, encoding) if arch is None else rows.architectures(opened, arch)
        )
        advance("architectures")
        numbers = {}
        for column in measured:
            numbers[column] = rows.numbers(column)
            advance(column)
        kept, repeated = _different(opened, choices, numbers, rows)
        bad = [f"{rows.unit} {place}: {rows.bad[place]}" for place in sorted(rows.bad)]
        check_bad(str(file), bad, unit="row", usable=len(kept), skip_bad=skip_bad)
        choices = choices[kept]
        numbers = {column: values[kept] for column, values in numbers.items()}
        specs = [_task(task, numbers) for task in columns]
        made = install(
            TableSpec(name, opened, choices, specs, source=file.name),
            skipped=tuple(bad),
            repeated=repeated,
        )
        advance("table")
    return made


def _open(file: Path) -> Rows:
    from surrogate_nas.benchmarks.importers.parquet import ParquetRows
    from surrogate_nas.benchmarks.importers.text import TextRows, read_content

    content = read_content(file)
    return ParquetRows(file) if content is None else TextRows(file, content)


def _encoding_columns(
    space: SearchSpace, arch: str | None, decisions: Mapping[str, str]
) -> list[str]:
    """The column of the notation, or that of each decision."""
    if arch is not None:
        if decisions:
            raise InvalidArgumentError(
                f"either --arch or --decision, as an architecture stands in one column or in "
                f"several, got --arch {arch} and --decision {', '.join(decisions)}"
            )
        return [arch]
    names = [decision.name for decision in space.decisions]
    for name in decisions:
        if name not in names:
            raise UnknownNameError("decision", name, names)
    return [decisions.get(name, name) for name in names]


def _check_columns(
    rows: Rows, encoding: Sequence[str], measured: Sequence[str], space: SearchSpace, *, named: bool
) -> None:
    rows.check(measured)
    missing = [column for column in encoding if column not in rows.header]
    if missing and not named:
        raise InvalidArgumentError(
            "name the column of the architectures with --arch COLUMN; without it the file needs a "
            f"column for each decision of {space.name!r} (or --decision NAME=COLUMN where it is "
            f"called otherwise), and {', '.join(missing)} are missing"
        )
    rows.check(encoding)


def _different(
    space: SearchSpace, choices: IntArray, numbers: Mapping[str, FloatArray], rows: Rows
) -> tuple[IntArray, int]:
    """The first row of each encoding among good ones, and how many others agree with it."""
    good = np.flatnonzero(~np.isin(rows.places, list(rows.bad)))
    leading, group = distinct(space, choices[good])
    first = good[leading]
    if len(first) == len(good):
        return good, 0
    other = np.zeros(len(good), dtype=np.bool_)
    for column, values in numbers.items():
        different = differs(values[good], values[first[group]])
        for i in np.flatnonzero(different & ~other).tolist():
            row, before = good[i], first[group[i]]
            rows.refuse(
                row,
                f"the architecture of {rows.unit} {rows.places[before]} again, with another "
                f"{column}: {values[row]:g}, not {values[before]:g}",
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
