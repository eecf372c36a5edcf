"""TFRecord files and protocol buffers against published bytes and a writer of the tests' own."""

import base64
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.importers import tfrecord
from surrogate_nas.benchmarks.importers.base import Listener
from surrogate_nas.benchmarks.importers.tfrecord import checksums, read_message, read_records
from surrogate_nas.errors import FormatError, InvalidArgumentError
from tests.benchmarks import tfrecords

RECORDS = [b"a record", b"", bytes(17), b"\xff\x00\x80", b"last"]


class Steps(Listener):
    """Counts the steps of the progress."""

    def __init__(self) -> None:
        self.total = self.done = 0

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[str], None]]:
        self.total = total

        def advance(text: str) -> None:
            self.done += 1

        yield advance


def read(path: Path) -> list[bytes]:
    return [record for _, records in read_records(path, Listener()) for record in records]


@pytest.mark.parametrize(
    ("data", "crc"),
    [  # RFC 3720, B.4; the first is the customary check value
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, crc: int) -> None:
    raw = np.frombuffer(b"?" + data + b"?", dtype=np.uint8)
    assert checksums(raw, np.array([1]), np.array([len(data)])).tolist() == [crc]
    assert tfrecords.crc32c(data) == crc


def test_checksums_of_many_parts_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(256, size=2_000, dtype=np.uint8)
    length = rng.integers(40, size=60)
    start = rng.integers(1_900, size=60)
    expected = [
        tfrecords.crc32c(data[s : s + n].tobytes()) for s, n in zip(start, length, strict=True)
    ]
    assert checksums(data, start, length).tolist() == expected


def test_a_record_begins_as_in_every_file_of_tensorboard() -> None:
    known = bytes.fromhex("18 00 00 00 00 00 00 00 a3 7f 4b 22")  # the length 24
    assert tfrecords.framed(bytes(24)).startswith(known)


@pytest.mark.parametrize("block", [1, 13, 40, 1 << 20])
def test_records_are_read_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(tfrecord, "BLOCK", block)
    path = tfrecords.write(tmp_path / "x.tfrecord", RECORDS)
    steps = Steps()
    blocks = list(read_records(path, steps))
    assert [record for _, records in blocks for record in records] == RECORDS
    number = 1
    for first, records in blocks:
        assert first == number
        number += len(records)
    assert steps.done == steps.total == -(-path.stat().st_size // block)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tfrecords.write(tmp_path / "x.tfrecord", RECORDS)
    whole = path.read_bytes()
    ends = np.cumsum([0] + [len(record) + 16 for record in RECORDS]).tolist()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size in ends:  # no file of this format says how many records it has
            assert read(path) == RECORDS[: ends.index(size)]
            continue
        place = max(end for end in ends if end < size)
        wanted = rf"x\.tfrecord is cut off in record {ends.index(place) + 1}, .* byte {place};"
        with pytest.raises(FormatError, match=wanted):
            read(path)


@pytest.mark.parametrize("block", [50, 1 << 20])
def test_a_changed_byte_anywhere_is_noticed_and_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(tfrecord, "BLOCK", block)
    path = tfrecords.write(tmp_path / "x.tfrecord", RECORDS)
    whole = bytearray(path.read_bytes())
    begins = np.cumsum([0] + [len(record) + 16 for record in RECORDS])
    for place in range(len(whole)):
        whole[place] ^= 0x10
        path.write_bytes(whole)
        whole[place] ^= 0x10
        record = int(np.searchsorted(begins, place, side="right"))
        part = "length" if place - begins[record - 1] < 12 else "data"
        wanted = rf"x\.tfrecord .*{part} of record {record}, .* byte {begins[record - 1]},"
        with pytest.raises(FormatError, match=wanted):
            read(path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.tfrecord", tmp_path):
        with pytest.raises(InvalidArgumentError, match=path.name):
            read(path)


def test_the_examples_of_the_encoding() -> None:
    # From the guide to the encoding of protocol buffers.
    assert read_message(bytes.fromhex("089601")) == {1: [150]}
    assert read_message(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}
    assert read_message(bytes.fromhex("1a03089601")) == {3: [bytes.fromhex("089601")]}
    assert read_message(b"") == {}


def test_a_published_message() -> None:
    found = read_message(base64.b64decode(tfrecords.PUBLISHED))
    assert found.keys() == {1, 2, 3}
    assert found[2] == [tfrecords.PUBLISHED_PARAMETERS]
    assert found[3] == [tfrecords.PUBLISHED_TIME]
    for inner, expected in zip(found[1], tfrecords.PUBLISHED_EVALUATIONS, strict=True):
        assert isinstance(inner, bytes)
        assert read_message(inner) == {i: [value] for i, value in enumerate(expected, 1)}


def test_large_fields_and_numbers_and_what_is_passed_over() -> None:
    message = (
        tfrecords.varint(1_000 << 3)
        + tfrecords.varint(2**31 - 1)
        + tfrecords.varint(7 << 3 | 5)
        + struct.pack("<f", 1.5)
        + tfrecords.text(200, b"x" * 300)
        + tfrecords.double(3, -0.5)
    )
    assert read_message(message) == {1_000: [2**31 - 1], 200: [b"x" * 300], 3: [-0.5]}


def test_no_message_is_read_beyond_its_end() -> None:
    for message in (
        tfrecords.double(3, 1.0),
        tfrecords.text(6, b"name"),
        tfrecords.varint(2 << 3) + tfrecords.varint(300),
        tfrecords.varint(7 << 3 | 5) + bytes(4),
    ):
        for size in range(1, len(message)):
            with pytest.raises(FormatError, match=f"cut off behind its {size} bytes"):
                read_message(message[:size])
    with pytest.raises(FormatError, match="no wire type 3"):
        read_message(b"\x0b")
