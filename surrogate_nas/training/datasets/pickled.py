"""Archives of pickles: CIFAR-10, CIFAR-100 and ImageNet16-120, in their official layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas._types import IntArray
from surrogate_nas.errors import FormatError
from surrogate_nas.pickles import load_pickle
from surrogate_nas.training.datasets.examples import Examples, Split, folder_of

_IMAGENET_CLASSES = 120


def cifar10(data_dir: Path | None) -> Examples:
    """CIFAR-10: ``data_batch_1`` to ``data_batch_5`` and ``test_batch`` (Krizhevsky, 2009)."""
    batches = [f"data_batch_{i}" for i in range(1, 6)]
    folder = _folder("cifar10", data_dir, "cifar-10-batches-py", batches[0])
    train = _joined([_batch(folder / name, "labels", 32) for name in batches])
    return Examples(train, test=_batch(folder / "test_batch", "labels", 32), flip=True)


def cifar100(data_dir: Path | None) -> Examples:
    """CIFAR-100 with its 100 fine labels: ``train`` and ``test`` (Krizhevsky, 2009)."""
    folder = _folder("cifar100", data_dir, "cifar-100-python", "train")
    train, test = (_batch(folder / name, "fine_labels", 32) for name in ("train", "test"))
    return Examples(train, test=test, flip=True)


def imagenet16_120(data_dir: Path | None) -> Examples:
    """ImageNet16-120: ``train_data_batch_1`` to ``_10`` and ``val_data``, the test part here.

    The first 120 classes of ImageNet at 16x16 pixels (Chrabaszcz et al., 2017; Dong and Yang,
    2020).
    """
    batches = [f"train_data_batch_{i}" for i in range(1, 11)]
    folder = _folder("ImageNet16-120", data_dir, "ImageNet16", batches[0])
    train = _joined([_first_classes(_batch(folder / name, "labels", 16)) for name in batches])
    test = _first_classes(_batch(folder / "val_data", "labels", 16))
    return Examples(train, test=test, flip=True)


def _folder(name: str, data_dir: Path | None, archive: str, first: str) -> Path:
    """The folder of the batches: ``data_dir`` or the archive's own folder in it."""
    given = folder_of(name, data_dir, f"the unpacked archive {archive}")
    for folder in (given, given / archive):
        if (folder / first).is_file():
            return folder
    raise FormatError(
        f"data set {name!r}: there is no file {first!r} in {given} nor in {given / archive}; "
        f"data_dir must hold the unpacked official archive {archive}"
    )


def _batch(path: Path, labels: str, size: int) -> Split:
    content: Any = load_pickle(path)
    try:
        # The keys are bytes if Python 3 wrote the archive again.
        content = {k.decode() if isinstance(k, bytes) else k: v for k, v in content.items()}
        pixels: npt.NDArray[Any] = content["data"]
        if not isinstance(pixels, np.ndarray):
            raise TypeError(f"pixels in a {type(pixels).__name__}")
        # One by one, because numpy.array may not end on nested lists that share lists.
        numbers: IntArray = np.fromiter(content[labels], np.int64, len(content[labels]))
        images = pixels.reshape(len(numbers), 3, size, size)
        if images.dtype != np.uint8:
            raise ValueError(f"pixels of type {images.dtype}")
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path} must hold 'data', uint8 (n, {3 * size * size}), and {labels!r}, n numbers "
            f"({error!r})"
        ) from error
    return Split(images, numbers)


def _first_classes(batch: Split) -> Split:
    """The classes 1 to 120, counted from 0."""
    few = batch.take(np.flatnonzero(batch.labels <= _IMAGENET_CLASSES))
    return Split(few.inputs, few.labels - 1)


def _joined(batches: list[Split]) -> Split:
    return Split(
        np.concatenate([batch.inputs for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
    )
