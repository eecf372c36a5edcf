"""An architecture as a drawing in the page, in its colours."""

from __future__ import annotations

import numpy as np

from surrogate_nas.reporting.html.markup import Html, tag
from surrogate_nas.reporting.picture import DrawnNode, Point, picture
from surrogate_nas.spaces.base import Architecture, SearchSpace

_SCALE = 92.0  # pixels an inch
_MARGIN = 8.0
_BASELINE = 4.3  # of a line below its middle
_LINE = 15.0
_TIP = 6.0  # of an arrow
_LEAST = 0.7  # of its size: smaller, text is hard to read
_WIDE = 240.0  # pixels: wider drawings have a row of their own
_CLASSES = {"pool": "pool", "skip": "skip-node", "computes": "computes", "structure": None}


def operations(space: SearchSpace, arch: Architecture) -> int:
    """Number of nodes of an architecture's graph, 0 where the space draws none."""
    try:
        return len(space.graphs(np.array([arch.choices])).op)
    except NotImplementedError:
        return 0


def network(space: SearchSpace, arch: Architecture) -> Html | None:
    """Draw the graph of an architecture, sources above their targets; None without a graph.

    Raises:
        ArchitectureError: If the architecture is not part of the space.
    """
    if operations(space, arch) == 0:
        return None
    graph = picture(space, arch)
    width = _SCALE * (graph.right - graph.left) + 2 * _MARGIN
    height = _SCALE * (graph.top - graph.bottom) + 2 * _MARGIN

    def at(point: Point) -> tuple[float, float]:
        x = _SCALE * (point[0] - graph.left) + _MARGIN
        return x, _SCALE * (graph.top - point[1]) + _MARGIN

    svg = tag(
        "svg",
        tag("title", f"Graph of {space.format(arch)}, {len(graph.nodes)} operations"),
        (_edge([at(point) for point in points]) for points in graph.edges),
        (_node(node, at(node.centre)) for node in graph.nodes),
        role="img",
        style=f"min-width:{_LEAST * width:.0f}px",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
    )
    label = f"Drawing of {space.format(arch)}"
    kind = "network wide" if _LEAST * width > _WIDE else "network"
    return tag("div", svg, class_=kind, tabindex=0, role="region", aria_label=label)


def _edge(points: list[Point]) -> list[Html]:
    x, y = points[-1]
    ends = [*points[:-1], (x, y - _TIP)]
    curve = " ".join(f"{a:.1f} {b:.1f}" for a, b in ends[1:])
    return [
        tag("path", d=f"M{ends[0][0]:.1f} {ends[0][1]:.1f}C{curve}", class_="edge"),
        tag(
            "path",
            d=f"M{x:.1f} {y:.1f}l{-_TIP / 2} {-_TIP}h{_TIP}z",
            class_="tip",
        ),
    ]


def _node(node: DrawnNode, centre: Point) -> Html:
    x, y = centre
    width, height = _SCALE * node.width, _SCALE * node.height
    lines = node.label.split("\n")
    first = y - _LINE * (len(lines) - 1) / 2 + _BASELINE
    box = tag(
        "rect",
        x=f"{x - width / 2:.1f}",
        y=f"{y - height / 2:.1f}",
        width=f"{width:.1f}",
        height=f"{height:.1f}",
        rx=6,
    )
    texts = (
        tag("text", line, x=f"{x:.1f}", y=f"{first + i * _LINE:.1f}")
        for i, line in enumerate(lines)
    )
    return tag("g", box, texts, class_=_CLASSES[node.kind])
