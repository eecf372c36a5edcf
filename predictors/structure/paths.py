"""The operations of a space, and all paths from input to output of many architectures at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.spaces.graphs import OUTPUT, ArchGraphs
from surrogate_nas.spaces.operations import (
    ATTRIBUTES,
    EDITIONS,
    OPERATION_IDS,
    OPERATIONS,
    STRUCTURAL_OPERATIONS,
    WEIGHTLESS,
    widened,
)

PATHS_PER_GRAPH = 32
"""Most paths of one graph that are followed; published spaces have 15 or fewer."""

MANY_OPERATIONS = 12
"""If a space has more operations than this, operations that differ in width count as one.

If there are still more, so do those that differ in attributes of later editions.
"""

MOST_OPERATIONS = 100
"""If there are more operations than this, all attributes are ignored."""

_CHANNELS = [ATTRIBUTES.index(name) for name in ("channels_in", "channels_out")]
_LATER = [*_CHANNELS, *range(EDITIONS[0][1], len(ATTRIBUTES))]
_IGNORED = [
    (_CHANNELS, MANY_OPERATIONS),
    (_LATER, MANY_OPERATIONS),
    ([*range(len(ATTRIBUTES))], MOST_OPERATIONS),
]
_GOLDEN = (5**0.5 - 1) / 2
_FEW = 64  # nodes


class Catalogue:
    """The operations that occur in a space; attributes count, so two kernels are two operations.

    Attributes:
        operations: float32 (a, 12), the number in the shared vocabulary and the attributes of each
            operation, in ascending order.
        names: A readable name of each.
        weighted: int (w,), catalogue numbers of the operations with weights.
        skips: int (s,), catalogue numbers of the skip connections.
    """

    def __init__(self, graphs: ArchGraphs, others: FloatArray | None = None) -> None:
        """Collect the operations of graphs that show all of them, and others like `operations`."""
        computing = _computes(graphs.op)
        width = 1 + len(ATTRIBUTES)
        others = np.zeros((0, width), np.float32) if others is None else widened(others, width)
        self._ignored: list[int] = []
        self.operations = self._collected(graphs, computing, others)
        for ignored, most in _IGNORED:
            if len(self.operations) > most:
                self._ignored = ignored
                self.operations = self._collected(graphs, computing, others)
        self.names = tuple(_operation_name(row) for row in self.operations)
        kind = self.operations[:, 0]
        self.weighted = np.flatnonzero(~np.isin(kind, WEIGHTLESS))
        self.skips = np.flatnonzero(kind == OPERATION_IDS["skip"])

    def _collected(
        self, graphs: ArchGraphs, computing: BoolArray, others: FloatArray
    ) -> FloatArray:
        return unique_rows(np.concatenate([self._signature(graphs, computing), others]))[0]

    def __len__(self) -> int:
        return len(self.names)

    def number(self, graphs: ArchGraphs) -> IntArray:
        """Catalogue number of each node: int64 (nodes,), -1 if structural or not listed."""
        number = np.full(graphs.op.size, -1, dtype=np.int64)
        computing = _computes(graphs.op)
        rows = self._signature(graphs, computing)
        inverse: IntArray | slice = slice(None)
        if len(rows) > _FEW:  # else sorting takes longer than comparing all
            rows, inverse = unique_rows(rows)
        equal = (rows[:, None, :] == self.operations[None]).all(axis=2)
        known = np.full(len(rows), -1, dtype=np.int64)
        row, entry = np.nonzero(equal)
        known[row] = entry
        number[computing] = known[inverse]
        return number

    def _signature(self, graphs: ArchGraphs, nodes: BoolArray) -> FloatArray:
        op = graphs.op[nodes, None].astype(np.float32)
        attributes = graphs.attributes[nodes]
        attributes[:, self._ignored] = 0
        return np.concatenate([op, attributes], axis=1, dtype=np.float32)


class Paths:
    """All paths from input to output of pruned graphs, ordered by graph.

    Attributes:
        count: Number of graphs.
        number: int64 (nodes,), catalogue number of each node or -1.
        graph: int64 (p,), the graph of each path.
        length: int64 (p,), operations on each path.
        node: int64 (p, longest), the nodes with operations along each path, -1 after its end.
        channels: float32 (nodes,), log2 of the channels that leave each node, 0 if unknown.
    """

    def __init__(self, graphs: ArchGraphs, catalogue: Catalogue) -> None:
        """List the paths of pruned graphs of the catalogue's space."""
        self.count = graphs.count
        self.number = catalogue.number(graphs)
        self._operations = len(catalogue)
        self.graph, nodes = _enumerate(graphs)
        computing = (nodes >= 0) & (self.number[nodes] >= 0)
        self.length = computing.sum(axis=1)
        row, _ = np.nonzero(computing)
        position = (np.cumsum(computing, axis=1) - 1)[computing]
        self.node = np.full((len(nodes), int(self.length.max(initial=0))), -1, dtype=np.int64)
        self.node[row, position] = nodes[computing]
        self.channels = graphs.attributes[:, _CHANNELS[1]]
        self._owners, self._start = np.unique(self.graph, return_index=True)

    @cached_property
    def operation(self) -> IntArray:
        """Catalogue numbers along each path, -1 after its end: int64 (p, longest)."""
        return np.where(self.node >= 0, self.number[self.node], -1)

    @cached_property
    def counts(self) -> FloatArray:
        """How often each operation is on each path: float32 (p, operations)."""
        counts = np.zeros((len(self.graph), self._operations), dtype=np.float32)
        for column in self.operation.T:
            there = np.flatnonzero(column >= 0)
            counts[there, column[there]] += 1
        return counts

    @cached_property
    def per_graph(self) -> FloatArray:
        """Number of paths of each graph: float32 (count,)."""
        return np.bincount(self.graph, minlength=self.count).astype(np.float32)

    def total(self, values: FloatArray) -> FloatArray:
        """Sum of values (p, k) over the paths of each graph: float32 (count, k)."""
        return self._reduce(np.add, values)

    def least(self, values: FloatArray) -> FloatArray:
        """Least of values (p, k) over the paths of each graph, 0 without paths: (count, k)."""
        return self._reduce(np.minimum, values)

    def most(self, values: FloatArray | IntArray) -> FloatArray:
        """Largest of values (p, k) over the paths of each graph, 0 without paths: (count, k)."""
        return self._reduce(np.maximum, values)

    def mean(self, values: FloatArray) -> FloatArray:
        """Mean of values (p, k) over the paths of each graph, 0 without paths: (count, k)."""
        return self.total(values) / np.maximum(self.per_graph, 1)[:, None]

    def _reduce(self, ufunc: np.ufunc, values: FloatArray | IntArray) -> FloatArray:
        reduced = np.zeros((self.count, values.shape[1]), dtype=np.float32)
        if self._start.size:
            reduced[self._owners] = ufunc.reduceat(values, self._start, axis=0)
        return reduced


def _enumerate(graphs: ArchGraphs) -> tuple[IntArray, IntArray]:
    """Graph of each path (p,), ascending, and its nodes (p, steps), -1 after the output."""
    source, target = graphs.edges
    target = target[np.argsort(source, kind="stable")].astype(np.int64)
    children = np.bincount(source, minlength=graphs.op.size)
    first = np.cumsum(children) - children
    walks = graphs.offsets[:-1][:, None]
    done: list[IntArray] = []
    while len(walks):
        ended = graphs.op[walks[:, -1]] == OUTPUT
        if ended.any():
            done.append(walks[ended])
            walks = walks[~ended]
        fan = children[walks[:, -1]]
        if len(walks) <= PATHS_PER_GRAPH and (fan == 1).all():  # nothing branches or is cut
            walks = np.concatenate([walks, target[first[walks[:, -1:]]]], axis=1)
            continue
        parent = np.repeat(np.arange(len(walks)), fan)
        nth = np.arange(len(parent)) - np.repeat(np.cumsum(fan) - fan, fan)
        step = target[first[walks[parent, -1]] + nth]
        # Every walk of a pruned graph ends at the output, so cutting walks cuts whole paths.
        graph = graphs.graph[step]
        first_of, many = np.searchsorted(graph, graph), np.bincount(graph)[graph]
        # Multiples of the golden ratio select evenly, whatever the number of children of a node.
        kept = (np.arange(len(graph)) - first_of) * _GOLDEN % 1 < PATHS_PER_GRAPH / many
        walks = np.concatenate([walks[parent[kept]], step[kept, None]], axis=1)
    width = max((part.shape[1] for part in done), default=1)
    nodes = np.concatenate(
        [np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=-1) for p in done]
        or [np.zeros((0, width), dtype=np.int64)]
    )
    graph = graphs.graph[nodes[:, 0]].astype(np.int64)
    order = np.argsort(graph, kind="stable")
    return graph[order], nodes[order]


def _computes(op: IntArray) -> BoolArray:
    table = np.ones(len(OPERATIONS), dtype=np.bool_)
    table[list(STRUCTURAL_OPERATIONS)] = False
    return table[op]


def unique_rows(rows: FloatArray) -> tuple[FloatArray, IntArray]:
    """As ``np.unique(rows, axis=0, return_inverse=True)``, ten times as fast on few values."""
    code = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        if len(rows) and (column != column[0]).any():
            values, digit = np.unique(column, return_inverse=True)
            code = np.unique(code * len(values) + digit, return_inverse=True)[1]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return rows[first], inverse


def _operation_name(row: FloatArray) -> str:
    given = [
        f"{name}={2.0**value:g}"
        for name, value in zip(ATTRIBUTES, row[1:].tolist(), strict=True)
        if value != 0
    ]
    return OPERATIONS[int(row[0])] + (f"({','.join(given)})" if given else "")
