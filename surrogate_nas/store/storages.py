"""Opening Optuna storages: journal files that survive a kill, and databases."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, JournalStorage, get_storage

from surrogate_nas.errors import (
    InvalidArgumentError,
    MissingDependencyError,
    StoreError,
    SurrogateNASError,
)
from surrogate_nas.files import cut_torn_line
from surrogate_nas.files import reason as reason_of
from surrogate_nas.store.checks import unreadable
from surrogate_nas.store.journal import CheckedJournal, damaged

if TYPE_CHECKING:
    from surrogate_nas.store.public_database import PublicDatabase

_START = b'{"op_code":0'  # of every journal: its first entry makes a study
_TRIES = 10  # of opening a database while other processes make its tables
_DRIVERS = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
}
_DAMAGED = re.compile("malformed|not a database|no such column|disk I/O|disk is full|unsupported")
_PATIENCE = 60.0  # seconds; a lock is held for milliseconds, and freed when its process dies


def open_storage(url_or_path: str | os.PathLike[str], *, new: bool = True) -> BaseStorage:
    """Open a trial store.

    Args:
        url_or_path: A path of an Optuna journal file, or a URL of SQLAlchemy (contains ``://``).
        new: Whether a store that does not exist is made. If not, that is an error, and a journal
            may have any name.

    Raises:
        StoreError: If it cannot be opened, written, or is no trial store.
        MissingDependencyError: If the database's driver is not installed.
    """
    text = os.fspath(url_or_path)
    if "://" in text:
        return _open_database(text, new=new)
    if not new:
        _check_exists(Path(text), text)
    elif Path(text).suffix != ".journal":
        raise InvalidArgumentError(
            "a store must be a file that ends with .journal, or a URL of SQLAlchemy such as "
            f"sqlite:///run.db, got {text!r}"
        )
    return _open_journal(Path(text))


def _check_exists(path: Path, shown: str) -> None:
    if not path.is_file():
        raise InvalidArgumentError(f"there is no trial store {shown}")


# Journal files --------------------------------------------------------------------------------


class _JournalLock:
    """A lock that the kernel frees when its process ends, and repair of an incomplete last line.

    Optuna's own lock is a file that survives a killed process and costs the next one 30 s.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Not ".lock": that name is Optuna's own, and optuna-dashboard removes it after a while.
        self.file = f"{path}.flock"
        self._lock = FileLock(self.file, timeout=_PATIENCE)

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"another process has held the lock of {self._path} for {_PATIENCE:.0f} s"
            ) from error
        try:
            self._repair()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _repair(self) -> None:
        """Cut off an incomplete last line, left by a killed writer."""
        if not self._path.exists():
            return
        with open(self._path, "r+b") as file:
            removed = cut_torn_line(file)
        if not removed:
            return
        warnings.warn(
            f"{self._path}: the last line was torn (its writer was killed); {removed} bytes "
            "were cut off, all trials before are whole",
            stacklevel=2,
        )


def _open_journal(path: Path) -> BaseStorage:
    lock = _JournalLock(path)
    try:
        _check_journal(path, lock.file)
        with lock:
            pass
    except OSError as error:
        raise StoreError(
            f"cannot open the trial store {path}: {error.strerror or error}; "
            "choose a file in a folder that exists and can be written"
        ) from error
    _share_distributions()
    journal = CheckedJournal(path, lock)
    try:
        return JournalStorage(journal)
    except (OSError, StoreError):
        raise
    except Exception as error:  # a value of any other type can fail anywhere
        raise damaged(journal, path, error) from error


def _share_distributions() -> None:
    """Let equal distributions of a journal be one object: a third of the time and memory."""
    module = sys.modules[JournalStorage.__module__]
    read = getattr(module, "json_to_distribution", None)
    if read is not None and not hasattr(read, "cache_info"):
        vars(module)["json_to_distribution"] = functools.lru_cache(maxsize=10_000)(read)


def _check_journal(path: Path, lock: str) -> None:
    """Refuse files that are not journals or cannot be written, before anything is changed."""
    start = b""
    if path.exists():
        with open(path, "rb") as file:
            start = file.read(len(_START))
    if start != _START[: len(start)]:
        raise StoreError(f"{path} is no trial store (an Optuna journal); choose another file")
    for name in (path, lock):  # filelock would make folders, and wait where it may not write
        with open(name, "ab"):
            pass


# Databases ------------------------------------------------------------------------------------


def _open_database(url: str, *, new: bool) -> BaseStorage:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        read = make_url(url)
        shown = read.render_as_string(hide_password=True)
    except (ArgumentError, ValueError) as error:
        raise InvalidArgumentError(
            "a store must be a file (run.journal) or a URL of SQLAlchemy "
            "(sqlite:///run.db, postgresql://user@host/name)"
        ) from error
    if not new and read.get_backend_name() == "sqlite" and read.database:
        _check_exists(Path(read.database), shown)
    try:
        with quiet(), explained(shown):
            return get_storage(_made(url))
    except NoSuchModuleError as error:
        raise InvalidArgumentError(f"cannot open the trial store {shown}: {error}") from error
    except ImportError as error:
        named = getattr(error.__cause__ or error, "name", None) or "its package"
        raise MissingDependencyError(
            f"the trial store {shown} needs its database's driver, {named}: "
            f"pip install {_DRIVERS.get(named, named)}"
        ) from error


def _made(url: str) -> PublicDatabase:
    """Open the database, with its tables, which other processes may be making, too."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    kind = _database()
    for left in reversed(range(_TRIES)):
        try:
            return kind(url)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            create_engine(url).connect().close()  # else the reason is not another process
            if not left or _DAMAGED.search(str(error.__cause__ or error)):
                raise
            time.sleep(random.random() * 0.3 * (_TRIES - left))
    raise AssertionError


def _database() -> type[PublicDatabase]:
    """What writes trials in few statements, or else Optuna's own way, which is a public one."""
    from surrogate_nas.store.public_database import PublicDatabase

    try:
        from surrogate_nas.store.databases import Database, check_tables

        check_tables()
    except (ImportError, AttributeError) as error:
        warnings.warn(
            f"Optuna {optuna.__version__} keeps trials in another way than this version of "
            f"surrogate_nas knows ({error}); databases are slow, and two processes that start at "
            "the same moment may own one search: install another version of one of them",
            stacklevel=2,
        )
        return PublicDatabase
    return Database


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of the storage into one line."""
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    try:
        yield
    except (NoSuchModuleError, SurrogateNASError, ImportError):
        raise
    except OSError as error:
        raise StoreError(
            f"{what} cannot be written or read: {reason_of(error)}; what was there is kept"
        ) from error
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise StoreError(f"{what} cannot be used: {reason}") from error
    except Exception as error:  # a value of any other type can fail anywhere
        raise unreadable(what, error) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's log messages about each study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
