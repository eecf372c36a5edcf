"""HW-NAS-Bench: latency and energy on six devices, added to a table of NAS-Bench-201."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.bounded import number_array
from surrogate_nas.benchmarks.table_writer import TaskSpec, read_table, write_table
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.pickles import load_pickle
from surrogate_nas.spaces.nasbench201 import NASBench201Space

_SPACE = NASBench201Space()
_UNITS = {"latency": "ms", "energy": "mJ"}
_MEASURED = {
    "edgegpu": ("latency", "energy"),
    "raspi4": ("latency",),
    "edgetpu": ("latency",),
    "pixel3": ("latency",),
    "eyeriss": ("latency", "energy"),
    "fpga": ("latency", "energy"),
}
METRICS = tuple(
    Goal(f"{device}_{what}", maximise=False, unit=_UNITS[what])
    for device, measured in _MEASURED.items()
    for what in measured
)
_DATASETS = {
    "cifar10": "cifar10",
    "cifar10-valid": "cifar10",  # the same networks and images, another split
    "cifar100": "cifar100",
    "ImageNet16-120": "ImageNet16-120",
}
"""The data set of the file by the task of a table."""

_CREDIT = "latency and energy from HW-NAS-Bench (Li et al., ICLR 2021)"


def import_hw_nas_bench(
    file: str | os.PathLike[str],
    *,
    into: str | os.PathLike[str],
    listener: Listener,
    dataset: str | None = None,
) -> Imported:
    """Add the metrics of HW-NAS-Bench to a table of NAS-Bench-201.

    Each task of the table that is one of the file's data sets (``cifar10``, ``cifar100``,
    ``ImageNet16-120``) gets latencies in ms on six devices and energies in mJ on three of them;
    metrics of the same name are replaced, the others are kept. Li et al., "HW-NAS-Bench:
    Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021.

    Args:
        file: The official ``HW-NAS-Bench-v1_0.pickle``.
        into: Name or path of the table.
        listener: Hears about the progress.
        dataset: The file's data set for all tasks whose names are none of these; None leaves such
            tasks as they are.

    Raises:
        InvalidArgumentError: If ``into`` is no table of NAS-Bench-201 with such a task.
        UnknownNameError: If there is no such table.
        FormatError: If the file is damaged or of another kind; then the table is unchanged.
    """
    table = open_benchmark(into)
    if not isinstance(table, HDF5Benchmark) or table.space.name != _SPACE.name:
        raise InvalidArgumentError(
            f"into must be a table over the space {_SPACE.name!r}, got {os.fspath(into)!r} over "
            f"{table.space.name!r}"
        )
    if dataset is not None and dataset not in _DATASETS.values():
        known = ", ".join(dict.fromkeys(_DATASETS.values()))
        raise InvalidArgumentError(f"dataset must be one of {known}, got {dataset!r}")
    chosen = {task: _DATASETS.get(task, dataset) for task in table.tasks}
    matching = {task: name for task, name in chosen.items() if name is not None}
    if not matching:
        raise InvalidArgumentError(
            f"into must be a table with one of the tasks {', '.join(_DATASETS)}, got "
            f"{os.fspath(into)!r} with {', '.join(table.tasks)}; or name the data set of all other "
            "tasks by --dataset"
        )
    measured = _read(Path(file))
    spec = read_table(table)
    index = _SPACE.index(spec.choices)
    tasks = [
        _extended(task, measured[matching[task.name]][index]) if task.name in matching else task
        for task in spec.tasks
    ]
    credits = [part for part in spec.source.split("; ") if part and part != _CREDIT]
    source = "; ".join([*credits, _CREDIT])
    write_table(table.path, replace(spec, tasks=tasks, source=source))
    if len(matching) < len(table.tasks):
        listener.note(f"metrics were added to the tasks {', '.join(matching)} only")
    return Imported(table.name, table.path, table.architectures, table.tasks)


def _extended(task: TaskSpec, values: FloatArray) -> TaskSpec:
    """A task with the metrics of its architectures (rows, metrics)."""
    new = {goal.metric for goal in METRICS}
    kept = [(goal, column) for goal, column in task.metrics if goal.metric not in new]
    return replace(task, metrics=[*kept, *zip(METRICS, values.T, strict=True)])


def _read(path: Path) -> dict[str, FloatArray]:
    """By data set the metrics of every cell by its number: (15625, metrics), NaN where missing."""
    data: Any = load_pickle(path)
    try:
        found = {}
        for dataset in dict.fromkeys(_DATASETS.values()):
            part = data["nasbench201"][dataset]
            index = _numbers([config["arch_str"] for config in part["config"]])
            values = [number_array(part[goal.metric]) for goal in METRICS]
            found[dataset] = np.full((_SPACE.encodings, len(METRICS)), np.nan)
            found[dataset][index] = np.stack(values, axis=-1).reshape(-1, len(METRICS))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(
            f"{path} is not HW-NAS-Bench-v1_0.pickle, or damaged ({error!r}); get it again from "
            "the repository GATECH-EIC/HW-NAS-Bench"
        ) from error
    return found


def _numbers(texts: list[str]) -> IntArray:
    """The number of each cell: (n,)."""
    choices, errors = _SPACE.parse_all(texts)
    if errors:
        raise next(iter(errors.values()))
    index = _SPACE.index(choices)
    if len(np.unique(index)) < len(index):
        raise ValueError("a cell is listed twice")
    return index
