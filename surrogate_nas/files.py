"""Files that are written whole or not at all, and logs whose last line may be torn."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from surrogate_nas.errors import SurrogateNASError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the system's errors that more space would repair."""

_BLOCK = 4096


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a new file beside ``path``, which becomes ``path`` once it is whole and on the disk.

    What was there before stays until then; where the body raises, it stays for good, and the new
    file is removed. A symbolic link is followed. The new file has the permissions that any new
    file has.

    Yields:
        A path in the same folder, ending in ``.part``, for the body to write.

    Raises:
        OSError: If the system refuses; see `cannot_write` for its message.
    """
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Like `replacing`, for a body that writes to a file object."""
    with replacing(path) as part, open(part, "xb") as file:
        yield file


def write_bytes(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write a file, whole or not at all; see `replacing`."""
    with writing(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file in UTF-8, line ends as they are; see `replacing`."""
    write_bytes(path, text.encode())


def reason(error: OSError) -> str:
    """The system's reason for an error, without its number and path."""
    return error.strerror or str(error)


def cannot_write(path: str | os.PathLike[str], error: OSError, what: str = "") -> SurrogateNASError:
    """The error of a file that the system refused to write.

    Args:
        path: The file.
        error: The system's.
        what: Kind of the file, written before its path: ``"the table"``.
    """
    repair = "free some space" if error.errno in FULL else "choose a folder that can be written"
    name = f"{what} {os.fspath(path)}".lstrip()
    return SurrogateNASError(f"cannot write {name}: {reason(error)}; {repair}")


def try_to_write(folder: str | os.PathLike[str]) -> None:
    """Raise `OSError` if no file can be made in a folder."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def append(file: BinaryIO, content: bytes) -> None:
    """Add to the end of a file; all of it is on the disk when this returns, or nothing is added.

    Args:
        file: Open for writing, without a buffer: one would try again when it is closed.
        content: The bytes.

    Raises:
        OSError: If the system refuses, for example on a full disk.
    """
    end = file.seek(0, os.SEEK_END)
    left = memoryview(content)
    try:
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise


def cut_torn_line(file: BinaryIO) -> int:
    """Remove an incomplete last line, left by a killed writer; return the number of bytes removed.

    Args:
        file: Open for reading and writing. Its position is at the end afterwards.
    """
    size = whole = file.seek(0, os.SEEK_END)
    while whole > 0:
        start = max(0, whole - _BLOCK)
        file.seek(start)
        newline = file.read(whole - start).rfind(b"\n")
        whole = start + newline + 1
        if newline >= 0:
            break
    if whole < size:
        file.truncate(whole)
        file.flush()
        os.fsync(file.fileno())
    file.seek(whole)
    return size - whole
