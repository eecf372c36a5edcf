"""Numbers in the cells of a text, read all at once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray

# Whole numbers with this many digits, and such powers of ten, are exact as floats. So the quotient
# of two is the float nearest to the decimal.
_DIGITS = 15
_POWERS = np.array([float(10**i) for i in range(_DIGITS + 3)])
_ZERO, _POINT, _MINUS = b"0.-"


class Cells(NamedTuple):
    """Cells of one column of a text.

    Attributes:
        buffer: The text in UTF-8.
        starts: Where each cell begins, int (rows,).
        ends: Where each cell ends, likewise.
    """

    buffer: bytes
    starts: IntArray
    ends: IntArray

    @classmethod
    def of(cls, texts: list[str]) -> Cells:
        """One cell for each text."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([len(cell) for cell in encoded], dtype=np.int64)
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        return cls(b"".join(encoded), starts, ends)

    def texts(self) -> list[str]:
        """All cells."""
        places = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return [self.buffer[start:end].decode() for start, end in places]

    def text(self, row: int) -> str:
        """One cell."""
        return self._cell(row).decode()

    def _cell(self, row: int) -> bytes:
        return self.buffer[self.starts[row] : self.ends[row]]

    def numbers(self) -> FloatArray:
        """Numbers, float (rows,), NaN where a cell is empty, infinite where it is no number."""
        values = np.full(len(self.starts), np.nan)
        plain = self._plain(values)
        for row in np.flatnonzero(~plain & (self.ends > self.starts)).tolist():
            values[row] = _number(self._cell(row))
        return values

    def _plain(self, values: FloatArray) -> BoolArray:
        """Fill in plain decimals of few digits, such as -12.5; returns their rows: bool (rows,)."""
        size = self.ends - self.starts
        short = (size > 0) & (size <= _DIGITS + 2)
        if not short.any():
            return short
        starts, ends, size = self.starts[short], self.ends[short], size[short]
        text = np.frombuffer(self.buffer, dtype=np.uint8)
        whole = np.zeros(len(size), dtype=np.int64)
        digits = np.zeros(len(size), dtype=np.int8)
        points, decimals = digits.copy(), digits.copy()
        # From the left, all cells aligned at their right ends.
        for rest in range(int(size.max()), 0, -1):
            char = text[ends - rest]
            digit = char - np.uint8(_ZERO)
            inside = size >= rest
            counts = inside & (digit <= 9)
            whole = np.where(counts, whole * 10 + digit, whole)
            digits += counts
            decimals += counts & (points > 0)
            points += inside & (char == _POINT)
        negative = text[starts] == _MINUS
        good = (digits + points + negative == size) & (points <= 1)
        good &= (digits >= 1) & (digits <= _DIGITS)
        found = whole / _POWERS[decimals] * np.where(negative, -1.0, 1.0)
        short[short] = good
        values[short] = found[good]
        return short


def _number(cell: bytes) -> float:
    """One number; infinite if the cell is no number."""
    try:
        # To Python, 1_0 is ten.
        return math.inf if b"_" in cell else float(cell) if cell.strip() else math.nan
    except ValueError:
        return math.inf
