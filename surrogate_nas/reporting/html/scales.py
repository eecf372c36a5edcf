"""Scales of axes, with ticks at round numbers, and numbers with sensible digits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from surrogate_nas._types import FloatArray

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_DECIMALS = 8


@dataclass(frozen=True, slots=True)
class AxisScale:
    """Maps numbers to positions from 0 to 1.

    Attributes:
        low: What is at 0.
        high: What is at 1.
        log: Whether equal factors have equal distances.
        whole: Whether only whole numbers have a meaning.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @classmethod
    def of(
        cls,
        values: Iterable[float],
        *,
        log: bool = False,
        whole: bool = False,
        margin: float = 0.0,
    ) -> AxisScale:
        """A scale that shows all finite values, with a margin in parts of their range."""
        found = np.fromiter(values, dtype=np.float64)
        found = found[np.isfinite(found) & ((found > 0) | (not log))]
        if found.size == 0:
            return cls(1.0, 10.0, log) if log else cls(0.0, 1.0, whole=whole)
        low, high = float(found.min()), float(found.max())
        if log:
            factor = (high / low) ** margin if high > low else 2.0
            return cls(low / factor, high * factor, log=True)
        extra = margin * (high - low) if high > low else abs(high) * 0.05 or 0.5
        return cls(low - extra, high + extra, whole=whole)

    def __call__(self, values: FloatArray) -> FloatArray:
        """The positions of values; what is outside stays outside."""
        low, high = self.low, self.high
        found = np.asarray(values, dtype=np.float64)
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                found, low, high = np.log(found), math.log(low), math.log(high)
        return np.asarray((found - low) / ((high - low) or 1.0))

    def at(self, value: float) -> float:
        """The position of one value."""
        return float(self(np.array([value]))[0])

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Positions and labels of round numbers on the scale."""
        numbers = self._decades(most) if self.log else []
        if len(numbers) < 2:
            numbers = self._round(most)
        decimals = 0 if self.log and min(numbers, default=1) >= 1 else digits_of(numbers)
        labels = [_short(n) if self.log else number(n, decimals) for n in numbers]
        return list(zip((self.at(n) for n in numbers), labels, strict=True))

    def _round(self, most: int) -> list[float]:
        rough = (self.high - self.low) / max(1, most - 1)
        if rough <= 0 or not math.isfinite(rough):
            return [self.low]
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(s for s in _STEPS if s * power >= rough * 0.999) * power
        if self.whole:
            step = max(1.0, round(step))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        found = [n * step for n in range(first, last + 1)]
        return [n for n in found if n > 0] if self.log else found

    def _decades(self, most: int) -> list[float]:
        first, last = math.log10(self.low), math.log10(self.high)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [
                factor * 10.0**power
                for power in range(math.floor(first), math.ceil(last) + 1)
                for factor in factors
            ]
            found = [n for n in found if self.low * 0.999 <= n <= self.high * 1.001]
            if len(found) <= most:
                return found
        stride = math.ceil(len(found) / most)
        return found[::stride]


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
    return "–" if value is None or not math.isfinite(value) else _short(value)


def _short(value: float) -> str:
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def lie(points: int) -> str:
    """How many points lie somewhere."""
    return "1 point lies" if points == 1 else f"{points:,} points lie"


def digits_of_error(error: float) -> int:
    """Number of decimals that writes a standard error, above 0, with two digits."""
    return min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(error))))
