"""Files that describe the tasks of a table by numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from surrogate_nas.benchmarks.importers.separators import by_header
from surrogate_nas.benchmarks.importers.text import TextReader, read_content
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError

_MAX_SIZE = 1 << 20


def read_descriptions(
    file: str | os.PathLike[str], tasks: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """Numbers by task: a row a task, its name in the first column, an empty cell is unknown.

    Args:
        file: Text with a header, separated by commas or as other CSV files.
        tasks: Names of the table's tasks.

    Raises:
        InvalidArgumentError: If the file cannot be read.
        FormatError: If it is no such text, or a cell is no number.
        UnknownNameError: If it describes a task that the table does not have.
    """
    path = Path(file)
    content = read_content(path, _MAX_SIZE)
    if content is None:
        raise FormatError(f"{os.fspath(file)} must be a text separated by commas, not Parquet")
    text = content.decode()
    separator = by_header(text.partition("\n")[0], needed=())
    rows = [row for row in TextReader(path, text, separator) if row]
    if len(rows) < 2 or len(rows[0]) < 2:
        raise FormatError(
            f"{os.fspath(file)} must have a header like task,nodes,classes and a row a task"
        )
    names = [name.strip() for name in rows[0][1:]]
    if "" in names or len(set(names)) < len(names):
        raise FormatError(f"{os.fspath(file)} must have different names of columns, got {names}")
    found: dict[str, Mapping[str, float]] = {}
    for task, *cells in rows[1:]:
        task = task.strip()
        if task not in tasks:
            raise UnknownNameError("task", task, tasks)
        if len(cells) != len(names) or task in found:
            raise FormatError(
                f"{os.fspath(file)} must have one row for {task!r} with {len(names)} numbers"
            )
        pairs = zip(names, cells, strict=True)
        found[task] = {
            name: _number(file, task, name, cell) for name, cell in pairs if cell.strip()
        }
    return found


def _number(file: str | os.PathLike[str], task: str, name: str, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise FormatError(
            f"{os.fspath(file)} must have a number as {name!r} of {task!r}, got {cell!r}"
        ) from None


def of_tasks(
    descriptors: Mapping[str, Mapping[str, float]] | str | os.PathLike[str] | None,
    tasks: Sequence[str],
) -> Mapping[str, Mapping[str, float]]:
    """Numbers by task, given as such or as a file, see `read_descriptions`.

    Raises:
        InvalidArgumentError, FormatError, UnknownNameError: See there.
    """
    if descriptors is None:
        return {}
    if isinstance(descriptors, str | os.PathLike):
        return read_descriptions(descriptors, tasks)
    if not isinstance(descriptors, Mapping):
        raise InvalidArgumentError(
            f"descriptors must be numbers by name by task, or a file, got {descriptors!r}"
        )
    for task in descriptors:
        if task not in tasks:
            raise UnknownNameError("task", task, tasks)
    return descriptors
