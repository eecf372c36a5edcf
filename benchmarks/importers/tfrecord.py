"""TFRecord files and messages of protocol buffers, read without TensorFlow.

A TFRecord file is a sequence of records, little-endian:

    uint64 length, uint32 masked CRC of the length, the data, uint32 masked CRC of the data

The CRC is CRC-32C (Castagnoli), and ``masked = (crc >> 15 | crc << 17) + 0xa282ead8``; see
https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.importers.base import Listener
from surrogate_nas.errors import FormatError, InvalidArgumentError

BLOCK = 1 << 22
"""Bytes that are read and verified at once."""

_HEADER, _TRAILER = 12, 4
_POLYNOMIAL = np.uint32(
    0x82F63B78
)  # Castagnoli's polynomial, with its lowest power in the highest bit
_MASK = np.uint32(0xA282EAD8)
_LENGTH = struct.Struct("<Q")
_DOUBLE = struct.Struct("<d")

Message = dict[int, list[int | float | bytes]]


def read_records(path: Path, listener: Listener) -> Iterator[tuple[int, list[bytes]]]:
    """Read a file as a stream of blocks, and verify all of it.

    Yields:
        The number of a block's first record in the file, from 1, and the data of its records.

    Raises:
        InvalidArgumentError: If the file cannot be read.
        FormatError: If it is cut off, damaged, or no TFRecord file; the message names the position.
    """
    first, offset, rest = 1, 0, b""
    try:
        with open(path, "rb") as file:
            blocks = -(-path.stat().st_size // BLOCK)
            with listener.progress(f"reading {path.name}", blocks) as advance:
                while chunk := file.read(BLOCK):
                    data = rest + chunk
                    records, end = _split(data, path, first, offset)
                    yield first, records
                    first, offset, rest = first + len(records), offset + end, data[end:]
                    advance("")
    except OSError as error:
        raise InvalidArgumentError(f"cannot read the file {path}: {error.strerror}") from error
    if rest:
        raise FormatError(
            f"{path} is cut off in record {first:,}, which begins at byte {offset:,}; get it again"
        )


def _split(data: bytes, path: Path, first: int, offset: int) -> tuple[list[bytes], int]:
    """The complete records at the beginning of ``data``, and the position of their end."""
    starts, position = [], 0
    while position + _HEADER <= len(data):
        starts.append(position + _HEADER)
        position += _HEADER + _LENGTH.unpack_from(data, position)[0] + _TRAILER
    if not starts:
        return [], 0
    raw = np.frombuffer(data, dtype=np.uint8)
    begin = np.array(starts, dtype=np.int64)
    head = np.full(len(begin), _LENGTH.size, dtype=np.int64)

    def check(what: str, start: IntArray, length: IntArray) -> None:
        stored = raw[(start + length)[:, None] + np.arange(4)].view("<u4")[:, 0]
        right = _masked(checksums(raw, start, length)) == stored
        if not right.all():
            bad = int(np.argmin(right))
            raise FormatError(
                f"{path} is damaged or no TFRecord file: the {what} of record {first + bad:,}, "
                f"which begins at byte {offset + starts[bad] - _HEADER:,}, does not have its "
                "checksum; get it again"
            )

    check("length", begin - _HEADER, head)
    if position > len(data):  # the last record goes on in the next block
        position = starts.pop() - _HEADER
        begin = begin[:-1]
    ends = np.append(begin[1:] - _HEADER, position)[: len(begin)] - _TRAILER
    check("data", begin, ends - begin)
    return [data[s:e] for s, e in zip(starts, ends.tolist(), strict=True)], position


def _advanced(register: IntArray, bits: int) -> IntArray:
    """CRC registers, uint32 (n,), after ``bits`` further zero bits."""
    for _ in range(bits):
        register = (register >> 1) ^ (_POLYNOMIAL * (register & 1))
    return register


_TABLE = _advanced(np.arange(256, dtype=np.uint32), 8)


def checksums(data: NDArray[np.uint8], start: IntArray, length: IntArray) -> IntArray:
    """CRC-32C of n parts of ``data``, byte by byte in all of them at once: uint32 (n,).

    Args:
        data: The bytes.
        start: Where each part begins, int64 (n,).
        length: Its number of bytes, int64 (n,).
    """
    order = np.argsort(-length, kind="stable")
    begin, falling = start[order], -length[order]
    register = np.full(len(order), 0xFFFFFFFF, dtype=np.uint32)
    longer = np.searchsorted(falling, -np.arange(-falling.min(initial=0)))
    for step, parts in enumerate(longer.tolist()):  # the first parts have more bytes than `step`
        active = register[:parts]
        byte = data[begin[:parts] + step] ^ active.astype(np.uint8)
        active >>= 8
        active ^= _TABLE[byte]
    found = np.empty_like(register)
    found[order] = ~register
    return found


def _masked(crc: IntArray) -> IntArray:
    return ((crc >> 15) | (crc << 17)) + _MASK


def read_message(data: bytes) -> Message:
    """Read a message of protocol buffers, without knowing its type.

    See https://protobuf.dev/programming-guides/encoding. Fields of 64 bits are taken as doubles.

    Returns:
        The values of each field by its number, in their order: int for a varint, float for 64
        bits, bytes for a text or an inner message. Fields of 32 bits are skipped.

    Raises:
        FormatError: If it is no such message.
    """
    fields: Message = {}
    position, end = 0, len(data)
    try:
        while position < end:
            key, position = data[position], position + 1
            if key > 127:
                key, position = _varint(data, position - 1)
            number, kind = key >> 3, key & 7
            if kind == 1:
                value: int | float | bytes = _DOUBLE.unpack_from(data, position)[0]
                position += 8
            elif kind == 0:
                value, position = _varint(data, position)
            elif kind == 2:
                length, position = _varint(data, position)
                value = data[position : position + length]
                position += length
            elif kind == 5:
                position += 4
                continue
            else:
                raise FormatError(f"there is no wire type {kind} (byte {position} of the message)")
            if number in fields:
                fields[number].append(value)
            else:
                fields[number] = [value]
    except (IndexError, struct.error):
        position = end + 1
    if position > end:
        raise FormatError(f"the message is cut off behind its {end} bytes")
    return fields


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """An integer of 7 bits a byte, lowest first, and the position behind it."""
    byte = data[position]
    position += 1
    number, shift = byte & 127, 7
    while byte > 127:
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        shift += 7
    return number, position
