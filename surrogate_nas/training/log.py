"""The append-only log of a table that is being built; nothing in it is lost by kill -9.

Each line is a JSON object: first the space, then each new machine, each new task with the settings
of its trainings, and every training. Each has a checksum, see `checksums.sealed`. A line is on the
disk before the next one begins. An incomplete last line is cut off.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Self

from filelock import FileLock, Timeout

from surrogate_nas.checksums import sealed, unsealed
from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.files import append, cut_torn_line
from surrogate_nas.training.record import Record
from surrogate_nas.training_settings import same_setting

Key = tuple[str, tuple[int, ...], int]
"""Task, choices and seed of a training."""

_KIND = "surrogate-nas build"
_VERSION = 1


class TrainingLog:
    """The finished trainings, kept by one process at a time; a context manager.

    Attributes:
        path: The file.
        done: The outcome of each training: its record, or the reason of a failure.
        machines: The machines of the trainings, see `Recorder.machine`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[Key, Record | str] = {}
        self.machines: list[dict[str, str]] = []
        self._space: str | None = None
        self._trainings: dict[str, Any] = {}
        self._lock = FileLock(f"{path}.flock", timeout=0)
        self._file: BinaryIO

    def __enter__(self) -> Self:
        """Lock the file, which is made if it is missing, and read it.

        Raises:
            InvalidArgumentError: If it cannot be written.
            SurrogateNASError: If another process works on it.
            FormatError: If it is damaged, or no such log.
        """
        try:
            with open(self._lock.lock_file, "ab"):  # filelock would wait where it may not write
                pass
            self._lock.acquire()
            self._file = open(self.path, "a+b", buffering=0)
        except Timeout as error:
            raise SurrogateNASError(
                f"another process is building this table (it holds {self._lock.lock_file}); wait "
                "for it, or choose another --out"
            ) from error
        except OSError as error:
            raise InvalidArgumentError(
                f"--out must be in a folder that exists and can be written, but {self.path} "
                f"cannot be opened: {error.strerror}"
            ) from error
        try:
            self._read()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close and unlock the file."""
        self._file.close()
        self._lock.release()

    @property
    def space(self) -> str | None:
        """Identity of the space; None if the log is new."""
        return self._space

    @property
    def trainings(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings of the trainings of each task."""
        return self._trainings

    def failures(self, reason: str | None = None) -> list[Key]:
        """The failed trainings in whose reasons a regular expression is found; None for all."""
        wanted = re.compile(reason or "")
        return [
            key for key, out in self.done.items() if isinstance(out, str) and wanted.search(out)
        ]

    def begin(
        self,
        space: str,
        trainings: Mapping[str, Mapping[str, Any]],
        accept: Collection[str] = (),
    ) -> None:
        """Write the space and the settings of trainings, unless the log has them.

        Args:
            space: The identity of the space.
            trainings: For each task the settings of its trainings, as JSON values.
            accept: Names of settings that may be others than before, which they then replace.

        Raises:
            InvalidArgumentError: If the log is of another space, or of other settings.
        """
        if not self.done:  # settings of a build that was ended before its first training
            self._file.truncate(0)
            self._space, self._trainings, self.machines = None, {}, []
        if self._space is None:
            self._write({"log": _KIND, "version": _VERSION, "space": space})
        elif self._space != space:
            self._refuse(f"the space {self._space!r}", f"{space!r}")
        for task, training in trainings.items():
            new, old = dict(training), self._trainings.get(task)
            if old is None:
                self._write({"task": task, "training": new})
            else:
                keys = sorted(new.keys() | old.keys())
                other = [key for key in keys if not same_setting(key, old.get(key), new.get(key))]
                for key in other:
                    if key not in accept:
                        self._refuse(f"{key}={old.get(key)!r} of {task}", f"{new.get(key)!r}")
                if other:
                    self._write({"task": task, "training": new})

    def add(self, key: Key, outcome: Record | str, machine: Mapping[str, str] | None) -> None:
        """Write a finished training and its machine; they are on the disk when this returns."""
        if machine is not None and dict(machine) not in self.machines:
            self._write({"machine": dict(machine)})
        task, choices, seed = key
        result = {"error": outcome} if isinstance(outcome, str) else {"record": _values(outcome)}
        self._write({"task": task, "choices": list(choices), "seed": seed, **result})

    def _refuse(self, there: str, asked: str) -> None:
        raise InvalidArgumentError(
            f"{self.path} holds trainings with {there}, and {asked} was asked for; ask for the "
            "same, or choose another --out"
        )

    def _write(self, line: dict[str, Any]) -> None:
        try:
            append(self._file, sealed(line))
        except OSError as error:
            raise SurrogateNASError(
                f"cannot write {self.path}: {error.strerror}; free some space, then the same "
                "command goes on"
            ) from error
        self._take(line)

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content) and not content.startswith(b'{"log"'[: len(content)]):
            raise FormatError(f"{self.path} is no log of trainings; choose another --out")
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                self._take(unsealed(line + b"\n"))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                raise FormatError(
                    f"line {number} of {self.path} is no line of a log of trainings ({error}); "
                    "choose another --out"
                ) from error
        removed = cut_torn_line(self._file)
        if removed:
            warnings.warn(
                f"{self.path}: the last line was torn (its writer was killed); "
                f"{removed} bytes were cut off, all trainings before are whole",
                stacklevel=3,
            )

    def _take(self, line: dict[str, Any]) -> None:
        if self._space is None:
            if (line["log"], line["version"]) != (_KIND, _VERSION):
                raise ValueError(f"it should be of {_KIND!r}, version {_VERSION}")
            self._space = line["space"]
        elif "machine" in line:
            self.machines.append(line["machine"])
        elif "training" in line:
            self._trainings[line["task"]] = line["training"]
        else:
            key = line["task"], tuple(line["choices"]), line["seed"]
            self.done[key] = line["error"] if "error" in line else _record(line["record"])


def _values(record: Record) -> dict[str, Any]:
    """What a line holds: without what has no value, so that older versions read it."""
    return {name: value for name, value in asdict(record).items() if value is not None}


def _record(values: Mapping[str, Any]) -> Record:
    arrays: dict[str, Any] = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
    return Record(**{**values, **arrays})
