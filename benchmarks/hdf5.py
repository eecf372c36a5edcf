"""The file format of tables: one HDF5 file a benchmark, read lazily.

Layout, attributes in brackets::

    /                   [format, format_version, name, space, tasks, architectures, source,
                         licence, checksum]
    /found_by           uint8 (rows,), how each row was chosen, where that is known [names, crc32]
    /surrogate          only in a surrogate, see `surrogate_nas.benchmarks.surrogate`
    /definition         the text that declares the space, uint8 (bytes,), UTF-8 [crc32]: only in
                        version 2, where the space has no registered name
    /encodings          int16 (rows, decisions), by ascending number of the encoding [crc32]
    /tasks/<task>       [columns, budgets, costs, seeds; training and descriptor, JSON, where known]
        validation      float64 (budgets, rows, seeds), one contiguous plane a budget
                        [metric, maximise, unit, role, crc32: one a plane]
        test            likewise, where there is a test metric
        metrics/<name>  likewise; budgets or seeds are 1 where they make no difference

A missing value is NaN. The arrays of a surrogate are compressed, a plane at a time. Damage is
noticed when it is read, by the crc32 of the plane; the checksum at the root covers all attributes,
and so the crc32 of all planes.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.added import AddedMetric
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.sources import VALIDATION
from surrogate_nas.descriptors import checked_descriptor
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import Isomorphs, SearchSpace, frozen
from surrogate_nas.spaces.custom import CustomSpace

FORMAT = "surrogate-nas table"
FORMAT_VERSION = 1
DEFINED_VERSION = 2
"""Of tables that hold the definition of their space; others stay readable by older programs."""
DEFINITION = "definition"
FOUND_BY = "found_by"
UNKNOWN = "unknown"
"""How rows are marked of which it is not known how they were chosen."""
SURROGATE = "surrogate"
TRAINING = "training"
DESCRIPTOR = "descriptor"

_SURROGATES = "surrogate_nas.benchmarks.surrogate"
_MAX_SIZE, _TIMES = 1 << 28, 100  # largest array in bytes: at least, and for each byte of its file


class HDF5Benchmark(Benchmark):
    """A table in a file. Opening reads its root attributes alone; nothing stays open.

    Attributes:
        is_surrogate: Whether the file also answers for other architectures than its rows, see
            `surrogate_nas.benchmarks.surrogate`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file ``path``.

        Raises:
            InvalidArgumentError: If there is no such file.
            FormatError: If it is damaged, of another version, or no table.
        """
        self.path = Path(path)
        self._intact: set[tuple[str, int | tuple[()]]] = set()
        with self._opened() as file:
            self._stamp = file_stamp(self.path)
            self._version = self._check_header(file)
            self.name = _text(file, "name")
            self.checksum = _text(file, "checksum")
            self.source = _text(file, "source")
            self.licence = _text(file, "licence")
            self._space_name = _text(file, "space")
            self._tasks = _texts(file, "tasks")
            self._architectures = int(file.attrs["architectures"])
            self.is_surrogate = SURROGATE in file
        self.how_to_get = f"the file {self.path}"

    def _check_header(self, file: h5py.File) -> int:
        """The version of the format."""
        if "format" not in file.attrs or _text(file, "format") != FORMAT:
            raise FormatError(
                f"{self.path} is an HDF5 file, but no table of surrogate-nas; "
                "convert it with 'surrogate-nas import'"
            )
        version = int(file.attrs["format_version"])
        if version not in (FORMAT_VERSION, DEFINED_VERSION):
            raise FormatError(
                f"{self.path} has version {version} of the table format, and this program reads "
                f"versions {FORMAT_VERSION} to {DEFINED_VERSION}; update surrogate-nas, or import "
                "the table again"
            )
        if "checksum" not in file.attrs:
            raise FormatError(f"{self.path} has no checksum; import the table again")
        return version

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        try:
            # h5py.File(path, "r") in half the time: most of it goes into options for writing.
            opened = h5py.h5f.open(os.fsencode(self.path), h5py.h5f.ACC_RDONLY)
            with h5py.File(opened) as file:
                yield file
        except FormatError:
            raise
        except FileNotFoundError:
            raise InvalidArgumentError(f"there is no table file {self.path}") from None
        except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
            reason = str(error).split("\n")[0]
            if isinstance(error, BlockingIOError) or "unable to lock file" in reason:
                raise FormatError(
                    f"{self.path} is locked: another process holds it open for writing; wait until "
                    "it is closed"
                ) from error
            raise FormatError(
                f"{self.path} is damaged, cut off or no HDF5 table ({reason}); "
                "import the table again"
            ) from error

    @cached_property
    def space(self) -> SearchSpace:
        """The whole space of the encodings."""
        if self._version == DEFINED_VERSION:
            with self._opened() as file:
                self._check_unchanged(file)
                text = self._verified(file[DEFINITION], ()).tobytes().decode()
            return CustomSpace(text, source=f"the space of {self.path}")
        space: SearchSpace = registry.load("space", self._space_name)()
        return space

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return self._tasks

    @property
    def architectures(self) -> int:
        """Number of rows."""
        return self._architectures

    @cached_property
    def choices(self) -> IntArray:
        """Encodings of all rows, by ascending number: int16 (rows, decisions)."""
        with self._opened() as file:
            self._check_unchanged(file)
            choices: IntArray = self._verified(file["encodings"], ())
        sizes = np.array(self.space.sizes)
        if (
            choices.ndim != 2
            or choices.shape[1] != len(sizes)
            or ((choices < 0) | (choices >= sizes)).any()
        ):
            raise FormatError(
                f"the encodings of {self.path} do not fit the space {self.space.name!r}; "
                "import the table again"
            )
        return frozen(choices)

    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> StoredTask:
        """Open one task; its arrays are read when they are needed.

        Raises:
            UnknownNameError: If there is no such task.
        """
        if name not in self.tasks:
            raise UnknownNameError("task", name, self.tasks)
        return StoredTask(self, name, isomorphs)

    def read(self, task: str, column: str, budget: int) -> FloatArray:
        """Values of a column at one position of the budgets, verified: (rows, seeds or 1)."""
        with self._opened() as file:
            self._check_unchanged(file)
            # As file[…] in a third of the time, as that finds out the kind of the item first.
            dataset = h5py.Dataset(h5py.h5d.open(file.id, f"tasks/{task}/{column}".encode()))
            values: FloatArray = self._verified(dataset, min(budget, len(dataset) - 1))
            return values

    def columns(self, task: str) -> dict[str, tuple[Goal, FloatArray]]:
        """All that is recorded of one task, verified.

        Returns:
            For each column its metric and its values (rows, seeds or 1, budgets or 1).
        """
        with self._opened() as file:
            self._check_unchanged(file)
            group = file[f"tasks/{task}"]
            found = {}
            for column in _texts(group, "columns"):
                planes = [self._verified(group[column], i) for i in range(len(group[column]))]
                found[column] = _goal(group[column]), np.stack(planes, axis=-1)
            return found

    def verify(self, task: str) -> None:
        """Read the encodings and all values of one task and compare their checksums.

        Raises:
            FormatError: If any is damaged.
        """
        with self._opened() as file:
            self._verified(file["encodings"], ())
            group = file[f"tasks/{task}"]
            for column in _texts(group, "columns"):
                for plane in range(len(group[column])):
                    self._verified(group[column], plane)

    def check(self) -> None:
        """Verify all of the content.

        Raises:
            FormatError: If it is damaged.
        """
        self._intact.clear()
        with self._opened() as file:
            if content_checksum(file) != self.checksum:
                raise FormatError(
                    f"the attributes of {self.path} do not have the checksum of the file; "
                    "import the table again"
                )
            if self._version == DEFINED_VERSION:
                self._verified(file[DEFINITION], ())
            for path in (FOUND_BY, SURROGATE):
                if path in file:
                    self._verify_below(file[path])
        for task in self.tasks:
            self.verify(task)

    def _verify_below(self, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            self._verified(item, ())
        else:
            for name in item:
                self._verify_below(item[name])

    @cached_property
    def found_by(self) -> tuple[str, ...] | None:
        """How each row was chosen: ``random``, or a searcher; None where that is unknown."""
        with self._opened() as file:
            self._check_unchanged(file)
            if FOUND_BY not in file:
                return None
            names = _texts(file[FOUND_BY], "names")
            numbers: IntArray = self._verified(file[FOUND_BY], ())
        if numbers.shape != (self._architectures,) or numbers.max(initial=0) >= len(names):
            raise FormatError(f"{self.path} does not say of each row how it was chosen")
        return tuple(names[number] for number in numbers.tolist())

    def _check_unchanged(self, file: h5py.File) -> None:
        # Reading the checksum takes as long as reading a column, and few files change.
        if file_stamp(self.path) != self._stamp and _text(file, "checksum") != self.checksum:
            raise FormatError(f"{self.path} was replaced since it was opened; open it again")

    def _check_size(self, dataset: h5py.Dataset, plane: int | tuple[()]) -> None:
        """Refuse an array that claims more numbers than the file could hold."""
        planes = 1 if plane == () else len(dataset)
        limit = max(_MAX_SIZE, _TIMES * self.path.stat().st_size)
        if dataset.nbytes // max(planes, 1) > limit:
            raise FormatError(
                f"{self.path} is damaged: {dataset.name} claims to have the shape {dataset.shape}, "
                f"more than a file of {self.path.stat().st_size / 1e6:.1f} MB can hold; import the "
                "table again"
            )

    def _verified(self, dataset: h5py.Dataset, plane: int | tuple[()]) -> Any:
        self._check_size(dataset, plane)
        values = dataset[plane]
        key = (dataset.name, plane)
        if key in self._intact:  # a checksum takes longer than the reading
            return values
        if zlib.crc32(values.data) != dataset.attrs["crc32"][plane]:
            raise FormatError(
                f"{self.path} is damaged: {dataset.name} does not have its checksum; "
                "import the table again"
            )
        self._intact.add(key)
        return values


def open_file(path: str | os.PathLike[str]) -> HDF5Benchmark:
    """Open a table, or a surrogate benchmark; see `HDF5Benchmark` for what is raised."""
    table = HDF5Benchmark(path)
    if table.is_surrogate:
        table = registry.follow("surrogate", f"{_SURROGATES}:SurrogateBenchmark")(path)
    return table


class StoredTask(TabularTask):
    """A task of a file. Sent to another process, it is opened there by path and name."""

    def __init__(self, table: HDF5Benchmark, name: str, isomorphs: Isomorphs) -> None:
        """Open the task ``name`` of ``table``."""
        self._table = table
        with table._opened() as file:
            group = file[f"tasks/{name}"]
            goal = _goal(group[VALIDATION])
            if TRAINING in group.attrs:
                self.training = json.loads(_text(group, TRAINING))
            if DESCRIPTOR in group.attrs:
                self.descriptor = checked_descriptor(json.loads(_text(group, DESCRIPTOR)))
            columns, seeds = _texts(group, "columns"), int(group.attrs["seeds"])
            source = _TaskFile(table, name, columns, seeds)
            budgets, costs = group.attrs["budgets"].tolist(), group.attrs["costs"]
        self._open(name, table.space, source, goal, budgets, costs, isomorphs, table.name)

    @property
    def table(self) -> HDF5Benchmark:
        """The file's table."""
        return self._table

    def __reduce__(self) -> tuple[Any, ...]:
        """Path, checksum and name instead of arrays."""
        if isinstance(self._source, AddedMetric):  # which the file does not have
            return object.__new__, (type(self),), self.__getstate__()
        goals = None if self.goals == (self.own_goal,) else self.goals
        table = self._table
        where = table.path, table.checksum, self.name, self._isomorphs
        return _reopen, (*where, goals, self.known)


def _reopen(
    path: Path,
    checksum: str,
    name: str,
    isomorphs: Isomorphs,
    goals: tuple[Goal, ...] | None,
    known: tuple[str, ...],
) -> StoredTask:
    table = open_file(path)
    if table.checksum != checksum:
        raise FormatError(f"{path} was replaced since it was opened; open it again")
    task = table.task(name, isomorphs=isomorphs)
    return task if goals is None else task.chosen(goals, known)


class _TaskFile:
    """The arrays of one task in a file."""

    def __init__(
        self, table: HDF5Benchmark, task: str, columns: tuple[str, ...], seeds: int
    ) -> None:
        self.columns = columns
        self.seeds = seeds
        self._table = table
        self._task = task

    @property
    def choices(self) -> IntArray:
        return self._table.choices

    @property
    def goals(self) -> dict[str, Goal]:
        with self._table._opened() as file:
            group = file[f"tasks/{self._task}"]
            return {name: _goal(group[name]) for name in self.columns if name != VALIDATION}

    def read(self, column: str, budget: int) -> FloatArray:
        return self._table.read(self._task, column, budget)


def file_stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _goal(column: h5py.Dataset) -> Goal:
    return Goal(_text(column, "metric"), bool(column.attrs["maximise"]), _text(column, "unit"))


def _text(item: h5py.Group | h5py.Dataset, name: str) -> str:
    """An attribute; texts have a fixed length, so HDF5 gives them as bytes."""
    return bytes(item.attrs[name]).decode()


def _texts(item: h5py.Group | h5py.Dataset, name: str) -> tuple[str, ...]:
    return tuple(bytes(text).decode() for text in item.attrs[name])


def content_checksum(file: h5py.File) -> str:
    """Hash of all attributes but the checksum itself, and so of all crc32, of an open table."""
    digest = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key in sorted(item.attrs):
            if key != "checksum":
                value = np.asarray(item.attrs[key]).tolist()
                digest.update(f"{name}\n{key}\n{value!r}\n".encode())

    add("/", file)
    file.visititems(add)  # in alphabetical order
    return digest.hexdigest()
