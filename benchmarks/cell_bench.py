"""The table that comes with the program: a whole space, trained by the program itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark

TASKS = ("digits", "mnist5k-14", "fashion-mnist-14", "watch")

_PATH = Path(__file__).with_name("cell-bench.h5")
_EPOCHS = {"digits": 3, "mnist5k-14": 5, "fashion-mnist-14": 5, "watch": 4, "cifar10-5k": 8}
_SMALL = ("digits", "watch")  # 64 pixels


class CellBench(HDF5Benchmark):
    """All 625 architectures of `dense-cell` on four small data sets, with learning curves.

    Each of its trainings can be repeated in a second. See ``docs/cell-bench.md``.
    """

    def __init__(self) -> None:
        super().__init__(_PATH)
        self.how_to_get = "it comes with surrogate-nas"


def training_of(task: str) -> Mapping[str, Any]:
    """How a task's architectures are trained, in the terms of `TaskSpec.training`.

    Args:
        task: One of `TASKS`, or ``cifar10-5k``, which is not part of the table.
    """
    return {
        "dataset": task,
        "epochs": _EPOCHS[task],
        "settings": {"channels": 8, "stem_stride": 1 if task in _SMALL else 2},
    }
