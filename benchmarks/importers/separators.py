"""Finds the separator of the cells of a text by the columns that it must give."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from surrogate_nas.errors import FormatError, InvalidArgumentError

BLANKS = " "
"""The separator of cells that are separated by any number of spaces and tabs."""

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blanks": BLANKS}
"""By their names, in the order in which they are tried."""

_LOOKED_AT = 20  # lines
_WORD = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


def read_separator(text: str) -> str:
    """The separator of a name of `SEPARATORS`, or the character itself.

    Raises:
        InvalidArgumentError: If it is neither.
    """
    found = SEPARATORS.get(text, "\t" if text == r"\t" else text)
    if len(found) != 1 or not found.isascii() or found.isalnum() or found in '"\r\n.-+_':
        raise InvalidArgumentError(
            f"--separator must be {', '.join(SEPARATORS)} or one character that is no letter, "
            f"digit, quote or part of a number, got {text!r}"
        )
    return found


class BlankReader:
    """Reads lines of cells that blanks separate; a cell with blanks stands in quotes."""

    def __init__(self, lines: Iterator[str]) -> None:
        """Read lines, with or without newlines at their ends."""
        self._lines = lines
        self.line_num = 0

    def __iter__(self) -> BlankReader:
        return self

    def __next__(self) -> list[str]:
        """The cells of the next line."""
        line = next(self._lines)
        self.line_num += 1
        return [
            match[1].replace('""', '"') if match[1] is not None else match[2]
            for match in _WORD.finditer(line)
        ]


def cells_of(line: str, separator: str) -> list[str]:
    """The cells of one line; none if it is no CSV."""
    if separator == BLANKS:
        return next(BlankReader(iter([line])))
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def by_header(line: str, needed: Sequence[str]) -> str:
    """The separator that gives the most of the needed columns of a header.

    Of several equals it is the first that gives more than one column, else the comma.
    """
    parted = {separator: cells_of(line, separator) for separator in SEPARATORS.values()}
    made = {s: len(set(needed) & set(cells)) for s, cells in parted.items()}
    most = max(made.values())
    best = [s for s, count in made.items() if count == most]
    return next((s for s in best if len(parted[s]) > 1), best[0])


def by_count(path: object, lines: Sequence[str], names: Sequence[str]) -> str:
    """The separator that gives as many cells as there are names, in most of the lines.

    Raises:
        FormatError: If none does in more than half of them.
    """
    looked = [line for line in lines if line.strip()][:_LOOKED_AT]
    counts = {s: [len(cells_of(line, s)) for line in looked] for s in SEPARATORS.values()}
    fits = {s: found.count(len(names)) for s, found in counts.items()}
    best = max(fits, key=lambda s: fits[s])
    if looked and 2 * fits[best] <= len(looked):
        first = ", ".join(f"{word} {counts[s][0]}" for word, s in SEPARATORS.items())
        raise FormatError(
            f"{path}: --columns names {len(names)} columns ({', '.join(names)}), but no separator "
            f"gives as many cells in most lines; cells of the first line by separator: {first}; "
            "name every column, or the separator with --separator"
        )
    return best
