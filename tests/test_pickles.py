import collections
import copyreg
import functools
import os
import pickle
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.errors import FormatError, UnsafePickleError
from surrogate_nas.pickles import load_pickle

PLAIN = {
    "text": "Zürich",
    3: (1, 2.5, None, True, 2**70, -1),
    (0, 1): [b"raw", {1, 2}, frozenset({3}), complex(1, -2)],
    "ordered": collections.OrderedDict(a=1, b=2),
}
NUMPY = [
    np.float64(1.5),
    np.float32(0.1),
    np.int64(-3),
    np.bool_(True),
    np.complex128(1 + 2j),
    np.str_("abc"),
    np.arange(12, dtype="<i2").reshape(3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(3, dtype=">f8"),
    np.array(["gcn", "gat"]),
    np.zeros((0, 5), dtype=np.uint8),
    np.array(7.0),
]


def load(content: bytes, tmp_path: Path) -> Any:
    path = tmp_path / "data.bench"
    path.write_bytes(content)
    return load_pickle(path)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_come_back(protocol: int, tmp_path: Path) -> None:
    loaded = load(pickle.dumps(PLAIN, protocol), tmp_path)
    assert loaded == PLAIN
    assert list(loaded["ordered"]) == ["a", "b"]


@pytest.mark.parametrize("module", ["numpy._core", "numpy.core"])
@pytest.mark.parametrize("protocol", range(2, 6))
def test_numpy_data_come_back(protocol: int, module: str, tmp_path: Path) -> None:
    for original in NUMPY:
        content = pickle.dumps([original, original], protocol)
        if protocol < 4:  # names are lines there, so their length may change
            content = content.replace(b"numpy._core", module.encode())
        loaded, again = load(content, tmp_path)
        assert np.asarray(loaded).dtype == pickle.loads(content)[0].dtype
        np.testing.assert_array_equal(loaded, original)
        np.testing.assert_array_equal(again, original)


class Evil:
    """Asks to be rebuilt by any call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


class EvilArray(np.ndarray[Any, Any]):
    pass


def _touch() -> None:
    Path(os.environ["EVIL_MARKER"]).touch()


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _stack_global(module: str, name: str) -> bytes:
    return b"\x80\x04" + _text(module) + _text(name) + b"\x93"


COMMAND = "touch $EVIL_MARKER"
CALL = b"(" + _text(COMMAND) + b"tR."
STATE = b"(" + _text("_function") + _text("changed") + b"d"
TOUCH = f"c{__name__}\n_touch\n".encode()

MALICIOUS = {
    "reduce": (pickle.dumps(Evil(os.system, COMMAND)), "system"),
    "inside a container": (pickle.dumps({1: [Evil(os.system, COMMAND)]}), "system"),
    "protocol 0": (pickle.dumps(Evil(os.system, COMMAND), 0), "system"),
    "partial": (pickle.dumps(Evil(functools.partial, os.system, COMMAND)), "functools.partial"),
    "global": (_global("os", "system") + CALL, "os.system"),
    "stack global": (_stack_global("os", "system") + CALL, "os.system"),
    "dotted": (_stack_global("numpy", "core.os.system") + CALL, "numpy.core.os.system"),
    "dotted builtins": (_stack_global("builtins", "set.__init__") + CALL, "builtins.set.__init__"),
    "getattr": (_global("builtins", "getattr") + b".", "builtins.getattr"),
    "python 2": (_global("__builtin__", "eval") + CALL, "__builtin__.eval"),
    "numpy gadget": (
        _global("numpy.testing._private.utils", "runstring") + CALL,
        "numpy.testing._private.utils.runstring",
    ),
    "numpy load": (_global("numpy", "load") + CALL, "numpy.load"),
    "inst": (b"(" + _text(COMMAND) + b"ios\nsystem\n.", "os.system"),
    "obj": (b"(" + _global("os", "system") + _text(COMMAND) + b"o.", "os.system"),
    "newobj": (TOUCH + b")\x81.", "_touch"),
    "extension code": (b"\x82\xf0)R.", "extension"),
    "persistent identifier": (b"Pevil\n.", "persistent"),
    "binary persistent identifier": (_text("evil") + b"Q.", "persistent"),
    "array of a subclass": (pickle.dumps(np.zeros(2).view(EvilArray)), "EvilArray"),
    "array of any class": (
        _global("numpy.core.multiarray", "_reconstruct")
        + _global("collections", "OrderedDict")
        + b"(K\x00tC\x01b\x87R.",
        "another class",
    ),
    "call of ndarray": (_global("numpy", "ndarray") + b"(K\x02tR.", "numpy.ndarray"),
    "object array": (pickle.dumps(np.array([1, "a"], dtype=object)), "'O8'"),
    "structured array": (pickle.dumps(np.zeros(2, dtype=[("a", "f8")])), "'V8'"),
    "object type by state": (
        _global("numpy", "dtype")
        + _text("f8")
        + b"\x85R(K\x03"
        + _text("<")
        + _text("O")
        + b"NNtb.",
        "not plain",
    ),
    "state of a function": (_global("numpy.core.multiarray", "scalar") + STATE + b"b.", "change"),
    "state of a type": (_global("collections", "OrderedDict") + STATE + b"b.", "change"),
    "encoding": (
        _global("_codecs", "encode") + b"(" + _text("6869") + _text("hex") + b"tR.",
        "encoding",
    ),
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that exists once anything of a pickle was executed."""
    path = tmp_path / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(path))
    copyreg.add_extension(__name__, "_touch", 0xF0)
    pickle.loads(b"\x82\xf0.")  # now the function lies in the cache of extension codes
    yield path
    copyreg.remove_extension(__name__, "_touch", 0xF0)


@pytest.mark.parametrize("kind", MALICIOUS)
def test_a_malicious_pickle_is_refused(kind: str, marker: Path, tmp_path: Path) -> None:
    content, named = MALICIOUS[kind]
    with pytest.raises(UnsafePickleError) as caught:
        load(content, tmp_path)
    assert named in str(caught.value)
    assert str(tmp_path / "data.bench") in str(caught.value)
    assert not marker.exists()


def test_the_malicious_pickles_would_work(marker: Path) -> None:
    for kind in ("reduce", "stack global", "extension code", "obj"):
        pickle.loads(MALICIOUS[kind][0])
        assert marker.exists(), kind
        marker.unlink()


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps([PLAIN, *NUMPY], 4)
    for length in range(0, len(content), 7):
        with pytest.raises(FormatError, match=r"data\.bench"):
            load(content[:length], tmp_path)


def test_damaged_bytes_raise_nothing_else(tmp_path: Path) -> None:
    rng = random.Random(0)
    content = pickle.dumps([PLAIN, *NUMPY], 2)
    refused = 0
    for _ in range(500):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        try:
            load(bytes(damaged), tmp_path)
        except FormatError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "content",
    [
        b"Nr\xff\xff\xff\x7f.",  # remember None at position 2**31 - 1
        b"Np999999999\n.",
        b"\x96" + struct.pack("<Q", 2**40) + b".",  # a bytearray of a terabyte
        b"\x8e" + struct.pack("<Q", 2**63) + b".",
        b"",
        b"garbage",
        b"N",
        b"." * 10,
    ],
)
def test_absurd_counts_take_no_memory(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not a whole pickle"):
        load(content, tmp_path)


def test_positions_within_a_large_file_are_allowed(tmp_path: Path) -> None:
    large = b"B" + struct.pack("<I", 2**24) + bytes(2**24)  # bytes, so that positions may be high
    for position, allowed in ((2**24 - 1, True), (2**24, True), (2**24 + 2**23, False)):
        content = b"\x80\x02" + large + b"r" + struct.pack("<I", position) + b"."
        if allowed:
            assert load(content, tmp_path) == bytes(2**24)
        else:
            with pytest.raises(FormatError, match="not a whole pickle"):
                load(content, tmp_path)


def test_what_is_no_file_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot read"):
        load_pickle(tmp_path / "absent")
    with pytest.raises(FormatError, match="cannot read"):
        load_pickle(tmp_path)
