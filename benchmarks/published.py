"""Published tables: which file to get from where, and what reads it."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener


class TableReader(Protocol):
    """A function that makes an installed table of a published file or folder."""

    def __call__(
        self, source: str | os.PathLike[str], *, name: str, listener: Listener
    ) -> Imported:
        """Import it."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """A published benchmark that `surrogate-nas import` understands.

    Attributes:
        reader: ``module:function`` below `surrogate_nas.benchmarks.importers`; the function takes
            the source's path, and ``name`` and ``listener`` as keywords.
        space: Name of its space.
        tasks: Names of its tasks.
        architectures: Number of rows of the whole table.
        file: Which file or folder it is, for the help; empty where the data are a package's.
        origin: Who publishes it.
        word: The format of `surrogate-nas import` that reads it, where that has options of its
            own; then there is no ``reader`` here.
    """

    reader: str
    space: str
    tasks: tuple[str, ...]
    architectures: int
    file: str
    origin: str
    word: str = ""


_TRANSNAS = Published(
    reader="",
    space="transnas-micro",
    tasks=(
        "class_scene",
        "class_object",
        "room_layout",
        "jigsaw",
        "segmentsemantic",
        "normal",
        "autoencoder",
    ),
    architectures=4_096,
    file="transnas-bench_v10141024.pth",
    origin="the publishers of TransNAS-Bench-101 (repository yawen-d/TransNASBench)",
    word="transnas",
)
_IMAGES = ("cifar10", "cifar100", "ImageNet16-120")
_DRIFTS = (60, 3_600, 86_400, 2_592_000)  # seconds

PUBLISHED: dict[str, Published] = {
    "nasbench101": Published(
        reader="nasbench101:import_nasbench101",
        space="nasbench101",
        tasks=("cifar10",),
        architectures=423_624,
        file="nasbench_full.tfrecord (2 GB) or nasbench_only108.tfrecord (0.5 GB)",
        origin="https://storage.googleapis.com/nasbench (repository google-research/nasbench)",
    ),
    "nasbench-macro": Published(
        reader="nasbench_macro:import_nasbench_macro",
        space="nasbench-macro",
        tasks=("cifar10",),
        architectures=6_561,
        file="nas-bench-macro_cifar10.json",
        origin="the repository xiusu/NAS-Bench-Macro",
    ),
    "nasbench201": Published(
        reader="nasbench201:import_nasbench201",
        space="nasbench201",
        tasks=_IMAGES,
        architectures=15_625,
        file="NAS-Bench-201-v1_1-096897.pth or -v1_0-e61699.pth (much memory), or the folder of an "
        "archive with files like 000000-FULL.pth",
        origin="its publishers (repository D-X-Y/NAS-Bench-201)",
    ),
    "nats-tss": Published(
        reader="nats_bench:import_nats_tss",
        space="nasbench201",
        tasks=_IMAGES,
        architectures=15_625,
        file="the folder NATS-tss-v1_0-3ffb9-simple, or the file NATS-tss-v1_0-3ffb9.pickle.pbz2 "
        "(much memory)",
        origin="its publishers (repository D-X-Y/NATS-Bench)",
    ),
    "nats-sss": Published(
        reader="nats_bench:import_nats_sss",
        space="nats-size",
        tasks=_IMAGES,
        architectures=32_768,
        file="the folder NATS-sss-v1_0-50262-simple, or the file NATS-sss-v1_0-50262.pickle.pbz2 "
        "(much memory)",
        origin="its publishers (repository D-X-Y/NATS-Bench)",
    ),
    "transnas-micro": _TRANSNAS,
    "transnas-macro": replace(_TRANSNAS, space="transnas-macro", architectures=3_256),
    "analog": Published(
        reader="",
        space="nasbench201",
        tasks=(
            *("digital", "ptq", "qat", "noisy", "analog"),
            *(f"{task}_drift_{time}" for task in ("digital", "analog") for time in _DRIFTS),
        ),
        architectures=15_625,
        file="",
        origin="pip install analog-nasbench==0.1.3",
        word="analog",
    ),
}
"""By the default name of the table. It is also the FORMAT of ``surrogate-nas import``, unless
there is a ``word``."""


def how_to_get(name: str) -> str:
    """What to do to get the table."""
    found = PUBLISHED[name]
    command = f"surrogate-nas import {found.word or name}"
    if not found.file:
        return f"{found.origin}, then: {command}"
    return f"get {found.file} from {found.origin}, then: {command} SOURCE"


def reader(word: str) -> TableReader:
    """The function that reads a published file."""
    module, _, function = PUBLISHED[word].reader.partition(":")
    found: TableReader = getattr(
        importlib.import_module(f"surrogate_nas.benchmarks.importers.{module}"), function
    )
    return found
