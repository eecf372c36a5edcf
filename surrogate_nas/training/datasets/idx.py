"""IDX files: MNIST (LeCun et al., 1998), Fashion-MNIST (Xiao et al., 2017) and their kin."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas.errors import FormatError
from surrogate_nas.training.datasets.examples import Examples, Split, folder_of

_UNSIGNED_BYTES = 8
_PARTS = {"train": "train", "test": "t10k"}


def mnist(data_dir: Path | None) -> Examples:
    """The four IDX files of MNIST, compressed by gzip or not."""
    return _examples("mnist", data_dir, flip=False)


def fashion_mnist(data_dir: Path | None) -> Examples:
    """The four IDX files of Fashion-MNIST, compressed by gzip or not."""
    return _examples("fashion-mnist", data_dir, flip=True)


def _examples(name: str, data_dir: Path | None, *, flip: bool) -> Examples:
    folder = folder_of(name, data_dir, "train-images-idx3-ubyte and its three companions")
    train, test = (_part(folder, prefix) for prefix in _PARTS.values())
    return Examples(train, test=test, flip=flip)


def _part(folder: Path, prefix: str) -> Split:
    images = read_idx(_find(folder, f"{prefix}-images", 3), dimensions=3)
    labels = read_idx(_find(folder, f"{prefix}-labels", 1), dimensions=1)
    return Split(images[:, None], labels.astype(np.int64))


def _find(folder: Path, stem: str, dimensions: int) -> Path:
    names = [
        f"{stem}{joint}idx{dimensions}-ubyte{suffix}" for joint in "-." for suffix in ("", ".gz")
    ]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FormatError(f"there is no file {names[0]} in {folder}, nor {names[1]}")


def read_idx(path: Path, *, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with a given number of dimensions.

    Raises:
        FormatError: If it cannot be read, or is of another kind or length.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"cannot read {path}: {error}") from error
    start = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, _UNSIGNED_BYTES, dimensions]) or len(content) < start:
        raise FormatError(
            f"{path} is not an IDX file of unsigned bytes with {dimensions} dimensions"
        )
    shape: Any = np.frombuffer(content[4:start], dtype=">u4").tolist()
    if len(content) - start != math.prod(shape):
        raise FormatError(
            f"{path} should hold {math.prod(shape)} bytes for the shape {tuple(shape)}, "
            f"and holds {len(content) - start}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
