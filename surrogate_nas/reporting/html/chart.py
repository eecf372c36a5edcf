"""Charts that are as wide as the page: stretched SVG for marks, HTML for their texts.

Texts keep their size on every screen, and strokes and points their form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.reporting.html.markup import Child, Html, tag
from surrogate_nas.reporting.html.scales import AxisScale

SERIES = 7
"""Number of colours; with more series they repeat with another dash."""

_SHORT = 24  # characters that leave half of a narrow picture free
_SIZE = 2_000  # units of the stretched picture, each way
_DASHES = ("", "7 4", "2 4")
_MOST_POINTS = 1_000  # of a line


def series(number: int) -> str:
    """The class of a series: its colour."""
    return f"s{number % SERIES}"


def dash(number: int) -> str | None:
    """The dashes of a series."""
    return _DASHES[number // SERIES % len(_DASHES)] or None


class Chart:
    """Marks over two scales."""

    def __init__(
        self, x: AxisScale, y: AxisScale, *, x_label: str, y_label: str, height: int = 280
    ) -> None:
        """An empty chart.

        Args:
            x: The scale to the right.
            y: The scale upwards.
            x_label: What is on it, with its unit.
            y_label: Likewise.
            height: Of the area, in pixels.
        """
        self.x, self.y = x, y
        self.x_label, self.y_label = x_label, y_label
        self.height = height
        self.y_ticks: list[tuple[float, str]] | None = None  # instead of numbers
        self._marks: list[Html] = []
        self._texts: list[Html] = []

    def line(
        self,
        x: FloatArray,
        y: FloatArray,
        *,
        of: int = 0,
        step: bool = False,
        style: str | None = None,
        dashes: str | None = None,
    ) -> None:
        """Join points; a gap where one is not finite. With ``step``, y holds until the next x."""
        marks = self._line(x, y, step=step)
        if marks:
            found = tag(
                "path", d=marks, class_=f"line {series(of)}", stroke_dasharray=dashes or dash(of)
            )
            self._marks.append(found if style is None else Html(found.replace("line", style, 1)))

    def _line(self, x: FloatArray, y: FloatArray, *, step: bool) -> str:
        across, up = self._places(_thinned(np.asarray(x)), _thinned(np.asarray(y)))
        parts: list[str] = []
        before: tuple[int, int] | None = None
        for a, b, there in zip(across.tolist(), up.tolist(), np.isfinite(up).tolist(), strict=True):
            if not there:
                before = None
                continue
            point = round(a), round(b)
            if before is None:
                parts.append(f"M{point[0]} {point[1]}")
            elif step:
                parts.append(f"H{point[0]}" + ("" if before[1] == point[1] else f"V{point[1]}"))
            else:
                parts.append(f"L{point[0]} {point[1]}")
            before = point
        return "".join(parts)

    def band(self, x: FloatArray, low: FloatArray, high: FloatArray, *, of: int = 0) -> None:
        """Fill the area between two lines, all finite."""
        there = np.asarray(x), np.asarray(low), np.asarray(high)
        across, below = self._places(_thinned(there[0]), _thinned(there[1]))
        _, above = self._places(_thinned(there[0]), _thinned(there[2]))
        ends = [*zip(across, above, strict=True), *zip(across[::-1], below[::-1], strict=True)]
        d = "M" + "L".join(f"{a:.0f} {b:.0f}" for a, b in ends) + "Z"
        self._marks.append(tag("path", d=d, class_=f"band {series(of)}"))

    def dots(
        self,
        x: FloatArray,
        y: FloatArray,
        tips: Sequence[str] | None = None,
        *,
        of: int = 0,
        style: str = "dot",
    ) -> None:
        """Draw points; with ``tips``, each tells its text under the pointer and to arrow keys."""
        across, up = self._places(np.asarray(x), np.asarray(y))
        spots = [
            f"M{a:.0f} {b:.0f}h.1" if np.isfinite(a) and np.isfinite(b) else ""
            for a, b in zip(across, up, strict=True)
        ]
        if tips is None:
            marks = [tag("path", d="".join(spots))]
        else:
            pairs = zip(spots, tips, strict=True)
            marks = [tag("path", d=spot, data_tip=tip) for spot, tip in pairs if spot]
        self._marks.append(tag("g", *marks, class_=f"{style} {series(of)}"))

    def bars(
        self, edges: FloatArray, heights: FloatArray, tips: Sequence[str], *, of: int = 0
    ) -> None:
        """Draw bars between neighbouring edges, from the lowest y."""
        sides, _ = self._places(edges, np.zeros(len(edges)))
        _, tops = self._places(np.zeros(len(heights)), heights)
        marks = [
            tag("path", d=f"M{a:.0f} {_SIZE}V{top:.0f}H{b:.0f}V{_SIZE}Z", data_tip=tip)
            for a, b, top, tip in zip(sides[:-1], sides[1:], tops, tips, strict=True)
        ]
        self._marks.append(tag("g", *marks, class_=f"bar {series(of)}"))

    def rule(self, *, x: float | None = None, y: float | None = None, label: str = "") -> None:
        """A line across the whole area, where it is inside, with a label at its end."""
        position = self.y.at(y) if y is not None else self.x.at(x if x is not None else 0.0)
        if not -0.01 <= position <= 1.01:
            return
        if y is not None:
            at = round(_SIZE * (1 - position))
            self._marks.append(tag("path", d=f"M0 {at}H{_SIZE}", class_="rule"))
            # Above the area there is room beside the axis' name, where that is short.
            side = "below" if position > 0.9 and len(self.y_label) > _SHORT else "above"
            style = f"bottom:{100 * position:.2f}%"
        else:
            at = round(_SIZE * position)
            self._marks.append(tag("path", d=f"M{at} 0V{_SIZE}", class_="rule"))
            side = "left" if position > 0.6 else "right"
            style = f"left:{100 * position:.2f}%"
        if label:
            self._texts.append(tag("span", label, class_=f"note {side}", style=style))

    def text(self, x: float, y: float, text: str) -> None:
        """A text to the right of a point."""
        style = f"left:{100 * self.x.at(x):.2f}%;bottom:{100 * self.y.at(y):.2f}%"
        self._texts.append(tag("span", text, class_="beside", style=style))

    def _places(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positions in the picture; what is outside stays at its border."""
        up = 1 - np.clip(self.y(y), -0.02, 1.02)
        return _SIZE * np.clip(self.x(x), -0.02, 1.02), _SIZE * up

    def html(self, label: str) -> Html:
        """The chart; the label says in words what it shows."""
        x_ticks = self.x.ticks(6)
        y_ticks = self.y.ticks(6) if self.y_ticks is None else self.y_ticks
        grid = "".join(f"M0 {_SIZE * (1 - at):.0f}H{_SIZE}" for at, _ in y_ticks)
        box = f"0 0 {_SIZE} {_SIZE}"
        widest = max((text for _, text in y_ticks), key=len, default="")
        svg = tag(
            "svg",
            tag("path", d=grid, class_="grid"),
            self._marks,
            viewBox=box,
            preserveAspectRatio="none",
            aria_hidden="true",
        )
        return plot(
            label,
            tag("div", self.y_label, class_="y-label"),
            tag(
                "div",
                tag("span", widest, class_="ghost"),
                (tag("span", t, style=f"bottom:{100 * at:.2f}%") for at, t in y_ticks),
                class_="y-ticks",
            ),
            tag("div", svg, self._texts, class_="area", style=f"height:{self.height}px"),
            tag(
                "div",
                (tag("span", t, style=f"left:{100 * at:.2f}%") for at, t in x_ticks),
                class_="x-ticks",
            ),
            tag("div", self.x_label, class_="x-label"),
        )


def plot(label: str, *parts: Child, kind: str = "plot", least: int = 0) -> Html:
    """A picture of several parts that is read as one: by its label, and by its points.

    Args:
        label: What it shows, in words.
        parts: Its content.
        kind: Its class.
        least: Its least width in pixels; below it scrolls.
    """
    style = f"min-width:{least}px" if least else None
    return tag(
        "div",
        tag("div", parts, class_="inner", aria_hidden="true", style=style),
        class_=kind,
        tabindex=0,
        role="group",
        aria_roledescription="chart",
        aria_label=label,
    )


def legend(entries: Iterable[tuple[int, str]], *, style: str = "line") -> Html:
    """Names of series, each with its colour and dashes."""
    items = []
    for of, name in entries:
        mark = "M1 6H29" if style == "line" else "M15 6h.1"
        path = tag("path", d=mark, class_=f"{style} {series(of)}", stroke_dasharray=dash(of))
        sample = tag("svg", path, viewBox="0 0 30 12", width=30, height=12, aria_hidden="true")
        items.append(tag("li", sample, tag("span", name)))
    return tag("ul", items, class_="legend")


def figure(title: str, *parts: Child, caption: Child = None) -> Html:
    """A figure with a heading and a caption."""
    return tag(
        "figure",
        tag("h3", title),
        parts,
        None if caption is None else tag("figcaption", caption),
    )


def _thinned(values: FloatArray) -> FloatArray:
    """Every so many values, the last included, if there are too many to be told apart."""
    if len(values) <= _MOST_POINTS:
        return values
    positions = np.linspace(0, len(values) - 1, _MOST_POINTS).round().astype(np.int64)
    return np.asarray(values[positions])
