"""Pickles that use parts again: honest ones pass, and none takes time without end."""

from __future__ import annotations

import pickle
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.pickle_sharing import Sharing, check_sharing
from surrogate_nas.pickles import load_pickle, parse_pickle

DEEP = 60


def load(content: bytes, folder: Path) -> Any:
    path = folder / "data.pickle"
    path.write_bytes(content)
    return load_pickle(path)


def chain(make: Callable[[Any], Any], start: Any = ()) -> Any:
    for _ in range(DEEP):
        start = make(start)
    return start


def keyed(inside: bytes) -> bytes:
    """A dictionary with a key that the opcodes ``inside`` leave on the stack."""
    return b"\x80\x04}" + inside + b"K\x01s."


def pairs(step: Callable[[int], bytes], protocol: int = 4) -> bytes:
    """Opcodes that make the next tuple of the last one, again and again."""
    content = keyed(b")" + b"".join(step(i) for i in range(DEEP)))
    return content.replace(b"\x80\x04", b"\x80" + bytes([protocol]), 1)


def put(i: int) -> bytes:
    return b"q" + bytes([i])


def get(i: int) -> bytes:
    return b"h" + bytes([i])


BOMBS = {
    "memoized": pairs(lambda i: b"\x94" + get(i) + b"\x86"),
    "put": pairs(lambda i: put(i) + get(i) + b"\x86", 2),
    "put in protocol 4": pairs(lambda i: put(i) + get(i) + b"\x86"),
    "memoized in protocol 2": pairs(lambda i: b"\x94" + get(i) + b"\x86", 2),
    "long positions": pairs(
        lambda i: b"r" + struct.pack("<I", i) + b"j" + struct.pack("<I", i) + b"\x86", 2
    ),
    "lines": pairs(lambda i: b"p%d\ng%d\n\x86" % (i, i), 2),
    "with a mark": b"\x80\x04}" + b"(" * DEEP + b")"
    + b"".join(b"\x94" + get(i) + b"t" for i in range(DEEP)) + b"K\x01s.",
    "duplicated": pairs(lambda i: b"2\x86"),
    "three": pairs(lambda i: b"\x94" + get(i) + get(i) + b"\x87"),
    "behind a change of nothing": pairs(lambda i: b"Nb\x94" + get(i) + b"\x86"),
    "behind what is thrown away": pairs(lambda i: b"N0\x94" + get(i) + b"\x86"),
    "remembered twice": pairs(lambda i: b"\x94\x94" + get(2 * i + 1) + b"\x86"),
    "with other numbers": keyed(
        b"]q\xc80)" + b"".join(b"\x94" + get(i + 1) + b"\x86" for i in range(DEEP))
    ),
    "behind a text": pairs(
        lambda i: b"\x8c\x02ab\x94" + b"0" + b"\x94" + get(2 * i + 1) + b"\x86"
    ),
    "behind a long text": pairs(
        lambda i: b"X" + struct.pack("<I", 30) + b"a" * 30 + b"\x940\x94" + get(2 * i + 1) + b"\x86"
    ),
    "frozen sets": b"\x80\x04}(\x91"
    + b"".join(b"\x94(h" + bytes([2 * i]) + b"(h" + bytes([2 * i]) + b"\x91\x94\x91"
               for i in range(DEEP)) + b"K\x01s.",
    "wide": keyed(
        b"(" + b")" * 2000 + b"t\x94"
        + b"(" + get(0) * 2000 + b"t\x94" + b"(" + get(1) * 2000 + b"t"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str, tmp_path: Path) -> None:
    began = time.process_time()
    with pytest.raises(FormatError, match="again and again"):
        load(BOMBS[name], tmp_path)
    assert time.process_time() - began < 5


def test_the_bomb_of_the_pickler_is_refused(tmp_path: Path) -> None:
    for protocol in range(6):
        key = chain(lambda last: (last, last))
        content = pickle.dumps([key], protocol)
        with pytest.raises(FormatError, match="again and again"):
            load(content, tmp_path)


def honest() -> list[Any]:
    pair = ("cifar10", 777)
    small = chain(lambda last: (last, 1))  # deep, and not wide
    return [
        {pair: 1, ("cifar100", 777): [pair, pair]},
        [pair] * 1000,
        [{pair: i} for i in range(1000)],
        small,
        [small, small],
        frozenset({1, 2}),
        [np.arange(3), np.float64(2.5), np.float32(1)] * 20,
        [np.dtype("<f4"), (1, (2, (3,)))],
        {i: {f"x-valid@{j}": float(j) for j in range(30)} for i in range(30)},
        [b"x" * 300, "y" * 300, ("z" * 300,)] * 3,
        (),
        [()] * 5,
    ]


@pytest.mark.parametrize("protocol", range(6))
def test_honest_pickles_pass(protocol: int) -> None:
    for data in honest():
        found = parse_pickle(pickle.dumps(data, protocol))
        if not any(isinstance(part, np.generic | np.ndarray | np.dtype) for part in data):
            assert found == data


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_only_what_uses_tuples_again_is_counted(protocol: int) -> None:
    """The counting is slow; the look at what may need it is exact for what picklers write."""
    pair = ("cifar10", 777)
    for data, expected in [
        ({(f"cifar{i % 3}", i): [float(i), f"text{i % 5}", np.float64(i)] for i in range(300)}, 0),
        ([np.arange(5.0), np.arange(5), {"a" * 40: b"b" * 300}], 0),
        ([pair, "text", pair], 1),
    ]:
        content = pickle.dumps(data, protocol)
        assert counted(content) == bool(expected), data


def counted(content: bytes) -> bool:
    from surrogate_nas import pickles

    found: list[Sharing] = []

    class Spy(Sharing):
        def __init__(self, content: bytes, place: int) -> None:
            super().__init__(content, place)
            found.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickles, "Sharing", Spy)
        pickles.end_of_pickle(content)
    return found[0].possible


def test_random_opcodes_never_hang(tmp_path: Path) -> None:
    """Programs of the opcodes that tuples need, drawn at random: read or refused, in no time."""
    pieces = [b"\x85", b"\x86", b"\x87", b"t", b"(", b"\x94", b"2", b"0", b")", b"]", b"}", b"N",
              b"K\x01", b"\x8c\x01a", b"s", b"a", b"b", b"\x91", b"u", b"e",
              *map(get, range(8)), *map(put, range(8))]  # fmt: skip
    rng = random.Random(0)
    passed = 0
    for _ in range(3000):
        body = b"".join(rng.choices(pieces, k=rng.randint(1, 40)))
        content = b"\x80" + bytes([rng.choice((2, 4))]) + body + b"."
        began = time.process_time()
        try:
            load(content, tmp_path)
            passed += 1
        except FormatError:
            pass
        assert time.process_time() - began < 1, content
    assert passed > 10


def test_counting_says_what_is_wrong() -> None:
    check_sharing(pickle.dumps(honest()[0]))
    with pytest.raises(ValueError, match="again and again"):
        check_sharing(BOMBS["memoized"])
