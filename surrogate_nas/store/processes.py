"""Which process does something, and whether it is still there."""

from __future__ import annotations

import functools
import os
import socket
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

BEAT = 15.0
"""Seconds between two signs of life."""
PATIENCE = 90.0
"""Seconds without a sign of life after which a process on another machine counts as dead."""


def this_process() -> dict[str, Any]:
    """What names this process to others: JSON values, with a token of its own."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": _machine(),
        "started": _started(pid),
        "token": uuid.uuid4().hex,
    }


def shown(process: Mapping[str, Any]) -> str:
    """A process for people to read."""
    pid, host = process.get("pid", "?"), process.get("host", "an unknown host")
    return f"process {pid} on {host}, since {process.get('since', 'an unknown time')}"


def is_gone(process: Mapping[str, Any]) -> bool:
    """Whether a process ran on this machine and has ended; unknown elsewhere, hence False."""
    pid = process.get("pid")
    if process.get("machine") != _machine() or not isinstance(pid, int):
        return False
    started = _started(pid)
    if started is not None:
        return process.get("started") not in (None, started)
    return not _exists(pid)


@functools.cache
def _machine() -> str:
    """This machine until it is booted again, and the container whose process numbers these are."""
    host = socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{host} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return host


def _started(pid: int) -> str | None:
    """When a process was started, in ticks of the kernel; None where that is not known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may have spaces
    return None if fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    if Path("/proc/self/stat").exists() or os.name == "nt":
        return os.name == "nt"  # Windows tells nothing cheaply: a sign of life decides there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
