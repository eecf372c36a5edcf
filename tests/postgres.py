"""A PostgreSQL server of the tests' own, in a folder and on a port of the loopback interface."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port, identity, running, user

_USERS = ("postgres", "nobody")
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
    if os.geteuid() == 0 and user(*_USERS) is None:
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
        owned = identity(user(*_USERS), place, str(data))
        words = ["-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([folder / "initdb", *words], check=True, capture_output=True, **owned)
        port = free_port()
        settings = [word for name in _QUICK for word in ("-c", name)]
        start: list[str | Path] = [
            folder / "postgres",
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            *settings,
        ]
        with running(start, port, signal.SIGQUIT, **owned):  # at once: nothing is kept
            yield f"postgresql+psycopg://tester@127.0.0.1:{port}"


def create_database(url: str, name: str) -> str:
    """Make an empty database of a server, and return its URL."""
    import psycopg

    plain = url.replace("+psycopg", "")
    with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{url}/{name}"
