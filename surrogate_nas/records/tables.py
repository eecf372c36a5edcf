"""The answers of ``surrogate-nas benchmarks`` and ``surrogate-nas import``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from surrogate_nas.benchmarks.listing import Listing
from surrogate_nas.records.base import ABSENT, Absence, JsonRecord


@dataclass(frozen=True, slots=True)
class BenchmarksRecord(JsonRecord):
    """What can be searched.

    Attributes:
        benchmarks: Registered ones, installed tables, then published ones that are missing.
    """

    benchmarks: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class TableRecord(JsonRecord):
    """An installed table.

    Attributes:
        name: What ``--benchmark`` takes.
        path: The file.
        architectures: Number of rows.
        tasks: Names of the tasks.
    """

    name: str
    path: Path
    architectures: int
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportRecord(JsonRecord):
    """An import.

    Attributes:
        name: What ``--benchmark`` takes.
        path: The file.
        architectures: Number of rows.
        tasks: Names of the tasks.
        seconds: Duration.
        also: Further tables, where a file holds several; else there is no such key.
    """

    name: str
    path: Path
    architectures: int
    tasks: tuple[str, ...]
    seconds: float
    also: tuple[TableRecord, ...] | Literal[Absence.ABSENT] = ABSENT
