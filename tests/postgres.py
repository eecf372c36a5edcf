"""A PostgreSQL server of the tests' own, in a folder and on a port of the loopback interface."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_QUICK = ("fsync=off", "full_page_writes=off", "max_connections=500", "unix_socket_directories=")


def programs() -> Path | None:
    """The folder of the newest server that is installed, such as Debian's; or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return None if there is None else Path(there).resolve().parent


def why_not() -> str | None:
    """Why no server can be started here, or None."""
    if programs() is None:
        return "needs a PostgreSQL server, such as Debian's package postgresql"
    if os.geteuid() == 0 and _user() is None:
        return "needs a user beside root, who may not run a PostgreSQL server"
    return None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server; the URL of its first database, without its name."""
    folder = programs()
    assert folder is not None
    with tempfile.TemporaryDirectory(prefix="postgres-") as place:
        data = Path(place, "data")
        data.mkdir()
        identity = _identity(place, str(data))
        words = ["-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([folder / "initdb", *words], check=True, capture_output=True, **identity)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = [word for name in _QUICK for word in ("-c", name)]
        process = subprocess.Popen(
            [folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), *settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
            **identity,
        )
        try:
            _await(port, process)
            yield f"postgresql+psycopg://tester@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing is kept
            process.wait(30)


def create_database(url: str, name: str) -> str:
    """Make an empty database of a server, and return its URL."""
    import psycopg

    plain = url.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url}/{name}"


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _identity(*paths: str) -> dict[str, Any]:
    """Arguments of a process that runs as another user, who owns the paths, where this is root."""
    user = _user() if os.geteuid() == 0 else None
    if user is None:
        return {}
    for path in paths:
        os.chown(path, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)  # it accepts connections shortly before it answers
            return
        time.sleep(0.05)
    raise RuntimeError("the PostgreSQL server did not start")
