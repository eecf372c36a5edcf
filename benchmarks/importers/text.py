"""The cells of a CSV file, and what is wrong with its rows, by line."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.bounded import MAX_SIZE, read_bounded
from surrogate_nas.benchmarks.importers.decimals import Cells
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.benchmarks.importers.separators import (
    BLANKS,
    BlankReader,
    by_count,
    by_header,
    read_separator,
)
from surrogate_nas.benchmarks.importers.written import read_numbers
from surrogate_nas.errors import FormatError, InvalidArgumentError

_PARQUET, _MARK = b"PAR1", b"\xef\xbb\xbf"
_RETURN, _NEWLINE = b"\r\n"


def read_content(path: Path, max_size: int = MAX_SIZE) -> bytes | None:
    """The text of a CSV file in UTF-8, without a mark; None for a Parquet file.

    Args:
        path: The file, compressed by gzip or bzip2 or not.
        max_size: Most bytes of text.

    Raises:
        InvalidArgumentError: If the file cannot be read.
        FormatError: If it is damaged, cut off, too large, or no text in UTF-8.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(len(_PARQUET))
        if start == _PARQUET:
            return None
        content = read_bounded(path, start, max_size).removeprefix(_MARK)
        content.decode()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path} is damaged or cut off ({error}); get it again") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{path} is no CSV text in UTF-8, line {line}: {error}") from error
    except OSError as error:
        if error.errno is None:  # raised for data that are not bzip2
            raise FormatError(f"{path} is damaged or cut off ({error}); get it again") from error
        raise InvalidArgumentError(f"cannot read the file {path}: {error.strerror}") from error
    return content


class TextRows(Rows):
    """Rows of a CSV text."""

    unit = "line"

    def __init__(
        self,
        path: Path,
        content: bytes,
        *,
        needed: Sequence[str] = (),
        names: Sequence[str] | None = None,
        separator: str | None = None,
    ) -> None:
        """Read the header.

        Args:
            path: The name of the file in messages.
            content: The text.
            needed: Columns that the header should have, to find the separator.
            names: The columns of a text without a header.
            separator: What separates the cells, see `read_separator`; None to find it.

        Raises:
            InvalidArgumentError: If there is no such separator, or a name comes twice.
            FormatError: If there is no header, or it is no CSV text.
        """
        super().__init__()
        self._path = path
        self._content = content
        self._cells: dict[str, Cells] = {}
        self._named = names is not None
        text = content.decode()
        if separator is not None:
            self._separator = read_separator(separator)
        elif names is not None:
            lines = islice(io.StringIO(text), 1000)
            self._separator = by_count(path, list(lines), names)
        else:
            self._separator = by_header(re.split(r"[\r\n]", text, maxsplit=1)[0], needed)
        self.decimal_comma = self._separator == ";"
        self.header = list(names) if names is not None else next(self._reader(), [])
        if not self.header:
            raise FormatError(f"{path} is empty; its first line must name the columns")

    def _reader(self) -> TextReader:
        return TextReader(self._path, self._content.decode(), self._separator)

    def read(self, columns: Sequence[str]) -> None:
        """Find the cells of these columns.

        Raises:
            FormatError: If the text is no CSV.
        """
        where = [self.header.index(column) for column in columns]
        found = _split(self._content, len(self.header), self._separator)
        if found is None:
            cells = [Cells.of(texts) for texts in self._read_slowly(where)]
        else:
            content, starts, ends = found
            first = 0 if self._named else 1
            self.positions = np.arange(first + 1, len(starts) + 1)
            cells = [Cells(content, starts[first:, i], ends[first:, i]) for i in where]
        self._cells = dict(zip(columns, cells, strict=True))

    def _read_slowly(self, where: Sequence[int]) -> list[list[str]]:
        """The cells of these columns of a text with quotes or incomplete rows."""
        rows: list[list[str]] = []
        lines = []
        reader = self._reader()
        if not self._named:
            next(reader, None)
        line = reader.line + 1
        for row in reader:
            if len(row) == len(self.header):
                rows.append([row[i] for i in where])
                lines.append(line)
            elif row:  # an empty line is no row
                cut = "cut off" if len(row) < len(self.header) else "too long"
                self.bad[line] = f"the row is {cut}: {len(row)} cells, not {len(self.header)}"
            line = reader.line + 1
        self.positions = np.array(lines, dtype=np.int64)
        return list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in where]

    def texts(self, column: str) -> list[str]:
        """The cells of a column."""
        return self._cells[column].texts()

    def numbers(self, column: str) -> FloatArray:
        """The numbers of a column (rows,), NaN where a cell is empty."""
        values, bad = read_numbers(self._cells[column], decimal_comma=self.decimal_comma)
        for row in sorted(bad):
            self.refuse(row, f"{column} {bad[row]}")
        return values


class TextReader:
    """Python's reader of CSV, whose errors name the file and the line."""

    def __init__(self, path: Path, text: str, separator: str) -> None:
        self._path = path
        lines = io.StringIO(text, newline="")
        self._reader = (
            BlankReader(lines)
            if separator == BLANKS
            else csv.reader(lines, delimiter=separator, strict=True)
        )

    @property
    def line(self) -> int:
        """The line that was read last."""
        return self._reader.line_num

    def __iter__(self) -> TextReader:
        return self

    def __next__(self) -> list[str]:
        before = self.line
        try:
            return next(self._reader)
        except csv.Error as error:
            raise FormatError(
                f"{self._path} is no CSV text, line {before + 1} or behind: {error}"
            ) from error


def _split(content: bytes, columns: int, separator: str) -> tuple[bytes, IntArray, IntArray] | None:
    """Where the cells of a text are, if it has no quotes and all rows are complete.

    Returns:
        The text, and where its cells start and end: int (rows, columns) each.
    """
    returns = b"\r" in content
    if (
        separator == BLANKS
        or b'"' in content
        or (returns and content.count(b"\r") != content.count(b"\r\n"))
    ):
        return None
    content = content.rstrip(b"\r\n") + b"\n"
    text = np.frombuffer(content, dtype=np.uint8)
    newline = text == _NEWLINE
    ends = np.flatnonzero(newline | (text == ord(separator)))
    rows = np.count_nonzero(newline)
    if len(ends) != rows * columns or not newline[ends[columns - 1 :: columns]].all():
        return None
    starts = np.append(0, ends[:-1] + 1)
    if returns:
        last = ends[columns - 1 :: columns]
        last -= text[last - 1] == _RETURN
    return content, starts.reshape(rows, columns), ends.reshape(rows, columns)
