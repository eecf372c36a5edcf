"""Cells of NAS-Bench-101 as pairs of numbers: pruning, isomorphism and the official hash.

``adjacency`` has 21 bits, the upper triangle of the matrix row by row, its first entry highest.
``ops`` has 5 digits to the base 3, the operations of nodes 1 to 5, node 1 highest. A set of nodes
has 7 bits, node 0 highest; a set of inner nodes 5 bits, node 1 highest.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import permutations

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.spaces.base import frozen

NODES = 7
INNER = NODES - 2
MAX_EDGES = 9
EDGES: tuple[tuple[int, int], ...] = tuple(
    (source, target) for source in range(NODES) for target in range(source + 1, NODES)
)
LABELS = 3
LABELLINGS: int = LABELS**INNER

_EDGE_BITS = 1 << np.arange(len(EDGES))[::-1]
_WEIGHTS = LABELS ** np.arange(INNER)[::-1]
_CHUNK = 1 << 12  # times 120 orders, in a few MB


def edges_of(adjacency: IntArray) -> BoolArray:
    """Which of `EDGES` exist: bool (n, 21)."""
    return np.asarray(adjacency[:, None] & _EDGE_BITS, dtype=np.bool_)


def inner_of(live: IntArray) -> BoolArray:
    """A set of inner nodes as bool (n, 5)."""
    return np.asarray(live[:, None] >> np.arange(INNER)[::-1] & 1, dtype=np.bool_)


@cache
def pruning() -> tuple[IntArray, IntArray]:
    """Prune each of the 2**21 adjacencies.

    Returns:
        pruned: The adjacency without nodes off all paths from input to output, -1 where there is
            no path or where more than `MAX_EDGES` edges are left: int32 (2097152,).
        live: The inner nodes on such a path: uint8 (2097152,).
    """
    adjacency = np.arange(1 << len(EDGES), dtype=np.int32)
    rows = []  # the set of nodes that read each node
    shift = len(EDGES)
    for node in range(NODES - 1):
        shift -= NODES - 1 - node
        rows.append(((adjacency >> shift) & ((1 << (NODES - 1 - node)) - 1)).astype(np.uint8))
    bits = [1 << (NODES - 1 - node) for node in range(NODES)]
    ahead = np.full(adjacency.shape, bits[0], dtype=np.uint8)
    behind = np.full(adjacency.shape, bits[-1], dtype=np.uint8)
    for bit, row in zip(bits, rows, strict=False):  # node order is a topological order
        ahead |= row * ((ahead & bit) != 0)
    for bit, row in zip(bits[-2::-1], rows[::-1], strict=True):
        behind |= ((row & behind) != 0) * np.uint8(bit)
    on_path = ahead & behind
    inside = np.array(
        [
            sum(
                int(bit)
                for bit, (source, target) in zip(_EDGE_BITS, EDGES, strict=True)
                if nodes & bits[source] and nodes & bits[target]
            )
            for nodes in range(1 << NODES)
        ],
        dtype=np.int32,
    )
    pruned = adjacency & inside[on_path]
    pruned[(on_path == 0) | (np.bitwise_count(pruned) > MAX_EDGES)] = -1
    return frozen(pruned), frozen((on_path >> 1) & ((1 << INNER) - 1))


@cache
def _reordered() -> tuple[IntArray, IntArray, IntArray]:
    """The parts of a cell's form under each of the 120 orders of its inner nodes.

    A form is ``adjacency << 8 | 242 - ops``, so that the greatest has the most edges to early
    nodes and then the least operations; it is negative where an edge would point backwards.

    Returns:
        high: Part of the form for each value of the adjacency's upper 11 bits, int32 (2048, 120).
        low: Likewise for its lower 10 bits, int32 (1024, 120).
        label: Likewise for the operations, int32 (243, 120). The form is the bitwise or of these.
    """
    orders = list(permutations(range(1, NODES - 1)))
    number = {edge: int(bit) << 8 for edge, bit in zip(EDGES, _EDGE_BITS, strict=True)}
    moved = np.empty((len(EDGES), len(orders)), dtype=np.int32)
    for column, order in enumerate(orders):
        position = (0, *order, NODES - 1)
        for row, (source, target) in enumerate(EDGES):
            moved[row, column] = number.get((position[source], position[target]), -(1 << 31))

    def combine(edges: IntArray) -> IntArray:
        table = np.zeros((1, len(orders)), dtype=np.int32)
        for edge in edges[::-1]:
            table = np.concatenate([table, table | edge])
        return table

    digits = np.arange(LABELLINGS)[:, None] // _WEIGHTS % LABELS
    weights = _WEIGHTS[np.array(orders) - 1]  # of each old node's new position
    label = (LABELLINGS - 1 - digits @ weights.T).astype(np.int32)
    return combine(moved[:11]), combine(moved[11:]), label


def best_forms(adjacency: IntArray, ops: IntArray) -> tuple[IntArray, IntArray]:
    """The canonical form of valid cells: adjacency (n,) and ops (n,).

    The cell is pruned and dead nodes get operation 0. Of all topological orders of the inner nodes
    the one with the greatest adjacency and then the least ops is taken. Dead nodes have no edges,
    so they come last.
    """
    pruned, live = pruning()
    high, low, label = _reordered()
    form = np.empty(adjacency.shape, dtype=np.int32)
    for start in range(0, adjacency.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        edges = pruned[adjacency[part]]
        labels = (ops[part, None] // _WEIGHTS % LABELS * inner_of(live[edges])) @ _WEIGHTS
        form[part] = (high[edges >> 10] | low[edges & 1023] | label[labels]).max(axis=1)
    return form >> 8, LABELLINGS - 1 - (form & 255)


def all_forms() -> IntArray:
    """``adjacency * 243 + ops`` of the canonical form of every valid cell, ascending (423624,)."""
    pruned, live = pruning()
    whole = np.flatnonzero(pruned == np.arange(pruned.size))
    found = []
    for inner in range(INNER + 1):
        # Nodes 1 to `inner` are used, so the others' operations are 0.
        adjacency = whole[live[whole] == (1 << INNER) - (1 << (INNER - inner))]
        ops = np.arange(LABELS**inner) * LABELS ** (INNER - inner)
        best = best_forms(np.repeat(adjacency, ops.size), np.tile(ops, adjacency.size))
        found.append(np.unique(best[0] * LABELLINGS + best[1]))
    return np.sort(np.concatenate(found))


def official_hash(edges: list[tuple[int, int]], ops: list[int]) -> str:
    """The official MD5 hash of a cell; two cells have the same hash if they are isomorphic.

    It is colour refinement by Weisfeiler and Leman. A node's first colour is the hash of its
    degrees and label. Then, as many times as there are nodes, it is replaced by the hash of the
    sorted colours of its inputs, those of its readers, and its own.

    Args:
        edges: The edges of a pruned cell between its nodes 0 to v - 1.
        ops: The operations of nodes 1 to v - 2.
    """
    labels = [-1, *ops, -2]  # input and output
    reads: list[list[int]] = [[] for _ in labels]
    feeds: list[list[int]] = [[] for _ in labels]
    for source, target in edges:
        feeds[source].append(target)
        reads[target].append(source)
    colours = [
        _md5(str((len(out), len(into), label)))
        for out, into, label in zip(feeds, reads, labels, strict=True)
    ]
    for _ in labels:
        colours = [
            _md5(
                f"{''.join(sorted([colours[n] for n in into]))}|"
                f"{''.join(sorted([colours[n] for n in out]))}|{own}"
            )
            for into, out, own in zip(reads, feeds, colours, strict=True)
        ]
    return _md5(str(sorted(colours)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
