"""A journal file of Optuna whose lines carry checksums."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from surrogate_nas.checksums import sealed, unsealed
from surrogate_nas.errors import StoreError
from surrogate_nas.files import append

# Operations of Optuna's journals, which are part of their format.
CREATE_TRIAL, SET_STATE_VALUES, SET_INTERMEDIATE_VALUE, SET_USER_ATTR = 4, 6, 7, 8


class CheckedJournal(BaseJournalBackend):
    """Lines of JSON, each with the checksum of its bytes as the last key.

    Optuna and optuna-dashboard ignore the key. Lines without it are read as well: those of older
    versions and of other programs.
    """

    def __init__(self, path: str | os.PathLike[str], lock: AbstractContextManager[Any]) -> None:
        """Keep the journal ``path``, which exists, under a lock while it is written."""
        self.path = Path(path)
        self._lock = lock
        self._offsets = {0: 0}  # where some lines begin
        self._line = 0

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The entries from a number on, up to the last whole line."""
        number = max(known for known in self._offsets if known <= log_number_from)
        with open(self.path, "rb") as file:
            position = file.seek(self._offsets[number])
            for line in file:
                if not line.endswith(b"\n"):  # its writer is at work, or was killed
                    return
                position += len(line)
                number += 1
                if number > log_number_from:
                    self._line = number
                    yield unsealed(line)
                    self._offsets = {0: 0, number: position}

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries at once; they are on the disk when this returns."""
        content = b"".join(map(sealed, logs))
        with self._lock, open(self.path, "ab", buffering=0) as file:
            append(file, content)

    def place(self) -> str:
        """Where the entry that was read last stands, for a message."""
        entries: list[Any] = []
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    entries.append(json.loads(line))
                except (ValueError, RecursionError):
                    entries.append(None)
                if len(entries) == self._line:
                    break
        trial = _trial(entries)
        return f"line {self._line}" + ("" if trial is None else f", of trial {trial},")


def _trial(entries: Iterable[Any]) -> int | None:
    """The number, in its study, of the trial that the last entry makes or changes."""
    numbers: list[int] = []  # of all trials
    counts: dict[str, int] = {}
    last: int | None = None
    for entry in entries:
        last = None
        if not isinstance(entry, dict):
            continue
        if entry.get("op_code") == CREATE_TRIAL or "datetime_start" in entry:
            study = repr(entry.get("study_id"))
            last = counts.setdefault(study, 0)
            counts[study] += 1
            numbers.append(last)
        elif isinstance(entry.get("trial_id"), int) and entry["trial_id"] in range(len(numbers)):
            last = numbers[entry["trial_id"]]
    return last


def damaged(journal: CheckedJournal, path: Path, error: Exception) -> StoreError:
    """The error of a journal that cannot be read."""
    reason = " ".join(str(error).split())[:200] or "no such operation"
    return StoreError(
        f"the trial store {path} is damaged before its last line, or was written by another "
        f"program: {journal.place()} cannot be read ({type(error).__name__}: {reason}); choose "
        "another"
    )
