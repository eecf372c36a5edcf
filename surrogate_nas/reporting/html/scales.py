"""Scales of axes, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.reporting.digits import digits_of, number, short

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


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
        labels = [short(n) if self.log else number(n, decimals) for n in numbers]
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


def lie(points: int) -> str:
    """How many points lie somewhere."""
    return "1 point lies" if points == 1 else f"{points:,} points lie"
