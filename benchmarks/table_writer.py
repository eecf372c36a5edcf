"""Tables in memory, and how they are written to files and read again."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.hdf5 import (
    DEFINED_VERSION,
    DEFINITION,
    DESCRIPTOR,
    FORMAT,
    FORMAT_VERSION,
    FOUND_BY,
    SURROGATE,
    TRAINING,
    HDF5Benchmark,
    content_checksum,
)
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION, ArraySource
from surrogate_nas.descriptors import checked_descriptor
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.files import cannot_write, write_bytes
from surrogate_nas.spaces.base import SearchSpace

_WORTH = 4_096  # bytes of an array that compression is tried on


@dataclass(frozen=True)
class TaskSpec:
    """One task of a table to be written.

    Attributes:
        name: The task's name.
        goal: Metric, direction and unit of ``values`` and ``test``.
        values: Validation metric in its own sign: (rows,), or (rows, seeds, budgets).
        test: Test metric, in one of the shapes of ``values``.
        metrics: Further metrics, each in one of the shapes of ``values``; seeds and budgets may
            be 1 where they make no difference.
        budgets: Epochs of the last axis, ascending.
        costs: Epochs that one evaluation at each budget costs; None if they are the budgets.
        training: How this program can repeat the trainings, as JSON values: ``dataset``,
            ``options`` (further arguments of `open_dataset`), ``data`` (the data set's
            fingerprint), ``epochs``, ``recipe``, ``settings``, ``network`` and ``seeds`` (the
            table holds the seeds from 0 on); None where it cannot.
        descriptor: Numbers by name that describe the task itself, such as the size of its data
            set. Where all tasks of a suite have them, sources count more whose numbers are nearer.
    """

    name: str
    goal: Goal
    values: FloatArray
    test: FloatArray | None = None
    metrics: Sequence[tuple[Goal, FloatArray]] = ()
    budgets: tuple[int, ...] = (1,)
    costs: tuple[float, ...] | None = None
    training: Mapping[str, Any] | None = None
    descriptor: Mapping[str, float] | None = None


@dataclass(frozen=True)
class TableSpec:
    """A table to be written.

    Attributes:
        name: Name of the benchmark.
        space: A registered space, or one of a TOML file, whose definition the table will hold.
        choices: int (rows, decisions), one row an encoding, in any order.
        tasks: The tasks, over the same rows; a task lacks a row where its value is NaN.
        source: Where the values come from.
        licence: Their licence.
        found_by: How each row was chosen: ``random``, or a searcher; None where that is unknown.
        surrogate: Arrays of a surrogate by name, see `surrogate_nas.benchmarks.surrogate`.
    """

    name: str
    space: SearchSpace
    choices: IntArray
    tasks: Sequence[TaskSpec] = field(default_factory=tuple)
    source: str = ""
    licence: str = ""
    found_by: Sequence[str] | None = None
    surrogate: Mapping[str, npt.NDArray[Any]] | None = None


def read_table(table: HDF5Benchmark) -> TableSpec:
    """The content of a table, to be written again with changes.

    Raises:
        FormatError: If its file is damaged.
    """
    return TableSpec(
        name=table.name,
        space=table.space,
        choices=table.choices,
        tasks=[_read_task(table, name) for name in table.tasks],
        source=table.source,
        licence=table.licence,
        found_by=table.found_by,
    )


def _read_task(table: HDF5Benchmark, name: str) -> TaskSpec:
    task, columns = table.task(name), table.columns(name)
    return TaskSpec(
        name=name,
        goal=task.goal,
        values=columns[VALIDATION][1],
        test=columns[TEST][1] if TEST in columns else None,
        metrics=[found for column, found in columns.items() if column.startswith(METRICS)],
        budgets=task.budgets,
        costs=task.costs,
        training=task.training,
        descriptor=task.descriptor,
    )


def write_table(path: str | os.PathLike[str], spec: TableSpec) -> None:
    """Write a table; an existing file is replaced when the new one is complete.

    Args:
        path: The file; its folder is made where it is missing.
        spec: The content.

    Raises:
        InvalidArgumentError: If shapes disagree, an encoding has two rows, a task has no value,
            or two tasks have one name.
        ArchitectureError: If an encoding is not part of the space.
        SurrogateNASError: If the file cannot be written.
    """
    path = Path(path)
    image = _image(spec)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, image)
    except OSError as error:
        size = f"{len(image) / 1e6:.1f} MB"
        raise cannot_write(f"{path} ({size})", error, "the table") from error


def _image(spec: TableSpec) -> bytes:
    """The bytes of the file.

    It is built in memory, as the library of HDF5 leaves a file half open if a disk is full.
    """
    names = [task.name for task in spec.tasks]
    if not names or len(set(names)) < len(names):
        raise InvalidArgumentError(f"a table needs tasks with different names, got {names}")
    choices = np.asarray(spec.choices)
    sources = [_source(spec.space, choices, task) for task in spec.tasks]
    order = np.argsort(spec.space.index(choices))
    # The layout of HDF5 1.10 has checksums over names, shapes and attributes.
    with h5py.File(
        "table", "w", driver="core", backing_store=False, libver=("v110", "v110")
    ) as file:
        _write_text(file, "format", FORMAT)
        definition = spec.space.definition
        file.attrs["format_version"] = FORMAT_VERSION if definition is None else DEFINED_VERSION
        _write_text(file, "name", spec.name)
        _write_text(file, "space", spec.space.name)
        _write_text(file, "tasks", names)
        file.attrs["architectures"] = len(choices)
        _write_text(file, "source", spec.source)
        _write_text(file, "licence", spec.licence)
        small = spec.surrogate is not None
        _write_checked(file, "encodings", choices[order].astype("<i2"), small=small)
        if definition is not None:  # may be too long for an attribute
            _write_checked(file, DEFINITION, np.frombuffer(definition.encode(), dtype=np.uint8))
        if spec.found_by is not None:
            kinds, numbers = np.unique(np.array(spec.found_by)[order], return_inverse=True)
            _write_checked(file, FOUND_BY, numbers.astype(np.uint8))
            _write_text(file[FOUND_BY], "names", kinds.tolist())
        for name, array in (spec.surrogate or {}).items():
            _write_checked(file, f"{SURROGATE}/{name}", np.ascontiguousarray(array), small=small)
        for task, source in zip(spec.tasks, sources, strict=True):
            group = file.create_group(f"tasks/{task.name}")
            group.attrs["budgets"] = np.array(task.budgets, dtype="<i8")
            group.attrs["costs"] = np.array(task.costs or task.budgets, dtype="<f8")
            group.attrs["seeds"] = source.seeds
            _write_text(group, "columns", source.columns)
            if task.training is not None:
                _write_text(group, TRAINING, json.dumps(task.training, sort_keys=True))
            if task.descriptor:
                _write_text(group, DESCRIPTOR, json.dumps(checked_descriptor(task.descriptor)))
            goals = {METRICS + goal.metric: goal for goal, _ in task.metrics}
            for column in source.columns:
                goal = goals.get(column, task.goal)
                _write_column(group, column, source.cube(column)[order], goal, small=small)
        _write_text(file, "checksum", content_checksum(file))
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _source(space: SearchSpace, choices: IntArray, task: TaskSpec) -> ArraySource:
    for name in (task.name, *(goal.metric for goal, _ in task.metrics)):
        if not name or "/" in name or name.startswith("."):
            raise InvalidArgumentError(
                f"names of tasks and metrics must not be empty, contain '/' or start with '.', "
                f"got {name!r}"
            )
    if task.costs is not None and len(task.costs) != len(task.budgets):
        raise InvalidArgumentError(
            f"costs must have one number for each of the {len(task.budgets)} budgets, "
            f"got {len(task.costs)}"
        )
    columns = {VALIDATION: task.values} | ({} if task.test is None else {TEST: task.test})
    columns |= {METRICS + goal.metric: array for goal, array in task.metrics}
    return ArraySource(space, choices, columns, task.budgets)


def _write_checked(
    file: h5py.File, name: str, array: npt.NDArray[Any], *, small: bool = False
) -> None:
    options = _compressed(array.shape) if small and array.nbytes > _WORTH else {}
    file.create_dataset(name, data=array, **options).attrs["crc32"] = zlib.crc32(array.data)


def _write_column(
    group: h5py.Group, column: str, cube: FloatArray, goal: Goal, *, small: bool
) -> None:
    planes = np.ascontiguousarray(cube.transpose(2, 0, 1), dtype="<f8")
    options = _compressed((1, *planes.shape[1:])) if small and planes.size else {}
    dataset = group.create_dataset(column, data=planes, **options)
    _write_text(dataset, "metric", goal.metric)
    dataset.attrs["maximise"] = goal.maximise
    _write_text(dataset, "unit", goal.unit)
    _write_text(dataset, "role", {VALIDATION: "goal", TEST: "test"}.get(column, "metric"))
    dataset.attrs["crc32"] = np.array([zlib.crc32(plane.data) for plane in planes], dtype="<u4")


def _compressed(chunk: tuple[int, ...]) -> dict[str, Any]:
    """Options of an array of a surrogate, whose size counts more than the speed of opening it."""
    return {"chunks": chunk, "compression": "gzip", "compression_opts": 9, "shuffle": True}


def _write_text(item: h5py.Group | h5py.Dataset, name: str, text: str | Sequence[str]) -> None:
    """Write an attribute of fixed length, as HDF5 has no checksums of texts of variable length."""
    raw = np.char.encode(np.array(text), "utf-8", "backslashreplace")
    length = max(raw.dtype.itemsize, 1)
    item.attrs.create(name, raw.astype(f"S{length}"), dtype=h5py.string_dtype("utf-8", length))
