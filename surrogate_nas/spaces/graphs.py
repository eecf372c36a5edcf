"""Architectures as graphs, many at once, with operations on nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, widened


@dataclass(frozen=True, slots=True)
class ArchGraphs:
    """A batch of directed acyclic graphs in flat arrays.

    Nodes of one graph are consecutive and topologically ordered, so every edge goes from a
    lower to a higher node number. Each graph has exactly one ``input`` (its first node) and
    one ``output`` (its last).

    Attributes:
        op: Operation of each node, int16 (nodes,), a position in `OPERATIONS`.
        attributes: float32 (nodes, 11), log2 of `ATTRIBUTES`, 0 where absent; fewer columns, of
            the first attributes alone, get zeros for the others.
        edges: int32 (2, m), source and target node; ordered by target, then source.
        graph: int32 (nodes,), the graph of each node, ascending.
        count: Number of graphs.
    """

    op: IntArray
    attributes: FloatArray
    edges: IntArray
    graph: IntArray
    count: int

    def __post_init__(self) -> None:
        if self.attributes.shape[1] < len(ATTRIBUTES):
            object.__setattr__(self, "attributes", widened(self.attributes))

    def __len__(self) -> int:
        return self.count

    @property
    def offsets(self) -> IntArray:
        """First node of each graph and, last, the number of nodes: int64 (count + 1,)."""
        sizes = np.bincount(self.graph, minlength=self.count)
        return np.concatenate([[0], np.cumsum(sizes)])

    def pruned(self) -> ArchGraphs:
        """The same graphs with only the nodes that lie on a path from input to output.

        Input and output always stay, also where no path joins them.
        """
        source, target = self.edges
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        ahead = _reach(first, source, target, self.op.size)
        behind = _reach(last, target, source, self.op.size)
        keep = ahead & behind
        keep[first] = keep[last] = True
        # There is no edge between a dead input and a dead output, so this adds no path.
        return self.only(keep)

    def head(self, count: int) -> ArchGraphs:
        """The first ``count`` graphs."""
        nodes = int(self.offsets[count])
        edges = self.edges[:, self.edges[1] < nodes]
        return ArchGraphs(
            self.op[:nodes], self.attributes[:nodes], edges, self.graph[:nodes], count
        )

    def only(self, keep: BoolArray) -> ArchGraphs:
        """The same graphs with only the nodes of a mask (nodes,), and the edges between them."""
        source, target = self.edges
        renumber = np.cumsum(keep) - 1
        edge = keep[source] & keep[target]
        return ArchGraphs(
            op=self.op[keep],
            attributes=self.attributes[keep],
            edges=renumber[self.edges[:, edge]].astype(np.int32),
            graph=self.graph[keep],
            count=self.count,
        )

    def dense(self) -> tuple[IntArray, FloatArray, BoolArray]:
        """Padded arrays for spaces of small graphs.

        Returns:
            op: int16 (count, t), -1 where padded; the output is at the last real node.
            attributes: float32 (count, t, 11).
            adjacency: bool (count, t, t), ``[g, i, j]`` for an edge from i to j.
        """
        offsets = self.offsets
        width = int(np.diff(offsets).max(initial=0))
        position = np.arange(self.op.size) - offsets[self.graph]
        op = np.full((self.count, width), -1, dtype=np.int16)
        op[self.graph, position] = self.op
        attributes = np.zeros((self.count, width, len(ATTRIBUTES)), dtype=np.float32)
        attributes[self.graph, position] = self.attributes
        adjacency = np.zeros((self.count, width, width), dtype=np.bool_)
        source, target = self.edges
        adjacency[self.graph[source], position[source], position[target]] = True
        return op, attributes, adjacency


def _reach(start: IntArray, source: IntArray, target: IntArray, nodes: int) -> BoolArray:
    reached = np.zeros(nodes, dtype=np.bool_)
    reached[start] = True
    while True:
        fresh = target[reached[source] & ~reached[target]]
        if fresh.size == 0:
            return reached
        reached[fresh] = True


def from_template(
    op: IntArray,
    attributes: FloatArray,
    edges: IntArray,
    *,
    node_mask: BoolArray | None = None,
    edge_mask: BoolArray | None = None,
) -> ArchGraphs:
    """Batched graphs from one template of node slots and possible edges.

    Args:
        op: int (n, t), the operation in each of t slots; slot 0 is the input, the last the output.
        attributes: float (n, t, k), the first k of `ATTRIBUTES`; the others are absent.
        edges: int (2, e), the template's edges, each from a lower to a higher slot.
        node_mask: bool (n, t), which slots exist; all if absent. An edge at a missing slot goes.
        edge_mask: bool (n, e), which edges exist; all if absent.
    """
    count, slots = op.shape
    order = np.lexsort((edges[0], edges[1]))
    source, target = edges[0][order], edges[1][order]
    nodes = np.ones((count, slots), dtype=np.bool_) if node_mask is None else node_mask
    present = nodes[:, source] & nodes[:, target]
    if edge_mask is not None:
        present = present & edge_mask[:, order]
    number = (np.cumsum(nodes.ravel()) - 1).reshape(count, slots).astype(np.int32)
    return ArchGraphs(
        op=op[nodes].astype(np.int16),
        attributes=attributes[nodes].astype(np.float32),
        edges=np.stack([number[:, source][present], number[:, target][present]]),
        graph=np.broadcast_to(np.arange(count, dtype=np.int32)[:, None], nodes.shape)[nodes],
        count=count,
    )


INPUT, OUTPUT = OPERATION_IDS["input"], OPERATION_IDS["output"]
