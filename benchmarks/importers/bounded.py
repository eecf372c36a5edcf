"""Reads text files, compressed or not, up to a limit of size."""

from __future__ import annotations

import bz2
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError, InvalidArgumentError

MAX_SIZE = 1 << 28
"""Bytes of text that are read unless another limit is given: 256 MiB."""

MOST_VALUES = 50_000_000
"""Most numbers of a column of a table, over architectures, seeds and budgets."""

_BLOCK = 1 << 22
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([KMGT]?)B?", re.IGNORECASE)


def number_array(numbers: Sequence[Any] | FloatArray | IntArray) -> FloatArray:
    """Numbers of a file as an array (n,), NaN for None.

    Each is converted alone: `numpy.array` may not end on lists that share lists.

    Raises:
        TypeError, ValueError, OverflowError: If one is no number.
    """
    try:
        return np.fromiter(numbers, np.float64, len(numbers))
    except TypeError:
        known = [np.nan if number is None else number for number in numbers]
        return np.fromiter(known, np.float64, len(known))


def read_size(text: str) -> int:
    """Bytes from a text like ``2GB``, ``300 MB`` or ``1000000``.

    Raises:
        InvalidArgumentError: If it is of another form, or zero.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise InvalidArgumentError(
            f"a size must be a number of bytes above 0, or one like 300MB or 2GB, got {text!r}"
        )
    return size


def shown(size: int) -> str:
    """A number of bytes in a readable form."""
    return f"{size / 1e6:,.0f} MB" if size >= 10**6 else f"{size:,} bytes"


def too_large(path: Path, limit: int, what: str = "text") -> FormatError:
    """The error for a file with more than the limit."""
    return FormatError(
        f"{path} holds more than {shown(limit)} of {what}; if that is right, raise the limit, "
        f"for example with --max-size {max(2 * limit // 10**6, 1)}MB"
    )


def read_bounded(path: Path, start: bytes, limit: int) -> bytes:
    """The content of a file, decompressed if it is gzip or bzip2.

    Args:
        path: The file.
        start: Its first bytes, which tell how it is compressed.
        limit: Most bytes.

    Raises:
        FormatError: If there are more; no more than these are held in memory.
        OSError, EOFError, zlib.error: If it cannot be read, or is damaged.
    """
    with _opened(path, start) as file:
        blocks, size = [], 0
        while block := file.read(_BLOCK):
            size += len(block)
            if size > limit:
                raise too_large(path, limit)
            blocks.append(block)
    return b"".join(blocks)


def unpack_bzip2(path: Path, times: int) -> bytes:
    """The content of a file that is compressed by bzip2.

    Raises:
        ValueError: If it is larger than a few MB and than ``times`` the size of the file.
        OSError, EOFError: If it cannot be read, or is damaged.
    """
    limit = max(_BLOCK, times * path.stat().st_size)
    with bz2.open(path) as file:
        blocks, size = [], 0
        while block := file.read(_BLOCK):
            size += len(block)
            if size > limit:
                raise ValueError(
                    f"its {shown(path.stat().st_size)} hold more than {shown(limit)}, as no "
                    "ordinary file does"
                )
            blocks.append(block)
    return b"".join(blocks)


def _opened(path: Path, start: bytes) -> gzip.GzipFile | bz2.BZ2File | io.BufferedReader:
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if start.startswith(b"BZh"):
        return bz2.open(path)
    return open(path, "rb")
