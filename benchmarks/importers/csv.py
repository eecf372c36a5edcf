"""CSV and Parquet files with results of the user.

A row is an architecture. Columns hold its notation, or the option of each decision, and its
measurements. An empty cell is a missing value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.importers.base import (
    Imported,
    Listener,
    check_bad,
    check_name,
    install,
    space_of_table,
)
from surrogate_nas.benchmarks.importers.bounded import MAX_SIZE
from surrogate_nas.benchmarks.importers.columns import TaskColumns, read_columns
from surrogate_nas.benchmarks.importers.descriptions import of_tasks
from surrogate_nas.benchmarks.importers.encoding import Encoding, with_fixed
from surrogate_nas.benchmarks.importers.repeats import Repeats, check_repeats, gather
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.number_text import exact


def import_csv(
    file: str | os.PathLike[str],
    *,
    name: str,
    space: str | os.PathLike[str],
    tasks: Mapping[str, str],
    arch: str | Sequence[str] | None = None,
    notation: str | None = None,
    pattern: str | None = None,
    decisions: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    nearest: bool = False,
    tests: Mapping[str, str] | None = None,
    metrics: Mapping[str, str] | None = None,
    costs: Mapping[str, str] | None = None,
    minimise: Sequence[str] = (),
    descriptors: Mapping[str, Mapping[str, float]] | str | os.PathLike[str] | None = None,
    repeats: Repeats = "refuse",
    columns: Sequence[str] | None = None,
    separator: str | None = None,
    max_size: int = MAX_SIZE,
    skip_bad: bool = False,
    listener: Listener | None = None,
) -> Imported:
    """Make an installed table of a file; a table of the same name is replaced.

    A number may be a clock time ``h:mm:ss`` or ``m:ss``, which is converted to seconds, or a
    percentage: ``93.4 %`` is 93.4. In files with semicolons it may have a decimal comma.

    Args:
        file: Separated UTF-8 text, compressed by gzip or bzip2 or not, or Parquet.
        name: Name of the table.
        space: Name of a registered space, or a TOML file, whose definition becomes part
            of the table.
        tasks: Column of the validation metric by ``NAME[@EPOCHS][#SEED]``. Without a seed it is a
            mean over seeds, without epochs the only budget. Seeds are renumbered from 0 in
            ascending order.
        arch: Column of the architectures, or several, whose cells are joined by ``:``. Without it,
            there is a column for each decision with the name of the option.
        notation: How architectures are written: a name of `notations.NOTATIONS` or `GENERAL`, or
            ``module:function``, see `notations.open_notation`. By default that of the space, or
            a named one if most of the first texts are written in it.
        pattern: A regular expression for the notation instead, see `notations.by_pattern`.
        decisions: Column by decision, for columns with other names than the decisions; with
            ``pattern`` the group by decision.
        fixed: Option by decision, for decisions that the file lacks: the same in all rows.
        nearest: Whether a number between two options of a decision means the nearer one.
        tests: Column of the test metric, like ``tasks``.
        metrics: Column of a further metric by ``[TASK:]NAME``; without a task, of all tasks.
        costs: Column of the cost by task, ``""`` for all others. Its mean is the cost of one
            evaluation at the largest budget; those of smaller budgets are in proportion.
        minimise: Tasks and metrics whose values are to be minimised.
        descriptors: Numbers by name by task that describe the task itself, such as the size of its
            data set, or a CSV file of them, see `descriptions.read_descriptions`. They tell which
            tasks are alike.
        repeats: What becomes of several rows of one architecture: ``"refuse"`` takes equal ones
            once and refuses others; ``"seeds"`` makes them its seeds, in the order of the rows;
            ``"mean"`` takes the mean of each column.
        columns: Names of the columns of a text that has no header.
        separator: What separates the cells, see `separators.SEPARATORS`; found by default.
        max_size: Most bytes of (decompressed) text.
        skip_bad: Skip bad rows instead of refusing the file. Of rows that contradict each other
            the first is kept.
        listener: Hears about the progress.

    Raises:
        InvalidArgumentError: If an argument breaks a rule, or the file cannot be read.
        UnknownNameError: If there is no such space, decision, column or task.
        FormatError: If the file has another format or is too large, or a row is bad; then nothing
            is written.
        MissingDependencyError: If it is a Parquet file and pyarrow is not installed.
    """
    check_name(name)
    check_repeats(repeats)
    measures = read_columns(tasks, tests or {}, metrics or {}, costs or {}, minimise)
    described = of_tasks(descriptors, [task.name for task in measures])
    opened = space_of_table(space)
    encoding = Encoding.of(
        opened, arch, notation, pattern, decisions or {}, fixed or {}, nearest=nearest
    )
    file = Path(file)
    listener = listener or Listener()
    measured = list(dict.fromkeys(column for task in measures for column in task.used))
    with listener.progress(file.name, len(measured) + 3) as advance:
        needed = list(dict.fromkeys([*encoding.columns, *measured]))
        rows = _open(file, needed, columns, separator, max_size)
        encoding.check(rows, measured)
        rows.read(needed)
        advance("rows")
        choices = encoding.read(rows, listener)
        advance("architectures")
        numbers = {}
        for column in measured:
            numbers[column] = rows.numbers(column)
            advance(column)
        found = gather(opened, choices, numbers, rows, repeats)
        bad = [f"{rows.unit} {position}: {rows.bad[position]}" for position in sorted(rows.bad)]
        check_bad(str(file), bad, unit="row", usable=len(found.rows), skip_bad=skip_bad)
        if found.merged:
            become = "are its seeds" if repeats == "seeds" else "count by their mean"
            listener.note(f"{found.merged:,} rows repeat an architecture; all of one {become}")
        specs = [
            replace(_task(task, found.numbers), descriptor=described.get(task.name))
            for task in measures
        ]
        made = install(
            TableSpec(
                name, opened, choices[found.rows], specs, with_fixed(file.name, encoding.fixed)
            ),
            skipped=tuple(bad),
            repeated=found.repeated,
        )
        advance("table")
    return made


def _open(
    file: Path,
    needed: Sequence[str],
    names: Sequence[str] | None,
    separator: str | None,
    max_size: int,
) -> Rows:
    from surrogate_nas.benchmarks.importers.parquet import ParquetRows
    from surrogate_nas.benchmarks.importers.text import TextRows, read_content

    content = read_content(file, max_size)
    if content is not None:
        return TextRows(file, content, needed=needed, names=names, separator=separator)
    if names is not None or separator is not None:
        given = "--separator" if names is None else "--columns"
        raise InvalidArgumentError(
            f"{given} is for files of text, but {file} is a Parquet file, which names its columns; "
            "leave it out"
        )
    return ParquetRows(file, max_size)


def _task(task: TaskColumns, numbers: Mapping[str, FloatArray]) -> TaskSpec:
    rows, repeats = next(iter(numbers.values())).shape

    def cube(columns: Mapping[tuple[int, int], str]) -> FloatArray:
        values = np.full((rows, len(task.seeds) * repeats, len(task.budgets)), np.nan)
        for (budget, seed), column in columns.items():
            first = task.seeds.index(seed) * repeats
            position = task.budgets.index(budget)
            values[:, first : first + repeats, position] = numbers[column]
        return values

    def measured(column: str) -> FloatArray:
        if repeats == 1:
            return numbers[column][:, 0]
        return np.tile(numbers[column], len(task.seeds))[:, :, None]

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
                f"{task.cost!r} is {exact(cost)}"
            )
        costs = tuple(cost * budget / task.budgets[-1] for budget in task.budgets)
    return TaskSpec(
        name=task.name,
        goal=Goal("value", task.maximise),
        values=values,
        test=cube(task.test) if task.test else None,
        metrics=[(goal, measured(column)) for goal, column in task.metrics],
        budgets=task.budgets,
        costs=costs,
    )
