"""Reads files of ``torch.save`` without executing anything of them, and without PyTorch.

The pickle in such a file is read by the unpickler that reads all pickles here, which has a
whitelist. PyTorch's ``weights_only=True`` is as safe (since 2.6: CVE-2025-32434), but its unpickler
is written in Python and takes more than ten times as long.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas.errors import UnsafePickleError
from surrogate_nas.pickles import (
    Allowed,
    SafeUnpickler,
    end_of_pickle,
    naming,
    parse_pickle,
    reading,
)

_MAGIC = 0x1950A86A20F9469CFC6C  # the beginning of the format before PyTorch 1.6
_PROTOCOL = 1001
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""The data types of tensors that numpy has, too."""


def load_torch(path: str | os.PathLike[str]) -> Any:
    """Read a file of ``torch.save`` with plain containers, numbers, texts, numpy data and tensors.

    Args:
        path: The file, in the zip format or in the older one. Tensors become numpy arrays.

    Raises:
        UnsafePickleError: If its pickle holds anything else; nothing of it was executed.
        FormatError: If the file is cut off, is no file of PyTorch, or cannot be read.
    """
    with naming(path, "file of PyTorch"):
        content = Path(path).read_bytes()
        return _load_zip(content) if content.startswith(b"PK\x03\x04") else _load_old(content)


def _load_zip(content: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError("a zip archive without data.pkl")
        folder = names[0].removesuffix("data.pkl")

        def read(name: str) -> bytes:
            if archive.getinfo(folder + name).compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is compressed, which PyTorch never does")
            return archive.read(folder + name)

        if folder + "byteorder" in archive.namelist() and read("byteorder") != b"little":
            raise ValueError("numbers in another byte order")
        pickled = read("data.pkl")
        end_of_pickle(pickled)
        unpickler = _Unpickler(pickled, size=len(content))
        loaded = unpickler.load()
        for key, storage in unpickler.storages.items():
            storage.fill(read(f"data/{key}"))
        return loaded


def _load_old(content: bytes) -> Any:
    """The format before PyTorch 1.6: five pickles, and the raw numbers of the tensors."""
    ends = [0]
    for expected in (_MAGIC, _PROTOCOL, None, None, None):
        ends.append(end_of_pickle(content, ends[-1]))
        if expected is not None and parse_pickle(content[ends[-2] : ends[-1]]) != expected:
            raise ValueError("not a file of torch.save")
    system = parse_pickle(content[ends[2] : ends[3]])
    if not system["little_endian"]:
        raise ValueError("numbers in another byte order")
    keys = parse_pickle(content[ends[4] : ends[5]])
    unpickler = _Unpickler(content, position=ends[3], size=len(content))
    loaded = unpickler.load()
    position = ends[5]
    for key in keys:
        storage = unpickler.storages[key]
        (numbers,) = struct.unpack_from("<q", content, position)
        if numbers != len(storage.numbers):
            raise ValueError("a tensor of another size than announced")
        end = position + 8 + storage.numbers.nbytes
        storage.fill(content[position + 8 : end])
        position = end
    return loaded


class _Unpickler(SafeUnpickler):
    """Knows tensors, too; their numbers are put into `storages` afterwards."""

    def __init__(self, content: bytes, *, size: int, position: int = 0) -> None:
        file = reading(content)
        file.seek(position)
        super().__init__(file, encoding="latin1")
        self.storages: dict[str, _Storage] = {}
        self._room = size

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module == "torch" and name in _STORAGES:
            return _Kind(_STORAGES[name])
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        word, kind, key, _place, numbers, *rest = pid
        if word != "storage" or not isinstance(kind, _Kind) or not isinstance(key, str):
            raise UnsafePickleError("it asks for a persistent object that is no tensor's storage")
        if any(part is not None for part in rest):
            raise ValueError("a view of a storage")
        if key not in self.storages:
            self._room -= kind.dtype.itemsize * numbers
            if numbers < 0 or self._room < 0:
                raise ValueError("its tensors are larger than the file")
            self.storages[key] = _Storage(np.zeros(numbers, dtype=kind.dtype))
        return self.storages[key]


class _Unchanging:
    """An object of the unpickler that a pickle must not change."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise UnsafePickleError("it tries to change the storage of a tensor")


class _Kind(_Unchanging):
    """A class of storages, as its data type."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(code)


class _Storage(_Unchanging):
    """The numbers of tensors, which follow the pickle in the file."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: np.ndarray[Any, Any]) -> None:
        self.numbers = numbers

    def fill(self, raw: bytes) -> None:
        if len(raw) != self.numbers.nbytes:
            raise ValueError("a tensor of another size than announced")
        self.numbers.view(np.uint8)[:] = np.frombuffer(raw, dtype=np.uint8)


class _Dict(dict[Any, Any]):
    """An ordered dict; attributes, as a module's state has them, are ignored."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    """A view of a storage, as ``torch._utils._rebuild_tensor_v2`` makes it."""
    if not isinstance(storage, _Storage):
        raise UnsafePickleError("a tensor of something that is no storage")
    numbers = storage.numbers
    shape, strides = tuple(shape), tuple(strides)
    if any(type(n) is not int or n < 0 for n in (offset, *shape, *strides)):
        raise ValueError("a tensor of impossible shape")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, dtype=numbers.dtype)
    if last >= len(numbers):
        raise ValueError("a tensor that is larger than its storage")
    steps = [step * numbers.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)


def _parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, np.ndarray):
        raise UnsafePickleError("a parameter that is no tensor")
    return data


def _size(numbers: Any = ()) -> tuple[int, ...]:
    found = tuple(numbers)
    if any(type(number) is not int for number in found):
        raise UnsafePickleError("a size that is not of whole numbers")
    return found


_ALLOWED = {
    ("collections", "OrderedDict"): Allowed(_Dict),
    ("torch._utils", "_rebuild_tensor"): Allowed(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): Allowed(_tensor),
    ("torch._utils", "_rebuild_parameter"): Allowed(_parameter),
    ("torch", "Size"): Allowed(_size),
}
