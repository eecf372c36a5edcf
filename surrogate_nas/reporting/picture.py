"""The geometry of an architecture's picture: its graph in layers, sources above their targets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.reporting.layout import Layout, layered
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

# All in inches: a unit of the drawing is one.
LETTER, LINE = 0.078, 0.17
_PADDING = 0.2
_GAP = 0.3  # between neighbours of a layer
_BETWEEN = 0.42  # two layers
_BEND = 0.3

NodeKind = Literal["structure", "pool", "skip", "computes"]
_KINDS: dict[str, NodeKind] = dict.fromkeys(("input", "output", "sum", "concat"), "structure")
_KINDS |= {"max_pool": "pool", "avg_pool": "pool", "skip": "skip"}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """An operation.

    Attributes:
        centre: x to the right and y upwards, in inches.
        width: In inches.
        height: In inches.
        label: One line or two.
        kind: What it does.
    """

    centre: Point
    width: float
    height: float
    label: str
    kind: NodeKind


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph that is laid out.

    Attributes:
        nodes: The operations.
        edges: Of each edge its start, and three points for each cubic Bézier curve after it.
        left: The least x of all.
        right: The largest x.
        bottom: The least y.
        top: The largest y.
    """

    nodes: tuple[DrawnNode, ...]
    edges: tuple[tuple[Point, ...], ...]
    left: float
    right: float
    bottom: float
    top: float


def picture(space: SearchSpace, arch: Architecture) -> Picture:
    """Lay out the graph of an architecture.

    Raises:
        ArchitectureError: If the architecture is not part of the space.
    """
    graph = space.graphs(np.array([space.check(arch).choices]))
    labels = [_label(*node) for node in zip(graph.op, graph.attributes, strict=True)]
    sizes = np.array([_size(label) for label in labels])
    layout = layered(graph.edges, sizes[:, 0] + _GAP, bend=_BEND)
    y = _heights(layout, sizes[:, 1])
    bent = [x for bends in layout.bends for x, _ in bends] or [0.0]
    nodes = tuple(
        DrawnNode(
            (float(layout.x[node]), -float(y[node])),
            float(sizes[node, 0]),
            float(sizes[node, 1]),
            label,
            _KINDS.get(OPERATIONS[int(graph.op[node])], "computes"),
        )
        for node, label in enumerate(labels)
    )
    return Picture(
        nodes,
        tuple(_curves(graph.edges.T.tolist(), layout, y, sizes)),
        left=float(min((layout.x - sizes[:, 0] / 2).min(), *bent)),
        right=float(max((layout.x + sizes[:, 0] / 2).max(), *bent)),
        bottom=-float(y.max()) - LINE,
        top=LINE,
    )


def _label(op: Any, attributes: FloatArray) -> str:
    """Operation and kernel, and the other attributes below them."""
    name = OPERATIONS[int(op)]
    value = {
        key: round(2 ** float(log2)) if log2 else None
        for key, log2 in zip(ATTRIBUTES, attributes, strict=True)
    }
    words = name.replace("_", " ").replace("avg", "average")
    kernel = value["kernel"] or (1 if name == "conv" else None)
    if kernel is not None:
        words += f" {kernel}×{kernel}"
    more = []
    if value["channels_out"] is not None:
        more.append(f"{value['channels_in'] or 1} → {value['channels_out']}")
    more += [f"{key} {value[key]}" for key in ("expansion", "stride") if value[key] is not None]
    if value["repetitions"] is not None:
        more.append(f"{value['repetitions']} times")
    return f"{words}\n{', '.join(more)}" if more else words


def _size(label: str) -> tuple[float, float]:
    lines = label.split("\n")
    return LETTER * max(map(len, lines)) + _PADDING, LINE * len(lines) + _PADDING / 2


def _heights(layout: Layout, heights: FloatArray) -> FloatArray:
    """Distance of each node's centre from the first layer's, downwards: (n,)."""
    tallest = np.array(
        [heights[layout.layer == row].max() for row in range(int(layout.layer.max()) + 1)]
    )
    centres = np.concatenate([[0.0], np.cumsum((tallest[:-1] + tallest[1:]) / 2 + _BETWEEN)])
    return np.asarray(centres[layout.layer])


def _curves(
    edges: list[list[int]], layout: Layout, y: FloatArray, sizes: FloatArray
) -> list[tuple[Point, ...]]:
    """Smooth curves; those of one node begin and end side by side, in the order of paths."""
    depth = {int(row): -float(y[layout.layer == row][0]) for row in layout.layer}
    starts = _ports(edges, layout, sizes, end=0)
    ends = _ports(edges, layout, sizes, end=1)
    found = []
    for (source, target), bends, start, end in zip(edges, layout.bends, starts, ends, strict=True):
        points = [(start, -float(y[source]) - float(sizes[source, 1]) / 2)]
        points += [(x, depth[row]) for x, row in bends]
        points.append((end, -float(y[target]) + float(sizes[target, 1]) / 2))
        vertices = [points[0]]
        for (x0, y0), (x1, y1) in pairwise(points):
            half = (y0 + y1) / 2
            vertices += [(x0, half), (x1, half), (x1, y1)]
        found.append(tuple(vertices))
    return found


def _ports(edges: list[list[int]], layout: Layout, sizes: FloatArray, *, end: int) -> list[float]:
    """Where each edge leaves its source, or reaches its target: x by edge."""
    near = []
    for (source, target), bends in zip(edges, layout.bends, strict=True):
        other = float(layout.x[(target, source)[end]])
        near.append(bends[-end][0] if bends else other)
    places = [0.0] * len(edges)
    for node in range(len(sizes)):
        own = sorted((i for i, edge in enumerate(edges) if edge[end] == node), key=near.__getitem__)
        spread = 0.6 * sizes[node, 0] * (np.arange(len(own)) - (len(own) - 1) / 2)
        for i, shift in zip(own, spread / max(len(own), 1), strict=True):
            places[i] = float(layout.x[node] + shift)
    return places
