"""Finds the rows of encodings in a table, without a dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.spaces.base import ENUMERABLE, Architecture, SearchSpace
from surrogate_nas.spaces.rows import RowIndex

_BLOCK = 1 << 16  # rows in a block, whose intermediate arrays stay in the processor's cache


class TableRows:
    """Finds the row of an encoding: one array access in a small space, else bisection."""

    def __init__(self, space: SearchSpace, keys: IntArray, *, merged: bool) -> None:
        """Index rows by their encodings' numbers.

        Args:
            space: The space of the encodings.
            keys: int64 (rows,), strictly ascending: `SearchSpace.index` of each row's encoding,
                which is a canonical one if merged.
            merged: Whether encodings with one canonical form share a row.
        """
        self._space = space
        self._keys = RowIndex(space, keys)
        self._merged = merged
        self._dense_fits = space.encodings < ENUMERABLE

    def row(self, arch: Architecture) -> int:
        """Row of one architecture, -1 where there is none or it is of another space."""
        number = self._space.number(arch)
        if number < 0:
            return -1
        if self._dense_fits:
            return self._dense_view[number]
        return int(self._search(np.array([arch.choices]))[0])

    def rows(self, choices: IntArray) -> IntArray:
        """Row of each encoding (n, decisions), -1 where there is none: int32 or int64 (n,)."""
        choices = np.asarray(choices)
        if self._dense_fits:
            found = np.empty(len(choices), dtype=np.int32)
            for start in range(0, len(choices), _BLOCK):
                part = slice(start, start + _BLOCK)
                np.take(self._dense, self._numbers(choices[part]), out=found[part], mode="clip")
            return found
        inside = np.all((choices >= 0) & (choices < self._space.sizes), axis=1)
        inside[inside] = self._space.valid(choices[inside])
        rows = np.full(len(choices), -1, dtype=np.int64)
        rows[inside] = self._search(choices[inside])
        return rows

    def _numbers(self, choices: IntArray) -> IntArray:
        """Like `SearchSpace.index`, in int32 and column by column, which is far faster.

        An encoding out of range has the number ``encodings``, one behind the last.
        """
        number = np.zeros(len(choices), dtype=np.int32)
        outside = False
        for i, size in enumerate(self._space.sizes):
            column = np.ascontiguousarray(choices[:, i])
            # Seen as unsigned, a negative number is a large one.
            outside |= bool(column.view(f"u{column.itemsize}").max(initial=0) >= size)
            number *= size
            np.add(number, column, out=number, casting="unsafe")
        if outside:
            number[((choices < 0) | (choices >= self._space.sizes)).any(axis=1)] = (
                self._space.encodings
            )
        return number

    @cached_property
    def _dense(self) -> IntArray:
        """Row of every encoding by its number, and -1 for what is out of range."""
        rows = np.full(self._space.encodings + 1, -1, dtype=np.int32)
        everything = self._space.all_choices()
        rows[self._space.index(everything)] = self._search(everything)
        return rows

    @cached_property
    def _dense_view(self) -> Sequence[int]:
        return cast("Sequence[int]", self._dense.data)

    def _search(self, choices: IntArray) -> IntArray:
        """Row of each valid encoding (n, decisions), -1 where there is none: int64 (n,)."""
        if self._merged:
            choices = self._space.canonicalise(choices)
        return self._keys.find(choices)
