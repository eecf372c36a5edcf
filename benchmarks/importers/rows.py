"""Files of rows, one an architecture, whatever their format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import FormatError, UnknownNameError
from surrogate_nas.spaces.base import SearchSpace

_EMPTY = ("", "-", "nan", "none", "null")


class Rows(ABC):
    """Rows of a file.

    Attributes:
        unit: What a place is called in messages: a line or a row.
        header: Names of all columns.
        places: Place of each row in the file, int (rows,); as of `read`.
        bad: What is wrong with a row, by its place; also of rows that are in none of the columns.
    """

    unit: str
    header: Sequence[str]

    def __init__(self) -> None:
        """Nothing is read yet."""
        self.places: IntArray = np.zeros(0, dtype=np.int64)
        self.bad: dict[int, str] = {}

    @abstractmethod
    def read(self, columns: Sequence[str]) -> None:
        """Read these columns, which are in the header.

        Raises:
            FormatError: If the file is damaged.
        """

    @abstractmethod
    def texts(self, column: str) -> list[str]:
        """The cells of a column that was read, one text a row."""

    @abstractmethod
    def numbers(self, column: str) -> FloatArray:
        """The numbers of a column that was read, NaN where a cell is empty: float (rows,).

        A row whose cell is no finite number is bad.
        """

    def check(self, columns: Sequence[str]) -> None:
        """Refuse columns that are not in the header, or twice.

        Raises:
            UnknownNameError: If there is no such column.
            FormatError: If several have the same name.
        """
        for column in columns:
            count = self.header.count(column)
            if count == 0:
                raise UnknownNameError("column", column, self.header)
            if count > 1:
                raise FormatError(f"{count} columns are called {column!r}; rename them")

    def refuse(self, row: int, reason: str) -> None:
        """Note what is wrong with a row, unless something else was before."""
        self.bad.setdefault(int(self.places[row]), reason)

    def architectures(self, space: SearchSpace, column: str) -> IntArray:
        """Encodings (rows, decisions) of a column in the space's notation.

        A row whose text is no architecture is bad.
        """
        choices, errors = space.parse_all([text.strip() for text in self.texts(column)])
        for row, error in errors.items():
            self.refuse(row, str(error))
        return choices

    def decided(self, space: SearchSpace, columns: Sequence[str]) -> IntArray:
        """Encodings (rows, decisions) of columns with names of options, one a decision.

        A row with another text, or that is no architecture, is bad. What a decision that is
        inactive has does not count; it may be empty.
        """
        choices: IntArray = np.zeros((len(self.places), len(space.sizes)), dtype=np.int16)
        empty: BoolArray = np.zeros(choices.shape, dtype=np.bool_)
        for i, (decision, column) in enumerate(zip(space.decisions, columns, strict=True)):
            texts = [text.strip() for text in self.texts(column)]
            number = {text: decision.position(text) for text in set(texts)}
            choices[:, i] = [number[text] for text in texts]
            for row in np.flatnonzero(choices[:, i] < 0).tolist():
                if decision.when and texts[row].lower() in _EMPTY:
                    choices[row, i], empty[row, i] = 0, True
                    continue
                reason = UnknownNameError(f"{decision.name} option", texts[row], decision.options)
                self.refuse(row, f"{column}: {reason}")
        choices = self._settled(space, choices, empty, columns)
        known: BoolArray = np.logical_and.reduce(choices >= 0, axis=1)
        known[known] = ~space.valid(choices[known])
        for row in np.flatnonzero(known).tolist():
            options = (
                f"{decision.name} {decision.options[choice]}"
                for decision, choice in zip(space.decisions, choices[row].tolist(), strict=True)
            )
            self.refuse(row, f"no architecture of {space.name!r}: {', '.join(options)}")
        return np.maximum(choices, 0)

    def _settled(
        self, space: SearchSpace, choices: IntArray, empty: BoolArray, columns: Sequence[str]
    ) -> IntArray:
        """The same without what does not count; empty where it does is bad."""
        good = np.flatnonzero((choices >= 0).all(axis=1))
        missing = empty[good] & space.active(choices[good])
        for row, column in zip(*np.nonzero(missing), strict=True):
            self.refuse(good[row], f"{columns[column]}: is empty, and it counts here; fill it in")
        choices[good] = space.settled(choices[good])
        return choices
