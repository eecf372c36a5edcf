"""Small data sets, for training a whole space on one processor in an hour."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas.errors import MissingDependencyError
from surrogate_nas.pickles import Allowed, SafeUnpickler, end_of_pickle, naming
from surrogate_nas.training.datasets.examples import Examples, Split
from surrogate_nas.training.datasets.idx import fashion_mnist
from surrogate_nas.training.datasets.packaged import mnist5k
from surrogate_nas.training.datasets.pickled import cifar10

_WINDOW = 64
_SUBSET = 640


def mnist5k_14(data_dir: Path | None) -> Examples:
    """`mnist5k` at 14x14 pixels: of each digit the first 64, 50 and 50 images."""
    whole = _halved(mnist5k(data_dir).train)
    return Examples(_few(whole, 0, 64), _few(whole, 64, 114), _few(whole, 114, 164))


def fashion_mnist_14(data_dir: Path | None) -> Examples:
    """`fashion_mnist` at 14x14 pixels: of each class the first 64, 50 and 50 images.

    The last come from its own test part.
    """
    found = fashion_mnist(data_dir)
    return Examples(
        _halved(_few(found.train, 0, 64)),
        _halved(_few(found.train, 64, 114)),
        None if found.test is None else _halved(_few(found.test, 0, 50)),
        flip=found.flip,
    )


def cifar10_5k(data_dir: Path | None) -> Examples:
    """The first 500 images of each class of `cifar10`: 400 to train on, 100 for validation.

    The first 100 of each class of its own test part are the test.
    """
    found = cifar10(data_dir)
    return Examples(
        _few(found.train, 0, 400),
        _few(found.train, 400, 500),
        None if found.test is None else _few(found.test, 0, 100),
        flip=found.flip,
    )


def watch(_data_dir: Path | None) -> Examples:
    """Motions of a smartwatch as 1x64 images of six channels, from the package seglearn.

    Acceleration and rotation were measured at 50 Hz while ten people did seven exercises of the
    shoulder, with the left or the right arm: 14 classes. A recording is cut into windows. Each has
    its mean subtracted, so that the posture alone does not reveal the class. The first half of a
    recording's windows is for training (640 of all, drawn at random). Every other window of the
    next quarter is for validation, and of the last quarter for the test. No code of the package
    runs.

    Burns et al., "Shoulder physiotherapy exercise recognition: machine learning the inertial
    signals from a smartwatch", Physiological Measurement, 2018.

    Raises:
        MissingDependencyError: If seglearn is not installed.
        FormatError: If its file is damaged.
    """
    path = _watch_file()
    with naming(path, "file of seglearn"):
        found = _content(path.read_bytes())
        kinds = 2 * np.asarray(found["y"], dtype=np.int64) + np.asarray(found["side"], np.int64)
        parts: tuple[list[Split], ...] = ([], [], [])
        for signal, kind in zip(found["X"], kinds, strict=True):
            windows = _windows(signal)
            half, three_quarters = len(windows) // 2, 3 * len(windows) // 4
            for part, rows in zip(
                parts,
                (windows[:half], windows[half:three_quarters:2], windows[three_quarters::2]),
                strict=True,
            ):
                part.append(Split(rows, np.full(len(rows), kind)))
        train, validation, test = (
            Split(
                np.concatenate([one.inputs for one in part]),
                np.concatenate([one.labels for one in part]),
            )
            for part in parts
        )
    chosen = np.random.default_rng(0).permutation(len(train))[:_SUBSET]
    return Examples(train.take(np.sort(chosen)), validation, test)


def _watch_file() -> Path:
    spec = find_spec("seglearn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError("data set 'watch' comes with seglearn: pip install seglearn")
    return Path(spec.submodule_search_locations[0]) / "data" / "watch_dataset.npy"


def _content(content: bytes) -> Any:
    """The one object in a ``.npy`` file, whose header is followed by a pickled array of it."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    end_of_pickle(content, file.tell())
    return _OneObject(file, encoding="latin1").load().content


class _OneObject(SafeUnpickler):
    """Allows an array of objects as the outermost one; elsewhere they are refused."""

    def find_class(self, module: str, name: str) -> Any:
        """The replacement for an allowed name."""
        allowed = super().find_class(module, name)
        if name == "_reconstruct":
            first = iter([_Holder()])
            return Allowed(lambda *args: next(first, None) or allowed(*args))
        if (module, name) == ("numpy", "dtype"):
            return Allowed(lambda *args: _Holder() if args[0] == "O8" else allowed(*args))
        return allowed


class _Holder:
    """Replaces an array of one object, and the type of such an array."""

    content: Any = None

    def __setstate__(self, state: Any) -> None:
        *_, self.content = state[-1] if isinstance(state[-1], list) else [None]


def _windows(signal: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """(time, channels) to (n, channels, 1, window), without the mean of each window."""
    n = len(signal) // _WINDOW
    cut = signal[: n * _WINDOW].reshape(n, _WINDOW, -1)
    cut = cut - cut.mean(axis=1, keepdims=True)
    return np.ascontiguousarray(cut.transpose(0, 2, 1)[:, :, None], dtype=np.float32)


def _few(split: Split, start: int, stop: int) -> Split:
    """The images ``start`` to ``stop`` of each class."""
    rows = [np.flatnonzero(split.labels == label)[start:stop] for label in np.unique(split.labels)]
    return split.take(np.sort(np.concatenate(rows)))


def _halved(split: Split) -> Split:
    """Means of 2x2 pixels, rounded."""
    n, channels, height, width = split.inputs.shape
    blocks = split.inputs.reshape(n, channels, height // 2, 2, width // 2, 2)
    return Split(np.rint(blocks.mean(axis=(3, 5))).astype(np.uint8), split.labels)
