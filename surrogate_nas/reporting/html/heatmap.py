"""Matrices of numbers as tables with coloured cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.reporting.html.markup import Child, Html, join, tag


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: FloatArray,
    texts: Sequence[Sequence[Child]],
    *,
    caption: str,
) -> Html:
    """A matrix; the stronger the colour of a cell, the larger its value from 0 to 1.

    Args:
        rows: Names of the rows.
        columns: Names of the columns.
        values: float (rows, columns); what is not finite has no colour.
        texts: What stands in the cells.
        caption: What the matrix shows.
    """
    head = tag("tr", tag("td", class_="corner"), (tag("th", c, scope="col") for c in columns))
    body = []
    for name, line, shown in zip(rows, values, texts, strict=True):
        cells = (
            tag("td", text, style=_style(float(value)))
            for text, value in zip(shown, line, strict=True)
        )
        body.append(tag("tr", tag("th", name, scope="row"), cells))
    inner = tag(
        "table",
        tag("caption", caption, class_="hidden"),
        tag("thead", head),
        tag("tbody", body),
        class_="heat",
    )
    box = tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)
    return join(tag("p", caption, class_="caption"), box)


def _style(value: float) -> str | None:
    if not np.isfinite(value):
        return None
    strength = round(100 * min(max(value, 0.0), 1.0))
    # Mixed with the page's colour, so that text keeps its contrast in light and dark.
    return f"--heat:color-mix(in srgb,var(--s0) {round(0.5 * strength)}%,var(--card))"
