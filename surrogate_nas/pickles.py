"""Reads pickles of published benchmarks without executing anything in them."""

from __future__ import annotations

import functools
import io
import os
import pickle
import pickletools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas.errors import FormatError, UnsafePickleError
from surrogate_nas.pickle_sharing import Sharing, check_sharing

_DTYPE = re.compile(r"[<>=|]?(?:\?|b1|[iu][1248]|f[248]|c8|c16|[SU][0-9]{1,6})")


def load_pickle(path: str | os.PathLike[str]) -> Any:
    """Read a pickle of plain containers, numbers, texts, numpy scalars and numpy arrays.

    A pickle may name any function of any module and call it. Here the few names that such data
    need are mapped to functions that check their arguments. All other names are refused, as are
    extension codes, persistent identifiers and attributes.

    Args:
        path: The file.

    Raises:
        UnsafePickleError: If the pickle asks for anything else; nothing of it was executed.
        FormatError: If the file is cut off, is no pickle, or cannot be read.
    """
    with naming(path):
        return parse_pickle(Path(path).read_bytes())


@contextmanager
def naming(path: str | os.PathLike[str], kind: str = "pickle file") -> Iterator[None]:
    """Turn any error about the content of a file into one that names the file.

    Args:
        path: The file.
        kind: What it should be.

    Raises:
        UnsafePickleError: If a pickle asked for what is not allowed.
        FormatError: If anything else went wrong.
    """
    try:
        yield
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{path} was not loaded: {error}") from None
    except MemoryError:
        raise FormatError(f"{path} needs more memory than there is") from None
    except Exception as error:  # damaged bytes can fail anywhere: as a wrong type, index, size, ...
        if isinstance(error, OSError) and error.errno is not None:
            raise FormatError(f"cannot read {path}: {error.strerror}") from error
        raise FormatError(
            f"{path} is not a whole {kind} ({type(error).__name__}: {error}); "
            "obtain it again from its source"
        ) from error


def parse_pickle(content: bytes) -> Any:
    """Read a pickle that is in memory; to be used inside `naming`.

    Raises:
        UnsafePickleError: If the pickle asks for anything that is not allowed.
        Exception: Of any kind, if it is damaged.
    """
    end_of_pickle(content)
    return SafeUnpickler(reading(content), encoding="latin1").load()


def reading(content: bytes) -> io.BufferedReader:
    """Bytes as a file that an unpickler reads in large pieces, without a call for each opcode."""
    return io.BufferedReader(io.BytesIO(content), 1 << 20)


_COUNTS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of an argument's length prefix, by the code that pickletools has for it."""

_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}


_SHORT = 24  # lengths of texts


@functools.cache
def _harmless_run(high: int) -> re.Pattern[bytes]:
    """Matches opcodes that need no check; memo positions may reach ``high << 24``."""
    careful = pickle.STOP + pickle.LONG_BINPUT + pickle.EXT1 + pickle.EXT2 + pickle.EXT4
    by_size: dict[int, bytes] = {}
    for code, opcode in _OPCODES.items():
        size = 0 if opcode.arg is None else opcode.arg.n
        if size >= 0 and code not in careful:
            by_size[size] = by_size.get(size, b"") + re.escape(bytes([code]))
    kinds = [b"[%b].{%d}" % (codes, size) for size, codes in by_size.items()]
    # The data of one number, a low memo position, short texts: nearly all of a table.
    kinds += [rb"C\x08.{8}", rb"r..[\x00-\x3f]\x00"]
    if high:
        kinds += [rb"r...[\x00-\x%02x]" % min(high - 1, 255)]
    for text, zeros in ((b"\x8c", 0), (b"X", 3)):
        sizes = [rb"\x%02x\x00{%d}.{%d}" % (size, zeros, size) for size in range(_SHORT)]
        kinds += [b"%b(?:%b)" % (text, b"|".join(sizes))]
    return re.compile(b"(?s)(?:" + b"|".join(kinds) + b")*+")


def end_of_pickle(content: bytes, start: int = 0) -> int:
    """The position after a pickle that begins at ``start``; its opcodes are not executed.

    Refused is what the unpickler below would not check: extension codes, which it looks up in a
    cache of this process; positions and counts beyond the end of the file, which would take any
    amount of memory; and nested tuples that would take any amount of time.
    """
    harmless = _harmless_run(len(content) >> 24)
    position, sharing = start, Sharing(content, start)
    while True:
        run = harmless.match(content, position)
        if run:
            sharing.run(position, run.end())
            position = run.end()
        if position >= len(content):
            raise EOFError("no end of the pickle")
        if content[position] in pickle.STOP:
            break
        end = _step(content, position)
        sharing.step(position, end)
        position = end
    if sharing.possible:
        check_sharing(content[start : position + 1])
    return position + 1


def _step(content: bytes, position: int) -> int:
    """The position after one opcode whose argument has a variable size, or needs a check."""
    code, position = content[position : position + 1], position + 1
    if code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
        raise UnsafePickleError("it asks for an extension code")
    if code == pickle.LONG_BINPUT:
        _check_position(int.from_bytes(content[position : position + 4], "little"), content)
        return position + 4
    opcode = _OPCODES.get(code[0])
    if opcode is None or opcode.arg is None:
        raise ValueError(f"unknown opcode {code!r}")
    if opcode.arg.n in _COUNTS:
        start = position + _COUNTS[opcode.arg.n]
        return start + int.from_bytes(content[position:start], "little")
    end = content.index(b"\n", position)  # all others are lines
    if code == pickle.PUT:
        _check_position(int(content[position:end]), content)
    if code in (pickle.GLOBAL, pickle.INST):
        end = content.index(b"\n", end + 1)
    return end + 1


def _check_position(position: int, content: bytes) -> None:
    if position > len(content):
        raise ValueError(f"an object is to be remembered at {position}")


class SafeUnpickler(pickle.Unpickler):
    """Resolves the allowed names only; for pickles that `end_of_pickle` has checked."""

    def find_class(self, module: str, name: str) -> Any:
        """The replacement for an allowed name."""
        if (module, name) not in _ALLOWED:
            raise UnsafePickleError(
                f"it asks for {module}.{name}, and only plain containers and numpy data are allowed"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse."""
        raise UnsafePickleError("it asks for a persistent object")


class Allowed:
    """The replacement for an allowed name: it can be called, but has no attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function that replaces the name."""
        return self._function(*args)

    def __setstate__(self, state: object) -> None:
        raise UnsafePickleError("it tries to change a function")


class _DType:
    """A numpy data type of plain numbers or texts; its state can only change the byte order."""

    __slots__ = ("_real",)

    def __init__(self, code: Any, *_flags: Any) -> None:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            shown = repr(code[:40]) if isinstance(code, str) else f"of {type(code).__name__}"
            raise UnsafePickleError(f"the numpy data type {shown} is not one of plain data")
        self._real = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        _, order, *rest = state
        if any(part is not None for part in rest[:3]):
            raise UnsafePickleError("a numpy data type with fields or shapes is not plain data")
        if order not in ("<", ">", "=", "|"):
            raise ValueError("no byte order")
        if order != "|":
            self._real = self._real.newbyteorder(order)


def _real(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _DType):
        raise UnsafePickleError("a numpy data type that is not one of plain data")
    return dtype._real


def _bytes(raw: Any) -> bytes:
    if isinstance(raw, str):  # written by Python 2, or by Python 3 in its protocols
        return raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray | pickle.PickleBuffer):
        raise UnsafePickleError("numpy data that are objects and not bytes")
    return bytes(raw)


def _scalar(dtype: Any, raw: Any) -> Any:
    return np.frombuffer(_bytes(raw), dtype=_real(dtype), count=1)[0]


class _Array(np.ndarray[Any, Any]):
    """An array that takes its content from checked bytes only."""

    __slots__ = ()

    def __setstate__(self, state: Any, /) -> None:
        *_, shape, dtype, fortran, raw = state
        content = _frombuffer(raw, dtype, shape, "F" if fortran else "C")
        checked: Any = (1, content.shape, content.dtype, bool(fortran), content.tobytes("A"))
        super().__setstate__(checked)


def _reconstruct(kind: Any, _shape: Any, _code: Any) -> Any:
    if kind is not _NDARRAY:
        raise UnsafePickleError("it asks for an array of another class than numpy.ndarray")
    return _Array((0,), dtype=np.int8)


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Any:
    flat = np.frombuffer(_bytes(raw), dtype=_real(dtype))
    return flat.reshape(shape, order=order)


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise UnsafePickleError("it asks for another encoding than latin1")
    return _bytes(text)


def _frozen(items: Any = ()) -> frozenset[Any]:
    found = list(items)
    if any(isinstance(item, tuple | frozenset) for item in found):  # see `pickle_sharing`
        raise UnsafePickleError("it asks for a frozen set of tuples or of frozen sets")
    return frozenset(found)


def _no_call(*_: Any) -> Any:
    raise UnsafePickleError("it calls numpy.ndarray")


_NDARRAY = Allowed(_no_call)


def _allowed() -> dict[tuple[str, str], Allowed]:
    names = {
        ("numpy", "dtype"): Allowed(_DType),
        ("numpy", "ndarray"): _NDARRAY,
        ("_codecs", "encode"): Allowed(_latin1),
        ("collections", "OrderedDict"): Allowed(dict),
    }
    for core in ("numpy.core", "numpy._core"):
        for module in ("multiarray", "_multiarray_umath"):
            names[f"{core}.{module}", "scalar"] = Allowed(_scalar)
            names[f"{core}.{module}", "_reconstruct"] = Allowed(_reconstruct)
        names[f"{core}.numeric", "_frombuffer"] = Allowed(_frombuffer)
    for builtins in ("builtins", "__builtin__"):
        names[builtins, "bytes"] = Allowed(lambda: b"")  # what older protocols write for it
        names[builtins, "set"] = Allowed(set)
        names[builtins, "frozenset"] = Allowed(_frozen)
        names[builtins, "complex"] = Allowed(complex)
    return names


_ALLOWED = _allowed()
