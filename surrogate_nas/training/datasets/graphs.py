"""One graph whose nodes are classified, from the user's arrays or from PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas._types import BoolArray
from surrogate_nas.errors import FormatError
from surrogate_nas.training.datasets.examples import Examples, Graph, Split

_MASKS = ("train_mask", "val_mask", "test_mask")


def graph_examples(source: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Examples:
    """Examples of the arrays that a ``torch_geometric.data.Data`` has for node classification.

    Args:
        source: Name of their source in messages.
        arrays: ``x`` (nodes, features), ``edge_index`` (2, m), ``y`` (nodes,) or (nodes, 1), -1
            for no label, and any of the masks (nodes,) ``train_mask``, ``val_mask`` and
            ``test_mask``. Without ``train_mask``, nodes in no other mask are the training part.

    Raises:
        FormatError: If an array is missing or not valid.
    """
    for key in ("x", "edge_index", "y"):
        if key not in arrays:
            raise FormatError(f"{source} must hold x, edge_index and y, and holds {sorted(arrays)}")
    x, edges, labels = arrays["x"], arrays["edge_index"], arrays["y"]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if x.ndim != 2 or x.dtype.kind not in "buif" or not np.isfinite(x).all():
        raise FormatError(
            f"{source}: x must be finite numbers (nodes, features), got {x.dtype} {x.shape}"
        )
    nodes = len(x)
    if labels.shape != (nodes,) or labels.dtype.kind not in "ui":
        raise FormatError(
            f"{source}: y must be an integer for each of {nodes} nodes, got {labels.dtype} "
            f"{labels.shape}"
        )
    whole = edges.ndim == 2 and len(edges) == 2 and edges.dtype.kind in "ui"
    if not whole or (edges.size and (edges.min() < 0 or edges.max() >= nodes)):
        raise FormatError(
            f"{source}: edge_index must be (2, edges), numbers of the {nodes} nodes from 0, got "
            f"{edges.dtype} {edges.shape}"
        )
    masks = {key: _mask(source, key, arrays[key], nodes) for key in _MASKS if key in arrays}
    taken = np.sum([*masks.values(), np.zeros(nodes, dtype=np.bool_)], axis=0)
    if (taken > 1).any():
        raise FormatError(f"{source}: {', '.join(masks)} must not share a node")
    masks.setdefault("train_mask", taken == 0)
    parts = {}
    for key, mask in masks.items():
        rows = np.flatnonzero(mask & (labels >= 0))
        parts[key] = Split(rows, labels[rows].astype(np.int64))
    graph = Graph(x.astype(np.float32), edges.astype(np.int64))
    return Examples(parts["train_mask"], parts.get("val_mask"), parts.get("test_mask"), graph=graph)


def geometric_examples(source: str, found: object) -> Examples | None:
    """Examples of a ``Data`` of PyTorch Geometric, or of a ``Dataset`` with one; None for others.

    Raises:
        FormatError: If it is not one graph whose nodes are classified.
    """
    from torch_geometric.data import Data, Dataset

    if isinstance(found, Dataset):
        if len(found) != 1:
            raise FormatError(f"{source} must hold one graph with classes of nodes, got {found}")
        found = found[0]
    if not isinstance(found, Data):
        return None
    names = ("x", "edge_index", "y", *_MASKS)
    tensors = {name: found[name] for name in names if found.get(name) is not None}
    return graph_examples(source, {name: tensor.numpy() for name, tensor in tensors.items()})


def _mask(source: str, name: str, mask: npt.NDArray[Any], nodes: int) -> BoolArray:
    if mask.shape != (nodes,) or mask.dtype != np.bool_:
        raise FormatError(
            f"{source}: {name} must be true or false for each of {nodes} nodes, got {mask.dtype} "
            f"{mask.shape}; of several splits, keep one: {name}[:, 0]"
        )
    return mask
