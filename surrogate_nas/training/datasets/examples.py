"""Examples of a data source in parts: images, or the nodes of a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError


@dataclass(frozen=True, eq=False)
class Split:
    """One part: inputs and labels int64 (n,).

    Inputs are images (n, channels, height, width), uint8 or float32, or numbers of nodes int64
    (n,) of a `Graph`.
    """

    inputs: npt.NDArray[Any]
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: IntArray) -> Split:
        """Only these rows, in this order."""
        return Split(self.inputs[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Graph:
    """Features of nodes, float32 (nodes, features), and their edges, int64 (2, m)."""

    features: FloatArray
    edges: IntArray


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of a source; missing parts are later taken from the training part.

    Attributes:
        train: The training part.
        validation: The source's own validation part, or None.
        test: The source's own test part, or None.
        flip: Whether a mirrored image is an example of the same class.
        graph: The graph whose nodes are the examples, or None for images.
    """

    train: Split
    validation: Split | None = None
    test: Split | None = None
    flip: bool = False
    graph: Graph | None = None


Source = Callable[[Path | None], Any]
"""A function of the registry, or a ``module:function``, that reads a data set from ``data_dir``.

It returns `Examples`, or a ``Data`` or ``Dataset`` of PyTorch Geometric with one graph.
"""


def folder_of(name: str, data_dir: Path | None, holding: str) -> Path:
    """``data_dir``, which this data set needs.

    Raises:
        InvalidArgumentError: If it was not given.
    """
    if data_dir is None:
        raise InvalidArgumentError(
            f"data set {name!r} needs data_dir (--data-dir), the place that holds {holding}"
        )
    return data_dir
