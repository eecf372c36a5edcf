"""The user's own data: arrays in one ``.npz`` file, or a folder of pictures."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas.errors import FormatError, MissingDependencyError
from surrogate_nas.training.datasets.examples import Examples, Split, folder_of
from surrogate_nas.training.datasets.graphs import graph_examples

_MOST_CHANNELS = 4
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})


def npz(data_dir: Path | None) -> Examples:
    """Arrays ``x_train`` and ``y_train`` of a ``.npz`` file, with ``_val`` and ``_test`` if any.

    Images are (n, height, width), (n, channels, height, width) or (n, height, width, channels). A
    file with an ``edge_index`` holds a graph, see `graph_examples`.
    """
    path = folder_of("npz", data_dir, "the arrays: a file that ends in .npz")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition(" If you trust")[0]  # no advice to execute it
        raise FormatError(f"{path} is not a .npz file of plain arrays: {reason}") from error
    if "edge_index" in found:
        return graph_examples(str(path), found)
    parts = {part: _arrays(path, found, part) for part in ("train", "val", "test")}
    train = parts["train"]
    if train is None:
        raise FormatError(f"{path} must hold x_train and y_train, and holds {sorted(found)}")
    return Examples(train, validation=parts["val"], test=parts["test"])


def _arrays(path: Path, found: dict[str, npt.NDArray[Any]], part: str) -> Split | None:
    inputs, labels = found.get(f"x_{part}"), found.get(f"y_{part}")
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        raise FormatError(f"{path} must hold both x_{part} and y_{part}, and holds {sorted(found)}")
    if inputs.dtype.kind not in "buif" or labels.dtype.kind not in "ui":
        raise FormatError(f"{path}: x_{part} must be numbers and y_{part} integers")
    if inputs.ndim == 3:
        inputs = inputs[:, None]
    elif inputs.ndim == 4 and inputs.shape[-1] <= _MOST_CHANNELS < inputs.shape[1]:
        inputs = np.moveaxis(inputs, -1, 1)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if inputs.ndim != 4 or labels.shape != (len(inputs),):
        raise FormatError(
            f"{path}: x_{part} must be n images and y_{part} n labels, got the shapes "
            f"{inputs.shape} and {labels.shape}"
        )
    return Split(inputs, labels.astype(np.int64))


def images(data_dir: Path | None) -> Examples:
    """A folder of pictures of one size, in one folder a class.

    ``DIR/train/CLASS/…``, with ``DIR/val`` and ``DIR/test`` if any; or just ``DIR/CLASS/…``.

    Raises:
        MissingDependencyError: If Pillow is not installed.
    """
    folder = folder_of("images", data_dir, "one folder of pictures a class")
    root = folder / "train" if (folder / "train").is_dir() else folder
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    if len(classes) < 2:
        raise FormatError(
            f"{root} must hold one folder of pictures for each of at least two classes, "
            f"and holds the folders {classes}"
        )
    if root == folder:
        return Examples(_pictures(root, classes))
    rest = {part: folder / part for part in ("val", "test")}
    val, test = (_pictures(p, classes) if p.is_dir() else None for p in rest.values())
    return Examples(_pictures(root, classes), validation=val, test=test)


def _pictures(root: Path, classes: Sequence[str]) -> Split:
    pixels: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    size: tuple[int, ...] | None = None
    for label, name in enumerate(classes):
        folder = root / name
        paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIXES)
        for path in paths:
            picture = _picture(path)
            size = size or picture.shape
            if picture.shape != size:
                raise FormatError(
                    f"{path} has {picture.shape[2]}x{picture.shape[1]} pixels and other pictures "
                    f"{size[2]}x{size[1]}; give all the same size first"
                )
            pixels.append(picture)
            labels.append(label)
    if not pixels:
        raise FormatError(f"{root} must hold pictures in its folders {', '.join(classes)}")
    return Split(np.stack(pixels), np.array(labels, dtype=np.int64))


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    """Red, green and blue: uint8 (3, height, width)."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependencyError(
            "data set 'images' reads pictures with Pillow: pip install pillow"
        ) from error
    try:
        with Image.open(path) as picture:
            return np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is not a picture that can be read: {error}") from error
