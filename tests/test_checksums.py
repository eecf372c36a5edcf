"""No damage to a file that the program wrote changes what it says: it is noticed."""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.checksums import check_zip, checksum_of, sealed, unsealed
from surrogate_nas.errors import FormatError, SurrogateNASError
from surrogate_nas.predictors.meta.weights import Settings, read_weights, write_weights
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint
from surrogate_nas.training.log import TrainingLog
from surrogate_nas.training.proxies.memory import _read as read_proxies
from surrogate_nas.training.record import Record


def test_lines() -> None:
    entry = {"a": 1.5, "b": ["ü", None]}
    assert unsealed(sealed(entry)) == entry
    assert json.loads(sealed(entry)) == entry | {"crc32": zlib.crc32(sealed(entry)[:-21])}
    assert unsealed(b'{"a":1}\n') == {"a": 1}
    hidden = sealed({"a": 1}).replace(b"1", b"2", 1).replace(b"crc32", b"crc22")
    for wrong in (hidden, b"[1]\n", b"{", sealed({"a": 1}).replace(b"1", b"2", 1), b"\xff\n"):
        with pytest.raises(ValueError):  # noqa: PT011
            unsealed(wrong)


def test_arrays_differ_by_names_types_and_shapes() -> None:
    a = np.arange(4, dtype=np.int32)
    found = {
        checksum_of({"a": a}),
        checksum_of({"b": a}),
        checksum_of({"a": a.reshape(2, 2)}),
        checksum_of({"a": a.view(np.float32)}),
        checksum_of({"a": a}, "text"),
        checksum_of({}),
        checksum_of({"a": a[:0]}),
        checksum_of({"a": a[:0], "b": a[:0]}),
    }
    assert len(found) == 8
    assert checksum_of({"a": a, "b": a}) == checksum_of({"b": a, "a": a[::-1][::-1]})


# Each writes a file, and returns what reads it.


def weights(path: Path) -> Callable[[], Any]:
    settings = Settings("meta-gnn", (), (1, 2), 3, 4, "0.1", {"a": [1.5]})
    write_weights(path, {"x": np.arange(50.0), "y": np.ones((2, 3), np.float32)}, settings)

    def read() -> Any:
        arrays, found = read_weights(path)
        return {name: array.tolist() for name, array in arrays.items()}, found

    return read


def checkpoint(path: Path) -> Callable[[], Any]:
    tensor = torch.arange(40.0)
    write_checkpoint(path, "mine", {"epoch": 3, "weights": {"a": tensor}, "lr": 0.25})

    def read() -> Any:
        found = read_checkpoint(path, "mine", torch.device("cpu"))
        assert found is not None
        return found["epoch"], found["lr"], found["weights"]["a"].tolist()

    return read


def proxies(path: Path) -> Callable[[], Any]:
    with open(path, "wb") as file:
        np.savez(file, numbers=np.arange(30), values=np.arange(30) / 7)

    def read() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return read_proxies(path)
            except UserWarning as error:
                raise FormatError(str(error)) from error

    return read


def log(path: Path) -> Callable[[], Any]:
    with TrainingLog(path) as kept:
        kept.begin("toy", {"task": {"epochs": 2}})
        record = Record((50.0, 75.0), (40.0, 60.0), (1.5, 3.0), 100, 200, 0.5)
        kept.add(("task", (0, 1), 0), record, {"processor": "x"})
        kept.add(("task", (1, 1), 0), "ValueError: no", None)

    def read() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a last line without its end
            with TrainingLog(path) as again:
                return again.done, again.machines, again._space, again._trainings

    return read


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (weights, "x.safetensors"),
        (checkpoint, "x.checkpoint"),
        (proxies, "x.npz"),
        (log, "x.h5.log"),
    ],
)
def test_no_bit_changes_silently(
    write: Callable[[Path], Callable[[], Any]], name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    read = write(path)
    expected, content = read(), path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.permutation(len(content) - 1)[:150].tolist():
        changed = bytearray(content)
        changed[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            assert read() == expected, position
        except SurrogateNASError as error:
            refused += 1
            assert os.fspath(path.name) in str(error)  # noqa: PT017
            assert len(str(error)) < 500  # noqa: PT017
    assert refused > 50
    path.write_bytes(content)
    assert read() == expected


def test_a_damaged_name_hides_no_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    weights(path)
    content = path.read_bytes()
    for name in (b'"checksum"', b'"settings_checksum"'):
        assert name in content
        path.write_bytes(content.replace(name, name.replace(b"c", b"b")))
        with pytest.raises(FormatError, match="unknown name"):
            read_weights(path)


def test_a_checked_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"x": torch.arange(100.0)}, path)
    check_zip(path)
    content = bytearray(path.read_bytes())
    at = content.index(np.float32(50).tobytes() + np.float32(51).tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not have its checksum"):
        check_zip(path)
