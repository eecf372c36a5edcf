"""NAS-Bench-Macro: the JSON file of its authors.

``{"01201201": {"test_acc": [93.1, 92.9, 93.0], "mean_acc": 93.0, "std": 0.08, "params": 2030000,
"flops": 110000000}, …}``, see the README of xiusu/NAS-Bench-Macro.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import Imported, Listener, check_name, install
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import ArchitectureError, FormatError, InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nasbench_macro import NASBenchMacroSpace

_ACCURACY = Goal("accuracy", unit="%")
_METRICS = (Goal("parameters", maximise=False), Goal("flops", maximise=False))
_EPOCHS = 50  # the default of the authors' train.py
_ROUNDING = 0.01
_LARGEST = 30_000_000  # bytes
_MOST_SEEDS = 100


def import_nasbench_macro(
    source: str | os.PathLike[str], *, name: str, listener: Listener
) -> Imported:
    """Make an installed table of ``nas-bench-macro_cifar10.json``.

    One task, ``cifar10``, with the accuracy in % of each of the trainings, the seeds. The only
    accuracy is the best one on the test images over the epochs of a training. As in publications,
    a search optimises it. So there is no hidden test metric, and the result of a search is no
    estimate for new images. Encodings of one network share its values.

    Args:
        source: The file.
        name: Name of the table; one of the same name is replaced.
        listener: Hears about the progress.

    Raises:
        InvalidArgumentError: If the name breaks a rule, or the file cannot be read.
        FormatError: If the file is damaged or of another kind; then nothing is written.
    """
    check_name(name)
    path = Path(source)
    space = NASBenchMacroSpace()
    choices, accuracies, metrics = _read(space, path)
    task = TaskSpec(
        "cifar10",
        _ACCURACY,
        accuracies[:, :, None],
        metrics=list(zip(_METRICS, metrics.T, strict=True)),
        budgets=(_EPOCHS,),
    )
    listener.note(
        "NAS-Bench-Macro has test accuracy alone: a search sees it, and no other test remains"
    )
    if len(choices) < space.size:
        listener.note(f"{path.name} has {len(choices):,} of the {space.size:,} architectures")
    return install(TableSpec(name, space, choices, (task,), source=path.name, licence="Apache-2.0"))


def _read(space: NASBenchMacroSpace, path: Path) -> tuple[IntArray, FloatArray, FloatArray]:
    """Encodings (n, 8), accuracies (n, seeds), parameters and FLOPs (n, 2)."""
    try:
        if path.stat().st_size > _LARGEST:
            raise FormatError(
                f"{path} has more than {_LARGEST / 1e6:.0f} MB, and nas-bench-macro_cifar10.json "
                "about 1; get it again"
            )
        records = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidArgumentError(f"cannot read the file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is damaged or no JSON ({error}); get it again") from None
    if not isinstance(records, dict) or not records:
        raise FormatError(f"{path} is no file of NAS-Bench-Macro: it must be a JSON object")
    choices, accuracies, metrics = [], [], []
    for text, record in records.items():
        try:
            choices.append(space.parse(text).choices)
            seeds, sizes = _numbers(record)
        except (ArchitectureError, FormatError) as error:
            raise FormatError(
                f"{path} is no file of NAS-Bench-Macro: record {text!r}: {error}"
            ) from None
        accuracies.append(seeds)
        metrics.append(sizes)
    table = np.full((len(choices), max(map(len, accuracies))), np.nan)
    for row, seeds in zip(table, accuracies, strict=True):
        row[: len(seeds)] = seeds
    return np.array(choices), table, np.array(metrics)


def _numbers(record: Any) -> tuple[list[float], list[float]]:
    """Accuracies; parameters and FLOPs."""
    try:
        if len(record["test_acc"]) > _MOST_SEEDS:
            raise FormatError(f"test_acc must have at most {_MOST_SEEDS} numbers")
        seeds = [float(accuracy) for accuracy in record["test_acc"]]
        mean = float(record["mean_acc"])
        sizes = [float(record["params"]), float(record["flops"])]
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError):
        raise FormatError(
            "it must have test_acc, a list of numbers, and the numbers mean_acc, params and flops"
        ) from None
    if not seeds or not all(map(math.isfinite, [*seeds, *sizes])):
        raise FormatError("test_acc, params and flops must be finite numbers")
    if not abs(sum(seeds) / len(seeds) - mean) < _ROUNDING:
        raise FormatError(f"mean_acc, {mean}, must be the mean of test_acc, {seeds}")
    return seeds, sizes
