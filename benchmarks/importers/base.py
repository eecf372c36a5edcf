"""What all importers share: messages, progress, and the installation of tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import BoolArray, FloatArray, OnStep
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.table_writer import TableSpec, write_table
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct

_NAME = re.compile(r"\w[\w.+-]*")
_SHOWN = 5  # bad rows in a message


class Listener:
    """Receives messages and progress of an import; this class ignores them."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[OnStep]:
        """Long work of ``total`` steps; yields a function to be called with a text at each step."""
        yield lambda text: None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made, and what it noticed.

    Attributes:
        name: What `open_benchmark` takes.
        path: The file.
        architectures: Number of rows.
        tasks: Names of the tasks.
        isomorphic: Number of networks that have several encodings with different values.
        skipped: A line of text for each bad row that was skipped.
        repeated: Number of rows that repeated another one, values and all.
        also: Further tables, where a file holds several.
    """

    name: str
    path: Path
    architectures: int
    tasks: tuple[str, ...]
    isomorphic: int = 0
    skipped: tuple[str, ...] = ()
    repeated: int = 0
    also: tuple[Imported, ...] = ()


def check_name(name: str) -> None:
    """Refuse an invalid name of a table.

    Raises:
        InvalidArgumentError: If it is no file name, or the name of a registered benchmark.
    """
    if not _NAME.fullmatch(name) or name.endswith((".h5", ".hdf5")):
        raise InvalidArgumentError(
            f"name must consist of letters, digits and '_.+-', begin with a letter or digit, and "
            f"have no suffix .h5, got {name!r}"
        )
    if name in registry.names("benchmark"):
        raise InvalidArgumentError(
            f"name must not be that of a registered benchmark, which would hide the table, "
            f"got {name!r}"
        )


def space_of_table(space: str | os.PathLike[str]) -> SearchSpace:
    """Open a space that a table can name or hold.

    Raises:
        UnknownNameError: If there is no such space.
        InvalidArgumentError: If it is neither registered nor declared in a TOML file.
        FormatError: If the file has a mistake.
    """
    opened = open_space(space)
    if opened.definition is None and opened.name not in registry.names("space"):
        raise InvalidArgumentError(
            "space must be a registered one or a TOML file, as a table names or holds its space, "
            f"got {os.fspath(space)!r} (registered: {', '.join(registry.names('space'))})"
        )
    return opened


def check_bad(source: str, bad: Sequence[str], *, unit: str, usable: int, skip_bad: bool) -> None:
    """Refuse a source with bad rows, or without any good one.

    Args:
        source: Its name in the message.
        bad: What is wrong with each bad row.
        unit: The word for a row.
        usable: Number of good rows.
        skip_bad: Whether bad rows are allowed.

    Raises:
        FormatError: If it is refused; the message shows the first bad rows.
    """
    more = len(bad) - _SHOWN
    told = "; ".join(bad[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    if bad and not skip_bad:
        raise FormatError(
            f"{source} has {len(bad):,} bad {unit}{'s' * (len(bad) > 1)}, nothing was written: "
            f"{told}; repair the source, or skip them with --skip-bad"
        )
    if not usable:
        raise FormatError(
            f"{source} has no usable {unit}, nothing was written{': ' * bool(bad)}{told}"
        )


def install(spec: TableSpec, *, skipped: tuple[str, ...] = (), repeated: int = 0) -> Imported:
    """Write a table where `open_benchmark` finds it by name; an older one is replaced.

    Raises:
        InvalidArgumentError: If the name or the arrays break a rule, see `write_table`.
        SurrogateNASError: If the file cannot be written.
    """
    check_name(spec.name)
    path = tables_folder() / f"{spec.name}.h5"
    write_table(path, spec)
    return Imported(
        name=spec.name,
        path=path,
        architectures=len(spec.choices),
        tasks=tuple(task.name for task in spec.tasks),
        isomorphic=_isomorphic(spec),
        skipped=skipped,
        repeated=repeated,
    )


def _isomorphic(spec: TableSpec) -> int:
    """Number of canonical forms whose encodings have different values."""
    rows = len(spec.choices)
    first, group = distinct(spec.space, spec.space.canonicalise(spec.choices))
    if len(first) == rows:
        return 0
    differ = np.zeros(rows, dtype=np.bool_)
    for task in spec.tasks:
        values = task.values.reshape(rows, -1)
        differ |= differs(values, values[first[group]]).any(axis=1)
    return len(np.unique(group[differ]))


def differs(a: FloatArray, b: FloatArray) -> BoolArray:
    """Where two arrays differ; NaN equals NaN."""
    return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
