"""TransNAS-Bench-101: seven vision tasks on a space of cells and on one of macro structures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas import registry
from surrogate_nas._types import FloatArray, OnStep
from surrogate_nas.benchmarks.importers.base import Imported, Listener, check_name, install
from surrogate_nas.benchmarks.importers.bounded import MOST_VALUES, number_array
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.benchmarks.torch_files import load_torch
from surrogate_nas.errors import FormatError
from surrogate_nas.evaluation import Goal

GOALS = {
    **dict.fromkeys(("class_scene", "class_object"), Goal("top1", unit="%")),
    "room_layout": Goal("neg_loss"),
    "jigsaw": Goal("top1", unit="%"),
    "segmentsemantic": Goal("mIoU", unit="%"),
    "normal": Goal("ssim"),
    "autoencoder": Goal("ssim"),
}
"""The metric that the paper's searches optimise, by task; recorded as ``valid_…``, ``test_…``."""

_PARTS = ("micro", "macro")
_PERCENT = ("top1", "top5", "acc", "mIoU")
_TIMES = ("time_elapsed", "inference_time")
_SHARE = 7  # bytes of memory for each byte of the file


def import_transnas(source: str | os.PathLike[str], *, name: str, listener: Listener) -> Imported:
    """Make installed tables of TransNAS-Bench-101, one for each of its spaces.

    Every recorded epoch is a budget. The goal of a task is the metric that the paper's searches
    optimise, see `GOALS`, on the validation data; on the test data it is hidden. All others are
    metrics under their official names: those of training and validation, the seconds since the
    training began (``time_elapsed``), ``inference_time`` in seconds, parameters and FLOPs.
    Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task
    Neural Architecture Search", CVPR 2021.

    Args:
        source: The official ``transnas-bench_v10141024.pth``.
        name: The tables are called ``name-micro`` and ``name-macro``; old ones are replaced.
        listener: Hears about the progress.

    Returns:
        The first table; the second one is in its ``also``.

    Raises:
        InvalidArgumentError: If the name breaks a rule.
        FormatError: If the file is damaged or of another kind; then nothing is written.
    """
    for part in _PARTS:
        check_name(f"{name}-{part}")
    path = Path(source)
    if path.is_file():
        needed = path.stat().st_size * _SHARE / 1e9
        listener.note(f"reading {path.name} takes about {max(needed, 0.1):.1f} GB of memory")
    data: Any = load_torch(path)
    try:
        parts = [part for part in _PARTS if part in data["data"]]
        if not parts:
            raise LookupError("neither micro nor macro")
        with listener.progress("reading tasks", len(parts) * len(data["task_list"])) as advance:
            specs = [_table(data, part, f"{name}-{part}", advance) for part in parts]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(
            f"{path} is not transnas-bench_v10141024.pth, or damaged ({error!r}); get it again "
            "from its publishers"
        ) from error
    del data  # frees memory, as writing needs as much again
    first, *others = map(install, specs)
    return replace(first, also=tuple(others))


def _table(data: Any, part: str, name: str, advance: OnStep) -> TableSpec:
    space = registry.load("space", f"transnas-{part}")()
    records = data["data"][part]
    choices, errors = space.parse_all(list(records))
    if errors:
        raise next(iter(errors.values()))
    tasks = []
    for task in data["task_list"]:
        tasks.append(_task(task, [record[task] for record in records.values()]))
        advance(f"{part} {task}")
    source = "TransNAS-Bench-101 (Duan et al., CVPR 2021)"
    return TableSpec(name, space, choices, tasks, source, licence="MIT")


def _task(name: str, records: Sequence[Mapping[str, Any]]) -> TaskSpec:
    """One task from the records of all architectures."""
    goal = GOALS[name]
    epochs = _epochs(records, f"valid_{goal.metric}")
    curves = {
        metric: _curves([record["metrics"][metric] for record in records], metric, epochs)
        for metric in records[0]["metrics"]
        if not metric.startswith("test_") or metric == f"test_{goal.metric}"
    }
    values, test = curves.pop(f"valid_{goal.metric}"), curves.pop(f"test_{goal.metric}")
    if np.isnan(values[:, :, -1]).all():
        raise ValueError(f"{name} has no value after {epochs} epochs")
    model = {
        info: np.array([_number(record["model_info"][info]) for record in records])
        for info in records[0]["model_info"]
    }
    metrics = [
        (_goal(metric), column)
        for metric, column in (curves | model).items()
        if not np.isnan(column).all()
    ]
    return TaskSpec(name, goal, values, test, metrics, budgets=tuple(range(1, epochs + 1)))


def _epochs(records: Sequence[Mapping[str, Any]], metric: str) -> int:
    """The most epochs of a training; at least one training must have recorded all of them."""
    claimed = [record["total_epochs"] for record in records]
    if not all(type(epochs) is int for epochs in claimed):
        raise TypeError("total_epochs must be a whole number")
    epochs: int = max(claimed)
    longest = max(len(record["metrics"][metric]) for record in records)
    if epochs > longest:
        raise ValueError(f"no {metric} has a value after {epochs} epochs, but {longest} at most")
    if epochs * len(records) > MOST_VALUES:
        raise ValueError(f"{epochs} epochs of {len(records)} architectures are too many")
    return epochs


def _curves(lists: Sequence[Sequence[Any]], metric: str, epochs: int) -> FloatArray:
    """A metric after each epoch, NaN behind the end of a shorter training: (rows, 1, epochs)."""
    values = np.full((len(lists), 1, epochs), np.nan)
    for row, curve in enumerate(lists):
        if metric == "time_elapsed":
            curve = [_number(time) for time in curve]
        values[row, 0, : len(curve)] = number_array(curve)
    return values


def _number(value: Any) -> float:
    """A number; a time may be written ``h:mm:ss``, and a missing number as an empty text."""
    if not isinstance(value, str):
        return float(value)
    seconds = 0.0
    for part in value.split(":"):
        seconds = 60 * seconds + float(part or "nan")
    return seconds


def _goal(metric: str) -> Goal:
    """Direction and unit of a metric, by its name."""
    kind = metric.split("_", 1)[-1]
    gain = kind in _PERCENT or kind in ("ssim", "neg_loss")
    unit = "%" if kind in _PERCENT else "s" if metric in _TIMES else ""
    return Goal(metric, maximise=gain, unit=unit)
