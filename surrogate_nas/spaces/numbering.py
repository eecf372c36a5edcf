"""Encodings as numbers that can be sorted, compared and looked up, however large a space is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas._types import IntArray

Numbers = npt.NDArray[Any]
"""One for each encoding, (n,): int64, or bytes of equal length where 63 bits are too few."""

_LIMIT = 2**63


class Numbering:
    """Mixed-radix numbers of encodings, the first decision most significant.

    They are int64 if all are below 2**63. Otherwise they are the choices as big-endian bytes, which
    NumPy compares, sorts and searches in the same order.

    Attributes:
        count: Number of encodings.
        weights: int64 (decisions,), what one step of each decision adds; None where numbers are
            bytes.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """Number the encodings of decisions, given the number of options of each."""
        self.count = math.prod(sizes)
        self._sizes = tuple(sizes)
        self.weights: IntArray | None = None
        if self.count <= _LIMIT:
            weights = [1]
            for size in reversed(sizes[1:]):
                weights.append(weights[-1] * size)
            self.weights = np.array(weights[::-1], dtype=np.int64)
        self._digit = np.dtype("u1" if max(sizes) <= 256 else ">u2")

    def number(self, choices: IntArray) -> Numbers:
        """Numbers of encodings (n, decisions) in range: (n,)."""
        if self.weights is not None:
            return np.asarray(np.asarray(choices, dtype=np.int64) @ self.weights)
        digits = np.ascontiguousarray(choices, dtype=self._digit)
        width = len(self._sizes) * self._digit.itemsize
        return digits.view(f"S{width}").reshape(len(digits))

    def choices(self, numbers: Numbers | Sequence[int]) -> IntArray:
        """Inverse of `number`, also of Python's ints: int16 (n, decisions)."""
        if not isinstance(numbers, np.ndarray):
            numbers = np.array(numbers, dtype=object)  # NumPy would convert large ints to floats
        if numbers.dtype.kind == "S":
            digits = np.ascontiguousarray(numbers).view(self._digit)
            return digits.reshape(len(numbers), len(self._sizes)).astype(np.int16)
        if self.weights is not None:
            digits = numbers.astype(np.int64)[:, None] // self.weights
            return np.asarray(digits % np.array(self._sizes), dtype=np.int16)
        rest, columns = numbers.astype(object), []
        for size in reversed(self._sizes):
            columns.append((rest % size).astype(np.int16))
            rest = rest // size
        return np.stack(columns[::-1], axis=1)
