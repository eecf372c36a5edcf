"""The answer of ``surrogate-nas retry``."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class RetryRecord(JsonRecord):
    """Failed trials that were tried again.

    Attributes:
        store: The trial store, or the table.
        study: The search; null for a table.
        retried: Number of trials that were tried again.
        succeeded: How many of them replaced their failures.
        failed: How many failed again.
        errors: The reasons of those.
        seconds: Duration.
    """

    store: str
    study: str | None
    retried: int
    succeeded: int
    failed: int
    errors: tuple[str, ...]
    seconds: float
