"""A data set that a tiny network learns in a second."""

from pathlib import Path

import numpy as np

from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.examples import Examples, Split


def squares(n: int = 96, size: int = 6, classes: int = 3) -> Dataset:
    """Noise with one bright row, whose place is the class."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Split:
        labels = np.arange(count) % classes
        inputs = rng.integers(0, 120, (count, 1, size, size), dtype=np.uint8)
        inputs[np.arange(count), 0, 2 * labels] += 100
        return Split(inputs, labels)

    return Dataset("squares", part(n), part(60), part(60), classes, flip=True)


def source(_data_dir: Path | None) -> Examples:
    """The same for `open_dataset`."""
    data = squares()
    return Examples(data.train, data.validation, data.test)


def other(_data_dir: Path | None) -> Examples:
    """Another data set, with fewer classes."""
    data = squares(n=64, classes=2)
    return Examples(data.train, data.validation, data.test)
