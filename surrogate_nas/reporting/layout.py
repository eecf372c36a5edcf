"""Lays out a small directed acyclic graph in layers.

Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures",
1981: layers by longest paths, bends where an edge passes a layer, an order with few crossings by
barycentres, and then positions that keep edges straight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from surrogate_nas._types import FloatArray, IntArray

_SWEEPS = 24
_MOVES = 200
_BEND_PULL = 8.0  # how much more a bend follows its edge than a node does


@dataclass(frozen=True, slots=True)
class Layout:
    """Where nodes are, and where edges bend.

    Attributes:
        x: Centre of each node, float (n,).
        layer: Layer of each node, from 0 on, int (n,).
        bends: For each edge its (x, layer) between source and target, one a layer that it passes.
    """

    x: FloatArray
    layer: IntArray
    bends: tuple[tuple[tuple[float, int], ...], ...]


@dataclass(slots=True)
class _Drawing:
    """Items to be placed, nodes and bends alike; `below` and `above` are their neighbours."""

    rows: list[list[int]]
    above: list[list[int]]
    below: list[list[int]]
    width: list[float]
    pull: list[float]
    x: list[float] = field(default_factory=list)


def layered(edges: IntArray, widths: FloatArray, *, bend: float) -> Layout:
    """Lay out a graph from top to bottom.

    Args:
        edges: int (2, m), source and target, each from a lower to a higher node number.
        widths: Space that each node needs, its distance to the next one included: (n,).
        bend: Space that an edge needs where it passes a layer.
    """
    n = len(widths)
    layer = _layers(n, edges)
    drawing, chains = _with_bends(layer, edges, widths.tolist(), bend)
    _order(drawing)
    _straighten(drawing)
    bends = tuple(
        tuple((drawing.x[item], int(layer[source]) + 1 + i) for i, item in enumerate(chain))
        for chain, source in zip(chains, edges[0].tolist(), strict=True)
    )
    return Layout(np.array(drawing.x[:n]), layer, bends)


def _layers(n: int, edges: IntArray) -> IntArray:
    """Longest path from a source; nodes are numbered topologically."""
    layer = np.zeros(n, dtype=np.int64)
    for source, target in sorted(edges.T.tolist(), key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    return layer


def _with_bends(
    layer: IntArray, edges: IntArray, widths: list[float], bend: float
) -> tuple[_Drawing, list[list[int]]]:
    """Make items of the nodes and, after them, of the bends of each edge."""
    rows: list[list[int]] = [[] for _ in range(int(layer.max()) + 1)]
    for node, row in enumerate(layer.tolist()):
        rows[row].append(node)
    drawing = _Drawing(
        rows, [[] for _ in widths], [[] for _ in widths], list(widths), [1.0] * len(widths)
    )
    chains = []
    for source, target in edges.T.tolist():
        chain = []
        for row in range(int(layer[source]) + 1, int(layer[target])):
            item = len(drawing.width)
            rows[row].append(item)
            drawing.above.append([])
            drawing.below.append([])
            drawing.width.append(bend)
            drawing.pull.append(_BEND_PULL)
            chain.append(item)
        for upper, lower in zip([source, *chain], [*chain, target], strict=True):
            drawing.below[upper].append(lower)
            drawing.above[lower].append(upper)
        chains.append(chain)
    return drawing, chains


def _order(drawing: _Drawing) -> None:
    """Sort each row by the mean position of its neighbours, downwards and upwards in turn."""
    best, fewest = [list(row) for row in drawing.rows], _crossings(drawing)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = drawing.above if down else drawing.below
        rows = drawing.rows if down else drawing.rows[::-1]
        for before, row in pairwise(rows):
            position = {node: i for i, node in enumerate(before)}
            own = {node: i for i, node in enumerate(row)}

            def mean(
                node: int, position: dict[int, int] = position, own: dict[int, int] = own
            ) -> float:
                near = [position[other] for other in neighbours[node]]  # noqa: B023
                return sum(near) / len(near) if near else float(own[node])

            row.sort(key=mean)
        crossings = _crossings(drawing)
        if crossings < fewest:
            best, fewest = [list(row) for row in drawing.rows], crossings
    drawing.rows = best


def _crossings(drawing: _Drawing) -> int:
    count = 0
    for upper, lower in pairwise(drawing.rows):
        position = {node: i for i, node in enumerate(lower)}
        ends = [sorted(position[other] for other in drawing.below[node]) for node in upper]
        flat = [end for group in ends for end in group]
        count += sum(a > b for i, a in enumerate(flat) for b in flat[i + 1 :])
    return count


def _straighten(drawing: _Drawing) -> None:
    """Move each item towards its neighbours, as far as those beside it allow."""
    from scipy.optimize import isotonic_regression

    x = np.zeros(len(drawing.width))
    offsets = []
    for row in drawing.rows:
        half = np.array([drawing.width[item] for item in row]) / 2
        offset = np.concatenate([[0.0], np.cumsum(half[:-1] + half[1:])])
        x[row] = offset - offset[-1] / 2
        offsets.append(offset)
    for sweep in range(_MOVES):
        rows = list(zip(drawing.rows, offsets, strict=True))
        for row, offset in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = np.array([_mean(x, drawing, item) for item in row])
            weights = np.array([drawing.pull[item] for item in row])
            # The nearest positions that keep the order and the distances.
            x[row] = isotonic_regression(wanted - offset, weights=weights).x + offset
    drawing.x = x.tolist()


def _mean(x: FloatArray, drawing: _Drawing, item: int) -> float:
    near = drawing.above[item] + drawing.below[item]
    return float(np.mean(x[near])) if near else float(x[item])
