"""Writes TFRecord files and messages of protocol buffers by their definitions, bit by bit."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

# The metrics of a training over 4 epochs in the published file, and what Google's reader of
# protocol buffers finds in it (google/protobuf 7.36).
PUBLISHED = (
    "Ci0JAAAAAAAAAAARAAAAAAAAAAAZAAAAoKqquT8hAAAAYJAGuT8pAAAAAGmQuT8KLQkAAAAAAAAAQBEAAADAdJNGQBkAAABg"
    "kAa6PyEAAAAg3/K6PykAAACAy7e6PwotCQAAAAAAABBAEQAAACDbeVZAGQAAAEAaZNY/IQAAAGBVVdY/KQAAAODybdY/EIqY"
    "igQZAABAhznbeUA="
)
PUBLISHED_EVALUATIONS = (
    (0.0, 0.0, 0.1002604141831398, 0.09775640815496445, 0.09985977411270142),
    (2.0, 45.152000427246094, 0.10166265815496445, 0.10526842623949051, 0.10436698794364929),
    (4.0, 89.90399932861328, 0.3498597741127014, 0.3489583432674408, 0.3504607379436493),
)
PUBLISHED_PARAMETERS, PUBLISHED_TIME = 8_555_530, 413.7015450000763


def crc32c(data: bytes) -> int:
    """Division by Castagnoli's polynomial, a bit at a time."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = crc >> 15 | crc << 17 & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) % 2**32)


def framed(record: bytes) -> bytes:
    """A record as it stands in a TFRecord file."""
    length = struct.pack("<Q", len(record))
    return length + _masked(length) + record + _masked(record)


def write(path: Path, records: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(map(framed, records)))
    return path


def varint(number: int) -> bytes:
    more, low = number >> 7, number & 127
    return bytes([low | 128]) + varint(more) if more else bytes([low])


def text(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def metrics(
    evaluations: Sequence[Sequence[float]], parameters: int, *, checkpoint: bytes = b""
) -> bytes:
    """A ModelMetrics: evaluations of epoch, seconds, and train, validation, test accuracy."""
    parts = []
    for values in evaluations:
        inner = b"".join(double(field, value) for field, value in enumerate(values, 1))
        parts.append(text(1, inner + (text(6, checkpoint) if checkpoint else b"")))
    return b"".join(parts) + varint(2 << 3) + varint(parameters) + double(3, 1234.5)


def record(
    module_hash: str, epochs: int, matrix: Sequence[Sequence[int]], ops: Sequence[str], data: bytes
) -> bytes:
    """A record of NAS-Bench-101."""
    adjacency = "".join(str(bit) for row in matrix for bit in row)
    encoded = base64.b64encode(data).decode()
    return json.dumps([module_hash, epochs, adjacency, ",".join(ops), encoded]).encode()
