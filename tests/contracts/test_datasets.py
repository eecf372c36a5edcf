"""Registered data sets; those in files are made up, small, in their official layouts."""

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.errors import MissingDependencyError
from surrogate_nas.registry import names
from surrogate_nas.testing import DatasetContract
from surrogate_nas.testing.contract import need_not
from surrogate_nas.training.datasets.base import Dataset, open_dataset
from tests.contracts.implementations import declare

SIZES = {"train": 1300, "test": 600}


RNG = np.random.default_rng(0)


def images(n: int, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def mnist(folder: Path) -> Path:
    for prefix, n in (("train", SIZES["train"]), ("t10k", SIZES["test"])):
        for kind, array in (
            ("images-idx3", images(n, 28, 28)),
            ("labels-idx1", np.arange(n, dtype=np.uint8) % 10),
        ):
            sizes = np.array(array.shape, dtype=">u4").tobytes()
            content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content, 1))
    return folder


def pickled(folder: Path, batches: dict[str, int], size: int, **labels: object) -> Path:
    for name, n in batches.items():
        content = {"data": images(n, 3 * size * size), **labels}
        for key, classes in labels.items():
            assert isinstance(classes, range)
            content[key] = [classes[i % len(classes)] for i in range(n)]
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def cifar10(n: int) -> Callable[[Path], Path]:
    batches = dict.fromkeys([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], n)
    return lambda folder: pickled(folder, batches, 32, labels=range(10))


def cifar100(folder: Path) -> Path:
    return pickled(folder, {"train": 500, "test": 500}, 32, fine_labels=range(100))


def imagenet(folder: Path) -> Path:
    names = [*(f"train_data_batch_{i}" for i in range(1, 11)), "val_data"]
    return pickled(folder, dict.fromkeys(names, 240), 16, labels=range(1, 121))


def npz(folder: Path) -> Path:
    path = folder / "own.npz"
    np.savez(path, x_train=images(60, 5, 4), y_train=np.arange(60) % 3)
    return path


def pictures(folder: Path) -> Path:
    image = pytest.importorskip("PIL.Image", reason="needs the extra images")
    for number, pixels in enumerate(images(40, 4, 5, 3)):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        image.fromarray(pixels).save(path)
    return folder


FILES: dict[str, Callable[[Path], Path]] = {
    "mnist": mnist,
    "fashion-mnist": mnist,
    "fashion-mnist-14": mnist,
    "cifar10": cifar10(40),
    "cifar10-5k": cifar10(1_200),
    "cifar100": cifar100,
    "ImageNet16-120": imagenet,
    "npz": npz,
    "images": pictures,
}


class Registered(DatasetContract):
    name: str
    home: Path
    source: Path | None = None

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _files(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        if cls.name in FILES:
            cls.source = FILES[cls.name](tmp_path_factory.mktemp("data"))

    def make(self) -> Dataset:
        try:
            return open_dataset(self.name, self.source)
        except MissingDependencyError as error:
            raise need_not(str(error)) from error


declare(globals(), Registered, {name: {"name": name} for name in names("dataset")})
