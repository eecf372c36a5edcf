"""Small pictures of results for notebooks: SVG in the colours of the page."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np

from surrogate_nas._types import FloatArray

_WIDTH, _HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 20, 40
# Okabe and Ito's palette, as far as it can be seen on white and on black.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#999999", "#E69F00")


def line_picture(
    lines: Mapping[str, Sequence[float] | FloatArray],
    *,
    x_label: str,
    y_label: str,
    points: Sequence[float] | FloatArray = (),
    log: bool = False,
) -> str:
    """Draw lines over 0, 1, 2, …, which hold their value until the next one.

    Args:
        lines: Values by name; what is not finite is a gap.
        x_label: What is counted.
        y_label: What the values are.
        points: Further values, as points; those far outside the lines are left out.
        log: Whether equal factors have equal distances.

    Returns:
        An element ``svg``; empty without a finite value.
    """
    found = {name: np.asarray(values, dtype=np.float64) for name, values in lines.items()}
    every = np.concatenate([*found.values(), np.zeros(0)])
    every = every[np.isfinite(every) & ((every > 0) | (not log))]
    if not every.size:
        return ""
    change = np.log10 if log else np.asarray
    low, high = float(change(every.min())), float(change(every.max()))
    extra = 0.08 * (high - low) or abs(high) * 0.05 or 0.5
    low, high = low - extra, high + extra
    count = max(len(values) for values in found.values())
    across = (_WIDTH - _LEFT - _RIGHT) / max(1, count - 1)

    def place(index: int, value: float) -> tuple[float, float]:
        up = (float(change(value)) - low) / (high - low)
        return _LEFT + across * index, _TOP + (1 - up) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_axis(low, high, count, log=log, x_label=x_label, y_label=y_label)]
    dots = [
        place(i, float(value))
        for i, value in enumerate(points)
        if math.isfinite(value) and (value > 0 or not log) and low <= change(value) <= high
    ]
    if dots:
        d = "".join(f"M{x:.1f} {y:.1f}h.1" for x, y in dots)
        parts.append(
            f'<path d="{d}" stroke="currentColor" stroke-opacity=".4" stroke-width="4" '
            'stroke-linecap="round"/>'
        )
    for number, (name, values) in enumerate(found.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [place(i, v) if _drawn(v, log) else None for i, v in enumerate(values)]
        parts.append(_line(places, colour))
        if len(found) > 1:
            y = _TOP + 14 + 16 * number
            parts.append(
                f'<text x="{_WIDTH - _RIGHT}" y="{y}" text-anchor="end" fill="{colour}">'
                f"{html.escape(name)}</text>"
            )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="{html.escape(y_label)} over {html.escape(x_label)}" '
        'style="max-width:100%;font:12px system-ui,sans-serif;color:inherit" fill="none">'
        f"{''.join(parts)}</svg>"
    )


def _drawn(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _line(places: Sequence[tuple[float, float] | None], colour: str) -> str:
    d, before = "", False
    for place in places:
        if place is not None:
            x, y = place
            d += f"H{x:.1f}V{y:.1f}" if before else f"M{x:.1f} {y:.1f}"
        before = place is not None
    return f'<path d="{d}" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'


def _axis(low: float, high: float, count: int, *, log: bool, x_label: str, y_label: str) -> str:
    bottom = _HEIGHT - _BOTTOM
    text = []
    for part in (0.1, 0.5, 0.9):
        value = low + part * (high - low)
        y = _TOP + (1 - part) * (bottom - _TOP)
        shown = f"{10**value if log else value:.4g}"
        text.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
        line = f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"
        text.append(f'<path d="{line}" stroke="currentColor" stroke-opacity=".15"/>')
    for index in (0, count - 1):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (index / max(1, count - 1))
        anchor = "end" if index else "start"
        text.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="{anchor}">{index}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    text.append(
        f'<text x="{middle}" y="{bottom + 32}" text-anchor="middle">{html.escape(x_label)}</text>'
    )
    text.append(f'<text x="{_LEFT}" y="{_TOP - 4}">{html.escape(y_label)}</text>')
    return f'<g fill="currentColor">{"".join(text)}</g>'
