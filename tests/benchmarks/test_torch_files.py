import os
import pickle
import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.benchmarks.torch_files import load_torch
from surrogate_nas.errors import FormatError, UnsafePickleError

FORMATS = pytest.mark.parametrize("zipped", [True, False])
PLAIN = {
    "text": "Zürich",
    3: (1, 2.5, None, True, 2**70, -1),
    (0, 1): [{1, 2}, [], {}],
    "ordered": OrderedDict([("b", 1), ("a", OrderedDict())]),
    "state": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict(),
}
DTYPES = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16]
DTYPES += [torch.int8, torch.uint8, torch.bool]
BASE = torch.arange(24.0)
TENSORS = [
    *(torch.tensor([[0, 1], [2, 3]]).to(dtype) for dtype in DTYPES),
    torch.tensor(1.5),
    torch.zeros(0, 3),
    BASE,
    BASE[3:20:4],
    BASE.reshape(2, 3, 4).permute(2, 0, 1)[1:],
    torch.ones(2).expand(3, 2),
    torch.nn.Parameter(torch.ones(2, 2)),
    torch.Size([2, 3]),
]
NUMPY = [np.float64(1.5), np.float32(0.1), np.int64(-3), np.arange(6.0).reshape(2, 3)]


def save(content: Any, path: Path, zipped: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def assert_same(found: Any, expected: Any) -> None:
    """Equal to what PyTorch reads, tensors being arrays."""
    if isinstance(expected, torch.Tensor):
        assert isinstance(found, np.ndarray)
        assert found.dtype == expected.detach().numpy().dtype
        np.testing.assert_array_equal(found, expected.detach().numpy(), strict=True)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray | np.generic):
        assert np.asarray(found).dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected
        assert type(found) is type(expected)


@FORMATS
@pytest.mark.parametrize("content", [PLAIN, TENSORS, [*TENSORS, NUMPY], []])
def test_it_reads_what_pytorch_reads(content: Any, zipped: bool, tmp_path: Path) -> None:
    path = save(content, tmp_path / "data.pth", zipped)
    expected = torch.load(path, weights_only=False)  # our own file
    assert_same(load_torch(path), expected)


class Evil:
    """Asks to be rebuilt by any call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


COMMAND = "touch $EVIL_MARKER"


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that appears when the code in a file was executed."""
    path = tmp_path / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(path))
    return path


@FORMATS
@pytest.mark.parametrize(
    ("evil", "told"),
    [
        (Evil(os.system, COMMAND), "system"),
        (Evil(eval, "__import__('os').system('touch $EVIL_MARKER')"), "eval"),
        (Evil(getattr, "text", "upper"), "getattr"),
        (Evil(pickle.loads, pickle.dumps(Evil(os.system, COMMAND))), "loads"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        (Evil(torch.load, "other.pth"), "torch.serialization.load"),
        (torch.device("cpu"), "torch.device"),
        (Evil(torch._utils._rebuild_tensor_v2, [1.0], 0, (1,), (1,), False, {}), "no storage"),
    ],
)
def test_a_file_that_asks_for_code_is_refused(
    evil: Any, told: str, zipped: bool, marker: Path, tmp_path: Path
) -> None:
    path = save({"data": [torch.ones(3), evil]}, tmp_path / "evil.pth", zipped)
    with pytest.raises(UnsafePickleError) as caught:
        load_torch(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert not marker.exists()


@FORMATS
def test_the_malicious_file_would_work(zipped: bool, marker: Path, tmp_path: Path) -> None:
    torch.load(save(Evil(os.system, COMMAND), tmp_path / "e.pth", zipped), weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("place", range(5))
def test_each_pickle_of_the_old_format_is_guarded(place: int, marker: Path, tmp_path: Path) -> None:
    path = save([1], tmp_path / "data.pth", zipped=False)
    with path.open("rb") as file:
        parts = [pickle.load(file) for _ in range(5)]
        rest = file.read()
    parts[place] = Evil(os.system, COMMAND)
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts) + rest)
    with pytest.raises(UnsafePickleError, match="system"):
        load_torch(path)
    assert not marker.exists()


def storage(*pid: Any) -> bytes:
    """The data.pkl of a file whose only content is the storage of this identifier."""
    return b"\x80\x02" + pickle.dumps(pid, 2)[2:-1] + b"Q."


def rewrite(path: Path, change: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    folder = next(iter(content)).partition("/")[0]
    content |= {f"{folder}/{name}": new for name, new in change.items()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("pickled", "error", "told"),
    [
        (storage("module", "x", "0", "cpu", 1), UnsafePickleError, "persistent"),
        (storage("storage", "FloatStorage", "0", "cpu", 1), UnsafePickleError, "persistent"),
        (b"\x80\x02ctorch\nFloatStorage\n}b.", UnsafePickleError, "change"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", FormatError, "not a whole"),
        (b"\x80\x02cos\nsystem\n.", UnsafePickleError, "os.system"),
        (b"", FormatError, "not a whole"),
    ],
)
def test_a_pickle_made_by_hand_is_refused(
    pickled: bytes, error: type[FormatError], told: str, tmp_path: Path
) -> None:
    path = save([1], tmp_path / "data.pth", zipped=True)
    rewrite(path, {"data.pkl": pickled})
    with pytest.raises(error, match=told):
        load_torch(path)


class Fake:
    """A tensor that reads beyond its storage."""

    def __init__(self, offset: Any, size: Any, stride: Any) -> None:
        self.shape = offset, size, stride

    def __reduce__(self) -> Any:
        typed: Any = torch.storage.TypedStorage
        storage = typed(
            wrap_storage=torch.ones(4).untyped_storage(), dtype=torch.float32, _internal=True
        )
        return torch._utils._rebuild_tensor_v2, (storage, *self.shape, False, {})


@FORMATS
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (3, (2, 2), (1, 1)),
        (0, (2, 2), (1,)),
        (0, (2**62,), (1,)),
        (0, (-3,), (1,)),
        (0, (1.5,), (1,)),
        (9, (), ()),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(
    offset: Any, size: Any, stride: Any, zipped: bool, tmp_path: Path
) -> None:
    path = save([Fake(offset, size, stride)], tmp_path / "data.pth", zipped)
    with pytest.raises(FormatError, match="not a whole file of PyTorch"):
        load_torch(path)


@FORMATS
def test_a_fake_within_its_storage_is_read(zipped: bool, tmp_path: Path) -> None:
    path = save([Fake(1, (2,), (2,))], tmp_path / "data.pth", zipped)
    np.testing.assert_array_equal(load_torch(path), [[1.0, 1.0]])


def test_sizes_that_the_file_does_not_have_take_no_memory(tmp_path: Path) -> None:
    path = save([torch.ones(3)], tmp_path / "data.pth", zipped=True)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        pickled = archive.read(name)
    assert pickled.count(b"K\x03t") == 1  # the number of elements, the last of the identifier
    huge = pickled.replace(b"K\x03t", b"\x8a\x06" + (2**40).to_bytes(6, "little") + b"t")
    rewrite(path, {"data.pkl": huge})
    with pytest.raises(FormatError, match="larger than the file"):
        load_torch(path)


@FORMATS
def test_a_file_that_is_cut_off_is_refused(zipped: bool, tmp_path: Path) -> None:
    path = save([PLAIN, TENSORS], tmp_path / "data.pth", zipped)
    content = path.read_bytes()
    for length in [*range(0, len(content) - 1, len(content) // 50), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(FormatError, match=r"data\.pth is not a whole file of PyTorch"):
            load_torch(path)


@FORMATS
def test_damaged_bytes_raise_nothing_else(zipped: bool, tmp_path: Path) -> None:
    rng = random.Random(0)
    path = save([PLAIN, TENSORS[:12]], tmp_path / "data.pth", zipped)
    content = path.read_bytes()
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            load_torch(path)
        except FormatError:
            refused += 1
    assert refused > 30


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.pth"
    for content in (b"", b"text", pickle.dumps([1]), pickle.dumps(0x1950A86A20F9469CFC6C) * 5):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="not a whole file of PyTorch"):
            load_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.txt", "text")
    with pytest.raises(FormatError, match=r"without data\.pkl"):
        load_torch(path)
    with pytest.raises(FormatError, match="cannot read"):
        load_torch(tmp_path / "absent.pth")


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = save([torch.zeros(9)], tmp_path / "data.pth", zipped=True)
    rewrite(path, {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(FormatError, match="compressed"):
        load_torch(path)


def test_another_byte_order_is_refused(tmp_path: Path) -> None:
    path = save([torch.zeros(9)], tmp_path / "data.pth", zipped=True)
    rewrite(path, {"byteorder": b"big"})
    with pytest.raises(FormatError, match="byte order"):
        load_torch(path)
