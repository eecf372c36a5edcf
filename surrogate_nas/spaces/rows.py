"""Finds rows of encodings by bisection, and repeated rows, without a dictionary."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.numbering import Numbers


class Numbered(Protocol):
    """What gives encodings sortable numbers: a `SearchSpace`."""

    def index(self, choices: IntArray) -> Numbers:
        """The numbers of encodings (n, decisions): (n,)."""
        ...


class RowIndex:
    """Finds encodings (n, decisions) among given ones. All of them are encodings of one space.

    Attributes:
        all: int (rows,), the numbers of all rows. `find` returns this very array when it is given
            all encodings in their order.
    """

    def __init__(self, space: Numbered, numbers: Numbers) -> None:
        """Index rows.

        Args:
            space: The space of the encodings.
            numbers: (rows,), strictly ascending: `SearchSpace.index` of each row's encoding.
        """
        self._space = space
        self._numbers = numbers
        self.all: IntArray = np.arange(len(numbers))
        self.all.setflags(write=False)

    @classmethod
    def of(cls, space: Numbered, choices: IntArray) -> Self:
        """Index encodings (rows, decisions), which are strictly ascending by their `index`."""
        return cls(space, space.index(choices))

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, choices: IntArray) -> IntArray:
        """Row of each encoding (n, decisions), -1 where there is none: int (n,)."""
        number = self._space.index(choices)
        if np.array_equal(number, self._numbers):
            return self.all
        if not len(self):
            return np.full(len(number), -1)
        row = np.minimum(np.searchsorted(self._numbers, number), len(self) - 1)
        return np.where(self._numbers[row] == number, row, -1)

    def require(self, choices: IntArray) -> IntArray:
        """Row of each encoding (n, decisions): int (n,).

        Raises:
            ArchitectureError: If one has no row; the message shows the first.
        """
        row = self.find(choices)
        if (row < 0).any():
            example = choices[np.argmax(row < 0)].tolist()
            raise ArchitectureError(f"{example} is not an architecture of {self._space!r}")
        return row


def distinct(space: Numbered, choices: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct rows among encodings (n, decisions).

    Returns:
        int (m,), the first row of each different encoding, ascending by `SearchSpace.index`, and
        int (n,), for each row the position of its encoding among these.
    """
    _, first, group = np.unique(space.index(choices), return_index=True, return_inverse=True)
    return first, group
