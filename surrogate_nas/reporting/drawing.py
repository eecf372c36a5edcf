"""An architecture as a picture: its graph in layers, from the input down to the output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.files import reason, writing
from surrogate_nas.reporting.picture import LETTER, LINE, DrawnNode, NodeKind, Point, picture
from surrogate_nas.spaces.base import Architecture, SearchSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = 9.0  # of letters, in points
_MARGIN = 0.25  # inches
_WIDEST = 60  # letters of a line of the title

_COLOURS: dict[NodeKind, str] = {
    "structure": "#e8e8e8",
    "pool": "#fbe3c0",
    "skip": "#ffffff",
    "computes": "#cfe3f3",
}
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

    graph = picture(space, arch)
    title = _lines(space.format(arch))
    least = LETTER * max(map(len, title))
    extra = max(0.0, least - (graph.right - graph.left)) / 2
    left, right = graph.left - extra - _MARGIN, graph.right + extra + _MARGIN
    bottom, top = graph.bottom - _MARGIN, graph.top + _MARGIN + LINE * len(title) + _MARGIN
    figure = Figure(figsize=(right - left, top - bottom))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.axis("off")
    middle = (left + right) / 2
    axes.text(middle, top - _MARGIN, "\n".join(title), ha="center", va="top", size=_SIZE)
    for points in graph.edges:
        _draw_edge(axes, points)
    for node in graph.nodes:
        _draw_node(axes, node)
    return figure


def _lines(text: str) -> list[str]:
    """The text in lines, broken after separators."""
    lines = [""]
    for part in re.findall(r"[^+,:|-]*[+,:|-]?", text):
        if lines[-1] and len(lines[-1]) + len(part) > _WIDEST:
            lines.append("")
        lines[-1] += part
    return lines


def _draw_node(axes: Axes, node: DrawnNode) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = node.centre[0] - node.width / 2, node.centre[1] - node.height / 2
    box = FancyBboxPatch(
        corner,
        node.width,
        node.height,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=_COLOURS[node.kind],
        edgecolor=_EDGE,
        linewidth=0.8,
        zorder=2,
    )
    axes.add_patch(box)
    axes.text(
        *node.centre,
        node.label,
        ha="center",
        va="center_baseline",
        size=_SIZE,
        linespacing=1.3,
        zorder=3,
    )


def _draw_edge(axes: Axes, points: tuple[Point, ...]) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    codes = [Curve.MOVETO, *([Curve.CURVE4] * (len(points) - 1))]
    arrow = FancyArrowPatch(
        path=Curve(list(points), codes),
        arrowstyle="-|>",
        mutation_scale=8,
        color=_EDGE,
        linewidth=0.9,
        shrinkA=0,
        shrinkB=0,
        zorder=1,
    )
    axes.add_patch(arrow)
