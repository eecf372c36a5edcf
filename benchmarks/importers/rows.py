"""Files with a row for each architecture, in any format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.benchmarks.importers.notations import Reader
from surrogate_nas.benchmarks.importers.options import ABSENT, UNKNOWN, OptionReader
from surrogate_nas.errors import ArchitectureError, FormatError, UnknownNameError
from surrogate_nas.spaces.base import SearchSpace


class Rows(ABC):
    """Rows of a file.

    Attributes:
        unit: The word for a position in messages: a line or a row.
        header: Names of all columns.
        positions: Position of each row in the file, int (rows,), set by `read`.
        decimal_comma: Whether numbers may have a decimal comma.
        bad: What is wrong with a row, by its position; also of rows that are in no column.
    """

    unit: str
    header: Sequence[str]
    decimal_comma: bool = False

    def __init__(self) -> None:
        """Nothing is read yet."""
        self.positions: IntArray = np.zeros(0, dtype=np.int64)
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

    def refuse(self, row: int | np.integer[Any], reason: str) -> None:
        """Record what is wrong with a row, unless it was refused before."""
        self.bad.setdefault(int(self.positions[row]), reason)

    def joined(self, columns: Sequence[str]) -> list[str]:
        """The cells of a column, or those of several joined by ``:``, one text a row."""
        parts = [[text.strip() for text in self.texts(column)] for column in columns]
        return parts[0] if len(parts) == 1 else list(map(":".join, zip(*parts, strict=True)))

    def architectures(
        self, space: SearchSpace, columns: Sequence[str], reader: Reader | None, *, nearest: bool
    ) -> IntArray:
        """Encodings (rows, decisions) of a column that holds whole architectures.

        A row whose text is no architecture is bad.

        Args:
            space: Their space.
            columns: The column, or several whose cells are joined by ``:``.
            reader: Reads their notation; None for that of the space.
            nearest: As in `OptionReader`.
        """
        texts = self.joined(columns)
        named = f" (column {', '.join(columns)})"
        chosen: dict[int, list[str]] = {}
        if reader is None:
            choices, errors = space.parse_all(texts)
        else:
            choices, errors, chosen = _read(space, texts, reader)
        for row in sorted(errors):
            self.refuse(row, f"{errors[row]}{named}")
        if chosen:
            numbers = list(chosen)
            options = list(map(list, zip(*chosen.values(), strict=True)))
            labels = [", ".join(columns)] * len(space.sizes)
            choices[numbers] = self._decided(space, labels, options, np.array(numbers), nearest)
        return choices

    def decided(
        self,
        space: SearchSpace,
        columns: Sequence[str],
        fixed: Mapping[str, str],
        *,
        nearest: bool = False,
    ) -> IntArray:
        """Encodings (rows, decisions) of columns with options, one a decision.

        A row with an unknown option, or that is no architecture, is bad. A cell may be empty where
        the decision is inactive.

        Args:
            space: Their space.
            columns: A column for each decision that is not fixed, in the order of the decisions.
            fixed: Option by name of the decisions without a column.
            nearest: As in `OptionReader`.
        """
        rest = iter(columns)
        labels, options = [], []
        for decision in space.decisions:
            if decision.name in fixed:
                labels.append(decision.name)
                options.append([fixed[decision.name]] * len(self.positions))
            else:
                labels.append(next(rest))
                options.append([text.strip() for text in self.texts(labels[-1])])
        return self._decided(space, labels, options, np.arange(len(self.positions)), nearest)

    def _decided(
        self,
        space: SearchSpace,
        labels: Sequence[str],
        options: Sequence[Sequence[str]],
        rows: IntArray,
        nearest: bool,
    ) -> IntArray:
        """Encodings (rows, decisions) from the texts of the options of each decision."""
        comma = self.decimal_comma
        readers = [OptionReader(d, nearest=nearest, decimal_comma=comma) for d in space.decisions]
        read = [reader.numbers(texts) for reader, texts in zip(readers, options, strict=True)]
        choices = np.array(read, dtype=np.int16).T.reshape(len(rows), len(readers))
        bad = choices == UNKNOWN
        whole: BoolArray = ~bad.any(axis=1)
        if (choices[whole] == ABSENT).any():
            found = np.maximum(choices[whole], 0)
            active = space.active(found)
            bad[whole] = (choices[whole] == ABSENT) & active
            choices[whole] = np.where(active, found, 0)
        else:
            choices[whole] = space.settled(choices[whole])
        for i, row in np.argwhere(bad.T).tolist():
            reason = str(readers[i].unknown(options[i][row]))
            if readers[i].decision.when and choices[row, i] != UNKNOWN:
                reason = "is empty, and it counts here; fill it in"
            self.refuse(rows[row], f"{labels[i]}: {reason}")
        good = ~bad.any(axis=1)
        good[good] = ~space.valid(choices[good])
        for row in np.flatnonzero(good).tolist():
            told = (
                f"{decision.name} {decision.options[choice]}"
                for decision, choice in zip(space.decisions, choices[row].tolist(), strict=True)
            )
            self.refuse(rows[row], f"no architecture of {space.name!r}: {', '.join(told)}")
        return np.maximum(choices, 0)


def _read(
    space: SearchSpace, texts: Sequence[str], reader: Reader
) -> tuple[IntArray, dict[int, ArchitectureError], dict[int, list[str]]]:
    """Read a notation that is not the space's own.

    Returns:
        Encodings (rows, decisions) of the texts that it converts into the space's notation,
        errors by row, and options by row of the other texts.
    """
    native: dict[int, str] = {}
    errors: dict[int, ArchitectureError] = {}
    chosen: dict[int, list[str]] = {}
    for row, text in enumerate(texts):
        try:
            found = reader(space, text)
        except ArchitectureError as error:
            errors[row] = error
            continue
        if isinstance(found, str):
            native[row] = found
        else:
            chosen[row] = found
    choices: IntArray = np.zeros((len(texts), len(space.sizes)), dtype=np.int16)
    if native:
        rows = list(native)
        choices[rows], wrong = space.parse_all(list(native.values()))
        errors |= {rows[i]: reason for i, reason in wrong.items()}
    return choices, errors, chosen
