"""Graphs of chains of layers."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES


def chain_graphs(
    op: IntArray, attributes: FloatArray, *, present: BoolArray | None = None
) -> ArchGraphs:
    """Make chains of input, layers and output; a missing layer is bridged by an edge.

    Args:
        op: int (n, t), positions in `OPERATIONS`.
        attributes: float (n, t, k), log2 of the first k of `ATTRIBUTES`; the others are absent.
        present: bool (n, t), which layers exist; all if absent.
    """
    count, layers = op.shape
    ends = np.ones((count, 1), dtype=np.bool_)
    inner = np.ones(op.shape, dtype=np.bool_) if present is None else present
    nodes = np.concatenate([ends, inner, ends], axis=1)
    ops = np.concatenate([ends * INPUT, op, ends * OUTPUT], axis=1)
    described = np.zeros((count, layers + 2, len(ATTRIBUTES)), dtype=np.float32)
    described[:, 1:-1, : attributes.shape[2]] = attributes
    graph = np.repeat(np.arange(count, dtype=np.int32), nodes.sum(axis=1))
    target = np.flatnonzero(graph[1:] == graph[:-1]).astype(np.int32) + np.int32(1)
    return ArchGraphs(
        op=ops[nodes].astype(np.int16),
        attributes=described[nodes],
        edges=np.stack([target - 1, target]),
        graph=graph,
        count=count,
    )
