"""The answer of ``surrogate-nas report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class ReportRecord(JsonRecord):
    """A page that was written.

    Attributes:
        kind: What it is about.
        path: The file.
        bytes: Its size.
        sections: Titles of its parts.
    """

    kind: Literal["search", "comparison", "table"]
    path: Path
    bytes: int
    sections: tuple[str, ...]
