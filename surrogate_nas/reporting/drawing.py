"""An architecture as a picture: its graph in layers, from the input down to the output."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.files import reason, writing
from surrogate_nas.reporting.layout import Layout, layered
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# All in inches: a unit of the drawing is one.
_SIZE = 9.0  # of letters, in points
_LETTER, _LINE = 0.078, 0.17
_PADDING = 0.2
_GAP = 0.3  # between neighbours of a layer
_BETWEEN = 0.42  # two layers
_BEND = 0.3
_MARGIN = 0.25
_WIDEST = 60  # letters of a line of the title

_STRUCTURE, _POOL, _SKIP, _COMPUTES = "#e8e8e8", "#fbe3c0", "#ffffff", "#cfe3f3"
_COLOURS = dict.fromkeys(("input", "output", "sum", "concat"), _STRUCTURE)
_COLOURS |= {"max_pool": _POOL, "avg_pool": _POOL, "skip": _SKIP}
_EDGE = "#555555"


def draw_architecture(path: Path, space: SearchSpace, arch: Architecture) -> None:
    """Write `architecture_figure` as a file that ends in .png, .svg or .pdf.

    Raises:
        ArchitectureError: If the architecture is not part of the space.
        InvalidArgumentError: If the file cannot be written.
    """
    import matplotlib as mpl

    vector = path.suffix.lower() in (".svg", ".pdf")
    date = {"Date" if path.suffix.lower() == ".svg" else "CreationDate": None}
    with mpl.rc_context({"svg.hashsalt": "surrogate-nas"}):  # the same file each time
        try:
            figure = architecture_figure(space, arch)
            with writing(path) as file:
                kind = path.suffix[1:].lower()
                figure.savefig(file, dpi=150, format=kind, metadata=date if vector else None)
        except OSError as error:
            raise InvalidArgumentError(f"cannot write {str(path)!r}: {reason(error)}") from error


def architecture_figure(space: SearchSpace, arch: Architecture) -> Figure:
    """Draw the graph of an architecture: operations as nodes, sources above their targets.

    Raises:
        ArchitectureError: If the architecture is not part of the space.
    """
    from matplotlib.figure import Figure

    graph = space.graphs(np.array([space.check(arch).choices]))
    labels = [_label(*node) for node in zip(graph.op, graph.attributes, strict=True)]
    sizes = np.array([_size(label) for label in labels])
    layout = layered(graph.edges, sizes[:, 0] + _GAP, bend=_BEND)
    y = _heights(layout, sizes[:, 1])
    title = _lines(space.format(arch))
    left = min((layout.x - sizes[:, 0] / 2).min(), *_bent(layout))
    right = max((layout.x + sizes[:, 0] / 2).max(), *_bent(layout))
    least = _LETTER * max(map(len, title))
    extra = max(0.0, least - (right - left)) / 2
    left, right = left - extra - _MARGIN, right + extra + _MARGIN
    bottom, top = -y.max() - _LINE - _MARGIN, _LINE + _MARGIN + _LINE * len(title) + _MARGIN
    figure = Figure(figsize=(right - left, top - bottom))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.axis("off")
    middle = (left + right) / 2
    axes.text(middle, top - _MARGIN, "\n".join(title), ha="center", va="top", size=_SIZE)
    _draw_edges(axes, graph.edges.T.tolist(), layout, y, sizes)
    for node, label in enumerate(labels):
        colour = _COLOURS.get(OPERATIONS[int(graph.op[node])], _COMPUTES)
        _draw_node(axes, (float(layout.x[node]), -float(y[node])), sizes[node], label, colour)
    return figure


def _lines(text: str) -> list[str]:
    """The text in lines, broken after separators."""
    lines = [""]
    for part in re.findall(r"[^+,:|-]*[+,:|-]?", text):
        if lines[-1] and len(lines[-1]) + len(part) > _WIDEST:
            lines.append("")
        lines[-1] += part
    return lines


def _bent(layout: Layout) -> list[float]:
    return [x for bends in layout.bends for x, _ in bends] or [0.0]


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
    return _LETTER * max(map(len, lines)) + _PADDING, _LINE * len(lines) + _PADDING / 2


def _heights(layout: Layout, heights: FloatArray) -> FloatArray:
    """Distance of each node's centre from the first layer's, downwards: (n,)."""
    tallest = np.array(
        [heights[layout.layer == row].max() for row in range(int(layout.layer.max()) + 1)]
    )
    centres = np.concatenate([[0.0], np.cumsum((tallest[:-1] + tallest[1:]) / 2 + _BETWEEN)])
    return np.asarray(centres[layout.layer])


def _draw_node(
    axes: Axes, centre: tuple[float, float], size: FloatArray, label: str, colour: str
) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = size
    corner = centre[0] - width / 2, centre[1] - height / 2
    box = FancyBboxPatch(
        corner,
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=colour,
        edgecolor=_EDGE,
        linewidth=0.8,
        zorder=2,
    )
    axes.add_patch(box)
    axes.text(
        *centre, label, ha="center", va="center_baseline", size=_SIZE, linespacing=1.3, zorder=3
    )


def _draw_edges(
    axes: Axes, edges: list[list[int]], layout: Layout, y: FloatArray, sizes: FloatArray
) -> None:
    """Draw smooth arrows; those of one node begin and end side by side, in the order of paths."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    depth = {int(row): -float(y[layout.layer == row][0]) for row in layout.layer}
    starts = _ports(edges, layout, sizes, end=0)
    ends = _ports(edges, layout, sizes, end=1)
    for (source, target), bends, start, end in zip(edges, layout.bends, starts, ends, strict=True):
        points = [(start, -float(y[source]) - float(sizes[source, 1]) / 2)]
        points += [(x, depth[row]) for x, row in bends]
        points.append((end, -float(y[target]) + float(sizes[target, 1]) / 2))
        vertices, codes = [points[0]], [Curve.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(points):
            half = (y0 + y1) / 2
            vertices += [(x0, half), (x1, half), (x1, y1)]
            codes += [Curve.CURVE4] * 3
        arrow = FancyArrowPatch(
            path=Curve(vertices, codes),
            arrowstyle="-|>",
            mutation_scale=8,
            color=_EDGE,
            linewidth=0.9,
            shrinkA=0,
            shrinkB=0,
            zorder=1,
        )
        axes.add_patch(arrow)


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
