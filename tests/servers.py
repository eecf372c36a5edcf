"""Database servers of the tests' own, in a folder and on a port of the loopback interface."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def user(*names: str) -> pwd.struct_passwd | None:
    """The first of these users that there is; such servers may not run as root."""
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def identity(owner: pwd.struct_passwd | None, *paths: str) -> dict[str, Any]:
    """Arguments of a process that runs as another user, who owns the paths, where this is root."""
    if owner is None or os.geteuid() != 0:
        return {}
    for path in paths:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(
    words: Sequence[str | Path], port: int, stop: signal.Signals, **options: Any
) -> Iterator[None]:
    """Run a server that listens on a port; it ends with this process, however that ends."""
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_end_with_parent,
        **options,
    )
    try:
        _await(port, process)
        yield
    finally:
        process.send_signal(stop)
        process.wait(30)


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)  # it accepts connections shortly before it answers
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server {process.args!r} did not start")
