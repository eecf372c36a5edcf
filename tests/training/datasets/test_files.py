"""Data sets in files, written here in their official layouts."""

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from surrogate_nas.errors import FormatError, UnsafePickleError
from surrogate_nas.training.datasets.base import open_dataset

RNG = np.random.default_rng(0)


def _pixels(*shape: int) -> npt.NDArray[np.uint8]:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


# Pickled archives ----------------------------------------------------------------------------


def _write_batch(path: Path, size: int, labels: list[int], key: str = "labels") -> Any:
    """A batch as Python 2 wrote it: protocol 2, texts that are read as str."""
    content = {"data": _pixels(len(labels), 3 * size * size), key: labels}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return content


def _cifar10(folder: Path) -> list[Any]:
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return [_write_batch(folder / name, 32, [i % 10 for i in range(20)]) for name in names]


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-py"])
def test_cifar10_is_read_from_the_archive_or_its_parent(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / inside
    folder.mkdir(exist_ok=True)
    batches = _cifar10(folder)
    data = open_dataset("cifar10", tmp_path)
    assert data.task.shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 20, 20)
    assert data.flip
    # Red, green, blue, each row by row.
    np.testing.assert_array_equal(data.test.inputs.reshape(20, -1), batches[-1]["data"])
    np.testing.assert_array_equal(data.test.labels, batches[-1]["labels"])


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    for name in ("train", "test"):
        _write_batch(tmp_path / name, 32, [i % 100 for i in range(500)], key="fine_labels")
    data = open_dataset("cifar100", tmp_path)
    assert data.classes == 100
    assert (len(data.train), len(data.validation), len(data.test)) == (400, 100, 500)


def test_imagenet16_120_keeps_the_first_120_classes(tmp_path: Path) -> None:
    labels = [1 + i % 150 for i in range(300)]
    names = [*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"]
    batches = [_write_batch(tmp_path / name, 16, labels) for name in names]
    data = open_dataset("ImageNet16-120", tmp_path)
    assert data.classes == 120
    assert data.task.shape == (3, 16, 16)
    assert len(data.train) + len(data.validation) == 2400
    kept = np.array(labels) <= 120
    np.testing.assert_array_equal(data.test.labels, np.array(labels)[kept] - 1)
    np.testing.assert_array_equal(data.test.inputs.reshape(240, -1), batches[-1]["data"][kept])


@pytest.mark.data
def test_cifar10_of_the_measuring_data_is_read() -> None:
    data = open_dataset("cifar10", os.environ["SURROGATE_NAS_DATA"])
    assert (len(data.train), len(data.validation), len(data.test)) == (4000, 1000, 1000)
    assert np.bincount(data.test.labels, minlength=10).min() > 50


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("should-not-exist",)


def test_a_batch_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _cifar10(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(pickle.dumps({"data": _Evil()}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickleError, match="data_batch_3"):
        open_dataset("cifar10", tmp_path)
    assert not Path("should-not-exist").exists()


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"labels": [1]}, {"data": _pixels(2, 7), "labels": [0, 1]}, {"data": 3, "labels": []}],
)
def test_a_batch_of_another_kind_is_refused(tmp_path: Path, content: object) -> None:
    _cifar10(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(content))
    with pytest.raises(FormatError, match=r"test_batch must hold 'data', uint8 \(n, 3072\)"):
        open_dataset("cifar10", tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no file 'data_batch_1' .* unpacked official archive"):
        open_dataset("cifar10", tmp_path)
    _cifar10(tmp_path)
    (tmp_path / "test_batch").unlink()
    with pytest.raises(FormatError, match="test_batch"):
        open_dataset("cifar10", tmp_path)


# IDX files -----------------------------------------------------------------------------------


def _idx(array: npt.NDArray[np.uint8]) -> bytes:
    sizes = np.array(array.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def _mnist(folder: Path, *, compressed: bool, joint: str = "-") -> npt.NDArray[np.uint8]:
    images = _pixels(30, 6, 5)
    for prefix in ("train", "t10k"):
        for kind, array in (
            (f"images{joint}idx3", images),
            (f"labels{joint}idx1", np.arange(30, dtype=np.uint8) % 3),
        ):
            content = _idx(array)
            name = f"{prefix}-{kind}-ubyte" + (".gz" if compressed else "")
            (folder / name).write_bytes(gzip.compress(content) if compressed else content)
    return images


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("name", "joint"), [("mnist", "."), ("fashion-mnist", "-")])
def test_idx_files_are_read(tmp_path: Path, compressed: bool, name: str, joint: str) -> None:
    images = _mnist(tmp_path, compressed=compressed, joint=joint)
    data = open_dataset(name, tmp_path)
    assert data.task.shape == (1, 6, 5)
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 6, 30)
    np.testing.assert_array_equal(data.test.inputs[:, 0], images)
    assert data.flip == (name == "fashion-mnist")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not an IDX file"),
        (bytes([0, 0, 13, 3]) + bytes(12), "is not an IDX file"),
        (_idx(_pixels(2, 2))[:20], "is not an IDX file"),
        (_idx(_pixels(2, 2, 2))[:-1], r"should hold 8 bytes for the shape \(2, 2, 2\)"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    _mnist(tmp_path, compressed=False)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(FormatError, match=f"t10k-images-idx3-ubyte {reason}"):
        open_dataset("mnist", tmp_path)


def test_a_missing_or_cut_idx_file_is_named(tmp_path: Path) -> None:
    _mnist(tmp_path, compressed=True)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match=r"cannot read .*train-labels"):
        open_dataset("mnist", tmp_path)
    path.unlink()
    with pytest.raises(FormatError, match="no file train-labels-idx1-ubyte in"):
        open_dataset("mnist", tmp_path)


# Own arrays and pictures ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 7), (3, 8, 7), (8, 7, 3)])
def test_npz_arrays_may_have_their_channels_first_or_last(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    arrays: dict[str, Any] = {f"x_{part}": _pixels(40, *shape) for part in ("train", "val", "test")}
    arrays |= {f"y_{part}": np.arange(40) % 4 for part in ("train", "val", "test")}
    np.savez(tmp_path / "my.npz", **arrays)
    data = open_dataset("npz", tmp_path / "my.npz")
    assert data.task.shape == (3 if len(shape) == 3 else 1, 8, 7)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 40, 40)
    expected = arrays["x_test"]
    if shape == (8, 7, 3):
        expected = expected.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data.test.inputs, expected.reshape(data.test.inputs.shape))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": np.zeros((3, 2, 2))}, r"must hold x_train and y_train, and holds \['x'\]"),
        ({"x_train": np.zeros((3, 2, 2)), "y_train": np.zeros(2, int)}, "n images and y_train n"),
        ({"x_train": np.zeros((3, 2)), "y_train": np.zeros(3, int)}, r"the shapes \(3, 2\)"),
        ({"x_train": np.zeros((3, 2, 2)), "y_train": np.zeros(3)}, "y_train integers"),
        ({"x_train": np.array([{}] * 3), "y_train": np.zeros(3, int)}, "of plain arrays"),
    ],
)
def test_other_npz_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], reason: str) -> None:
    np.savez(tmp_path / "my.npz", **arrays)
    with pytest.raises(FormatError, match=f"my.npz.*{reason}"):
        open_dataset("npz", tmp_path / "my.npz")


def test_what_is_no_npz_file_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.npz", b"PK\x03\x04 cut"), ("b.npz", b"hello"), ("c.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=rf"{name} is not a \.npz file"):
            open_dataset("npz", tmp_path / name)
    with pytest.raises(FormatError, match=r"is not a \.npz file"):
        open_dataset("npz", tmp_path)


def _save_picture(path: Path, size: tuple[int, int] = (5, 4)) -> npt.NDArray[np.uint8]:
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = _pixels(size[1], size[0], 3)
    image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.extra
def test_a_folder_of_pictures_has_a_class_a_folder(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for i in range(10):
                last = _save_picture(tmp_path / part / name / f"{i}.png")
    data = open_dataset("images", tmp_path)
    assert data.task.shape == (3, 4, 5)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 20)
    assert data.test.labels.tolist() == [0] * 10 + [1] * 10
    np.testing.assert_array_equal(data.test.inputs[-1], last.transpose(2, 0, 1))


@pytest.mark.extra
def test_pictures_may_stand_without_parts(tmp_path: Path) -> None:
    for name in ("cat", "dog", "eel"):
        for i in range(10):
            _save_picture(tmp_path / name / f"{i}.png")
    data = open_dataset("images", tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 6, 6)


@pytest.mark.extra
def test_pictures_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="at least two classes"):
        open_dataset("images", tmp_path)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    with pytest.raises(FormatError, match="must hold pictures in its folders cat, dog"):
        open_dataset("images", tmp_path)
    for name in ("cat", "dog"):
        _save_picture(tmp_path / name / "1.png")
    _save_picture(tmp_path / "dog" / "2.png", (6, 4))
    with pytest.raises(FormatError, match=r"2\.png has 6x4 pixels and other pictures 5x4"):
        open_dataset("images", tmp_path)
    (tmp_path / "dog" / "2.png").write_bytes(b"no picture")
    with pytest.raises(FormatError, match=r"2\.png is not a picture"):
        open_dataset("images", tmp_path)
