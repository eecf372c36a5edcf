"""Checksums of what the program writes; files of older versions have none, and are read as well."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_KEY = b',"crc32":'
_DIGITS = 10  # of every number of 32 bits, with leading spaces, so that the key has one position
_END = len(_KEY) + _DIGITS + 1
_FEW = 4  # bits; keys of other programs differ by more


def sealed(entry: Mapping[str, Any]) -> bytes:
    """A JSON object as a line, with the checksum of its bytes as the last key ``crc32``."""
    body = json.dumps(entry, separators=(",", ":")).encode()[:-1]
    return body + _KEY + b"%*d}\n" % (_DIGITS, zlib.crc32(body))


def unsealed(line: bytes) -> dict[str, Any]:
    """What `sealed` was given, or the JSON object of a line without a checksum.

    Raises:
        ValueError: If it does not have its checksum, or is no JSON object.
        RecursionError: If it is nested too deeply.
    """
    end = line[-_END - 1 :]
    if 0 < _different_bits(end[: len(_KEY)], _KEY) <= _FEW:  # a damaged key would hide a checksum
        raise ValueError("its checksum is damaged")
    if end.startswith(_KEY):
        body = line[: -_END - 1]
        if int(line[-_DIGITS - 2 : -2]) != zlib.crc32(body):
            raise ValueError("it does not have its checksum")
        line = body + b"}"
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found


def _different_bits(one: bytes, other: bytes) -> int:
    if len(one) != len(other):
        return 8 * len(other)
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def check_zip(path: str | os.PathLike[str] | IO[bytes]) -> None:
    """Compare a zip file, as of `torch.save` and `numpy.savez`, with the checksums in it.

    Raises:
        ValueError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error: If it is damaged.
    """
    with zipfile.ZipFile(path) as file:
        wrong = file.testzip()
    if wrong is not None:
        raise ValueError(f"its part {wrong} does not have its checksum")


def checksum_of(arrays: Mapping[str, npt.NDArray[Any]], *texts: str) -> str:
    """Checksum of arrays with their names, types and shapes, and of texts, in hexadecimal."""
    found = zlib.crc32(json.dumps(texts).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        head = json.dumps([name, array.dtype.str, array.shape])
        found = zlib.crc32(array.view(np.uint8).data if array.size else b"", found)
        found = zlib.crc32(head.encode(), found)
    return f"{found:08x}"
