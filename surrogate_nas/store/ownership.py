"""A stored search has one owner, or any number of processes that share it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from surrogate_nas.errors import StoreError
from surrogate_nas.store.journal import CheckedJournal
from surrogate_nas.store.processes import BEAT, PATIENCE, is_gone, shown, this_process
from surrogate_nas.store.public_database import PublicDatabase, database_of

Check = Callable[[], None]

_TRIES, _PAUSE = 20, 0.05  # of a lock; those who only look hold it for microseconds
_HOLDERS = "surrogate_nas:holders"  # attribute of a study in a database


@contextlib.contextmanager
def held(storage: BaseStorage, study_id: int, study: str, *, shared: bool) -> Iterator[Check]:
    """Keep others from a stored search as long as the context lasts.

    Beside a file this is a lock of the kernel, which ends with its process. In the database of a
    server it is an attribute of the study that is renewed every `BEAT` seconds; if its process
    dies on another machine it is free after `PATIENCE` seconds. Storages in memory have none.

    Args:
        storage: Where the study is.
        study_id: The study.
        study: Its name.
        shared: Whether any number of processes may hold it at once, all of them shared.

    Yields:
        What raises an error if another process holds it meanwhile, since this one gave no sign of
        life, for example because its machine was suspended.

    Raises:
        StoreError: If another process holds it; the message names the process.
    """
    path, database = _file_of(storage), database_of(storage)
    if path is not None:
        with _held_file(_lock_of(path, study), study, shared=shared):
            yield certain
    elif database is not None:
        with _held_study(database, study_id, study, shared=shared) as check:
            yield check
    else:
        yield certain


def certain() -> None:
    """A lock of the kernel cannot be lost."""


def check_free(storage: BaseStorage, study_id: int, study: str, *, shared: bool) -> None:
    """Refuse early what `held` would refuse.

    Raises:
        StoreError: See `held`.
    """
    path, database = _file_of(storage), database_of(storage)
    if path is not None:
        lock = _lock_of(path, study)
        if lock.exists():
            with _held_file(lock, study, shared=shared, told=False):
                pass
    elif database is not None:
        text = database.get_study_system_attrs(study_id).get(_HOLDERS)
        _refuse(_others(text, database.now(), ""), study, shared=shared)


def _file_of(storage: BaseStorage) -> Path | None:
    """The file of a journal or of SQLite."""
    database = database_of(storage)
    if database is not None:
        name = database.engine.url.database
        is_file = database.engine.name == "sqlite" and name not in (None, "", ":memory:")
        return Path(name or "") if is_file else None
    backend = getattr(storage, "_backend", None)
    if isinstance(backend, CheckedJournal):
        return backend.path
    name = getattr(backend, "_file_path", None)  # Optuna's own journal
    return None if name is None else Path(name)


def _message(study: str, others: list[Mapping[str, Any]], *, shared: bool) -> str:
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    who = shown(others[0]) + more
    if not shared and others[0].get("shared"):
        return f"study {study!r} is shared by {who}; to work on it, too, add --share (share=True)"
    if shared:
        return (
            f"study {study!r} belongs to {who}, which was started without --share; wait until it "
            "ends, or stop it and start it again with --share (share=True)"
        )
    return (
        f"study {study!r} belongs to {who}; for several processes start each with --share "
        "(share=True)"
    )


# Files ----------------------------------------------------------------------------------------


def _lock_of(path: Path, study: str) -> Path:
    digest = hashlib.sha256(study.encode()).hexdigest()[:8]
    return path.with_name(f"{path.name}.{digest}.owner")


@contextlib.contextmanager
def _held_file(lock: Path, study: str, *, shared: bool, told: bool = True) -> Iterator[None]:
    file = _locked(lock, study, shared=shared)
    try:
        if told:
            content = json.dumps({**this_process(), "shared": shared}).encode()
            os.ftruncate(file, 0)
            os.pwrite(file, content, 0)
        yield
    finally:
        if told and (not shared or _lock(file, shared=False)):
            with contextlib.suppress(OSError):
                lock.unlink()
        os.close(file)


def _locked(lock: Path, study: str, *, shared: bool) -> int:
    """A descriptor of the lock's file, which is locked and still has this name."""
    for _ in range(_TRIES):
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if _lock(file, shared=shared):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), os.stat(lock)):
                    return file
        os.close(file)
        time.sleep(_PAUSE)
    raise StoreError(_message(study, [_read(lock)], shared=shared))


def _read(lock: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(lock.read_bytes())
        if isinstance(found, dict):
            return found
    return {}


if os.name == "nt":

    def _lock(file: int, *, shared: bool) -> bool:
        """Lock a file; without shared locks, those who share do not keep others away."""
        import msvcrt

        if shared:
            return True
        with contextlib.suppress(OSError):
            os.lseek(file, 1 << 20, os.SEEK_SET)  # beyond what is read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        return False

else:

    def _lock(file: int, *, shared: bool) -> bool:
        """Lock a file if it is free."""
        import fcntl

        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            return True
        return False


# Databases ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _held_study(
    database: PublicDatabase, study_id: int, study: str, *, shared: bool, beat: float = BEAT
) -> Iterator[Check]:
    lost: list[StoreError] = []
    me = {**this_process(), "shared": shared}

    def renewed(text: Any, now: float) -> tuple[bool, Any]:
        others = _others(text, now, me["token"])
        _refuse(others, study, shared=shared)
        return True, [*others, {**me, "beat": now}]

    def left(text: Any, now: float) -> tuple[bool, Any]:
        return True, _others(text, now, me["token"])

    def renew() -> None:
        try:
            database.decide(study_id, _HOLDERS, renewed)
        except StoreError as error:
            lost.append(error)

    def check() -> None:
        if lost:
            raise StoreError(f"this process was away for too long: {lost[0]}")

    database.decide(study_id, _HOLDERS, renewed)
    with regularly(renew, beat):
        yield check
    with contextlib.suppress(Exception):  # it would end by itself
        database.decide(study_id, _HOLDERS, left)


def _others(text: Any, now: float, token: str) -> list[Mapping[str, Any]]:
    """Processes that hold a study, without the dead and that of a token."""
    found = [one for one in text if isinstance(one, dict)] if isinstance(text, list) else []
    return [
        one
        for one in found
        if one.get("token") != token
        and isinstance(one.get("beat"), int | float)
        and now - one["beat"] < PATIENCE
        and not is_gone(one)
    ]


def _refuse(others: list[Mapping[str, Any]], study: str, *, shared: bool) -> None:
    hindering = [one for one in others if not (shared and one.get("shared"))]
    if hindering:
        raise StoreError(_message(study, hindering, shared=shared))


@contextlib.contextmanager
def regularly(action: Callable[[], object], seconds: float) -> Iterator[None]:
    """Do something in a thread every few seconds; its failures do not end it."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            with contextlib.suppress(Exception):
                action()

    thread = threading.Thread(target=run, daemon=True, name="signs of life")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(seconds)
