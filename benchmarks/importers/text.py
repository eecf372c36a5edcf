"""The cells of a CSV file, and what is wrong with them, by line."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import (
    ArchitectureError,
    FormatError,
    InvalidArgumentError,
    UnknownNameError,
)
from surrogate_nas.spaces.base import SearchSpace

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


def read_rows(
    path: Path, wanted: Sequence[str]
) -> tuple[IntArray, Sequence[str], list[Sequence[str]], dict[int, str]]:
    """Read two columns or more.

    Returns:
        The line of each row (rows,), the cells of the first column, those of each other one, and
        by its line what is wrong with a row that is in none of them.

    Raises:
        InvalidArgumentError: If the file cannot be opened.
        UnknownNameError: If it has no such column.
        FormatError: If it is cut off, damaged, or no CSV text.
    """
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    bad: dict[int, str] = {}
    line = 1
    try:
        with open(path, "rb") as raw:
            magic = raw.read(4)
        if magic == _PARQUET:
            raise FormatError(
                f"{path} is a Parquet file, which is not read yet; convert it to CSV, for example "
                "with pandas.read_parquet(…).to_csv(…, index=False)"
            )
        opener = gzip.open if magic.startswith(_GZIP) else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            header = next(reader, [])
            pick = itemgetter(*(_place(header, column) for column in wanted))
            line = reader.line_num + 1
            for row in reader:
                if len(row) == len(header):
                    rows.append(pick(row))
                    lines.append(line)
                elif row:  # an empty line is none
                    cut = "cut off" if len(row) < len(header) else "too long"
                    bad[line] = f"the row is {cut}: {len(row)} cells, not {len(header)}"
                line = reader.line_num + 1
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(
            f"{path} is damaged or cut off behind line {line - 1} ({error}); get it again"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path} is no CSV text in UTF-8, line {line} or behind: {error}"
        ) from error
    except OSError as error:
        raise InvalidArgumentError(f"cannot read the file {path}: {error.strerror}") from error
    texts, *cells = zip(*rows, strict=True) if rows else ((),) * len(wanted)
    return np.array(lines, dtype=np.int64), texts, list(cells), bad


def _place(header: Sequence[str], column: str) -> int:
    if column not in header:
        raise UnknownNameError("column", column, header)
    if header.count(column) > 1:
        raise FormatError(f"{header.count(column)} columns are called {column!r}; rename them")
    return header.index(column)


def parse_all(
    space: SearchSpace, texts: Sequence[str], lines: IntArray, bad: dict[int, str]
) -> IntArray:
    """Encodings (rows, decisions), zeros where a text is none, which ``bad`` tells by its line."""
    choices = np.zeros((len(texts), len(space.sizes)), dtype=np.int16)
    for row, text in enumerate(texts):
        try:
            choices[row] = space.parse(text.strip()).choices
        except ArchitectureError as error:
            bad[int(lines[row])] = str(error)
    return choices


def parse_numbers(
    cells: Sequence[str], column: str, lines: IntArray, bad: dict[int, str]
) -> FloatArray:
    """The numbers of a column (rows,), NaN where a cell is empty; ``bad`` tells what is none."""
    try:
        values = np.array([float(cell) if cell else math.nan for cell in cells])
    except ValueError:
        values = np.array([_number(cell) for cell in cells])
    if "_" in "".join(cells):  # to Python, 1_0 is ten
        values[["_" in cell for cell in cells]] = math.inf
    for row in np.flatnonzero(np.isinf(values)).tolist():
        bad.setdefault(int(lines[row]), f"{column} is no finite number: {cells[row]!r}")
    return values


def _number(cell: str) -> float:
    """One number; infinite where the cell is none."""
    try:
        return float(cell) if cell.strip() else math.nan
    except ValueError:
        return math.inf
