"""A MariaDB server of the tests' own, which MySQL's clients take for one of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port, identity, running, user

_USERS = ("mysql", "nobody")
_QUICK = (
    "--skip-grant-tables",  # no tables of users need to be made
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--max-connections=500",
)


def program() -> str | None:
    """The server that is installed, such as Debian's; or None."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def why_not() -> str | None:
    """Why no server can be started here, or None."""
    if program() is None:
        return "needs a MariaDB server, such as Debian's package mariadb-server-core"
    if os.geteuid() == 0 and user(*_USERS) is None:
        return "needs a user beside root, who may not run a MariaDB server"
    return None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server; its URL, without the name of a database."""
    start, port = program(), free_port()
    assert start is not None
    with tempfile.TemporaryDirectory(prefix="mysql-") as place:
        data = Path(place, "data")
        data.mkdir()
        owned = identity(user(*_USERS), place, str(data))
        words = [start, "--no-defaults", f"--datadir={data}", f"--tmpdir={place}", *_QUICK]
        words += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={place}/socket"]
        words += [f"--pid-file={place}/pid"]
        with running(words, port, signal.SIGKILL, **owned):  # nothing is kept
            yield f"mysql+pymysql://tester@127.0.0.1:{port}"


def create_database(url: str, name: str) -> str:
    """Make an empty database of a server, and return its URL."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE `{name}`"))
    engine.dispose()
    return f"{url}/{name}"
