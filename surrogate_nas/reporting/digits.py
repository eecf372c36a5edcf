"""Numbers with sensible digits."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from surrogate_nas._types import FloatArray

_MOST_DECIMALS = 8


def digits_of(values: Iterable[float]) -> int:
    """Number of decimals that distinguish values: three digits of their range."""
    found = np.fromiter(values, dtype=np.float64)
    found = np.unique(found[np.isfinite(found)])
    if found.size < 2:
        return _needed(found)
    spread = float(found[-1] - found[0])
    decimals = max(0, 2 - math.floor(math.log10(spread)))
    return min(decimals, _needed(found), _MOST_DECIMALS)


def _needed(values: FloatArray) -> int:
    """The decimals that write values exactly, at most those of six digits."""
    for decimals in range(7):
        if np.allclose(values, np.round(values, decimals), rtol=1e-9, atol=1e-12):
            return decimals
    largest = float(np.abs(values).max()) if values.size else 1.0
    return max(0, min(_MOST_DECIMALS, 5 - math.floor(math.log10(largest or 1.0))))


def number(value: float | None, decimals: int) -> str:
    """A number with a given number of decimals, or a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def short(value: float | None) -> str:
    """A number with three significant digits, or a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share in percent with two significant digits, and all of those before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def unit_of_costs(costs: FloatArray) -> str:
    """``"epochs"``, or nothing where they are a table's own numbers, such as mean seconds."""
    return "epochs" if np.array_equal(costs, np.round(costs), equal_nan=True) else ""


def digits_of_error(error: float) -> int:
    """Number of decimals that writes a standard error, above 0, with two digits."""
    return min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(error))))
