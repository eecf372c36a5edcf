"""Limits of a job in another process: its time, and its memory."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from surrogate_nas.errors import InvalidArgumentError

LOOK = 0.1
"""Seconds between two looks at the memory of a process."""

_GB = 1e9


class WorkerEnded(BrokenProcessPool):
    """The process of a job ended by itself before the job; the message says why."""


class LimitExceeded(BrokenProcessPool):
    """The process of a job was ended, as it took too much; the message says of what."""


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What a job may take; its process is ended beyond.

    Attributes:
        seconds: From the start of the job, without that of its process; None for any time.
        gigabytes: Resident memory of the process, 10^9 bytes each, looked at every 0.1 s; None for
            any. Only on Linux.
        isolated: Whether a job has a process of its own also without those, so that a crash, such
            as of a user's extension in C, ends the job alone.
    """

    seconds: float | None = None
    gigabytes: float | None = None
    isolated: bool = False

    def __post_init__(self) -> None:
        for name, number in (("trial_timeout", self.seconds), ("trial_memory", self.gigabytes)):
            if number is not None and not 0 < number < float("inf"):
                raise InvalidArgumentError(f"{name} must be a number above 0, got {number}")

    def __bool__(self) -> bool:
        """Whether a job needs a process of its own."""
        return self.are_watched or self.isolated

    @property
    def are_watched(self) -> bool:
        """Whether a process may take too much."""
        return self.seconds is not None or self.gigabytes is not None

    def exceeded(self, process: BaseProcess, started: float) -> str | None:
        """Why a process must be ended, or None; ``started`` is of `time.monotonic`."""
        if self.seconds is not None and time.monotonic() - started > self.seconds:
            return f"TimeoutError: it took more than {self.seconds:g} s, so its process was ended"
        if self.gigabytes is not None and resident(process.pid or 0) > self.gigabytes * _GB:
            return f"MemoryError: it took more than {self.gigabytes:g} GB, so its process was ended"
        return None


def resident(pid: int) -> int:
    """Bytes of memory that a process holds, 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def reason_of(process: BaseProcess | None) -> str:
    """Why a process ended by itself."""
    code = None
    if process is not None:
        process.join(1.0)
        for _ in range(100):  # while the pool collects it, only the pool sees its exit code
            code = process.exitcode
            if code is not None:
                break
            time.sleep(0.01)
    if code is None:
        how = "died"
    elif code < 0:
        how = f"was ended by {_signal(-code)}"
    else:
        how = f"ended with exit code {code}"
    perhaps = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
    return f"BrokenProcessPool: the process that evaluated it {how}{perhaps}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
