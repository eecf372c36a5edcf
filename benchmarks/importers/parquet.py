"""The columns of a Parquet file, by pyarrow, which is an optional extra."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.importers.bounded import MAX_SIZE, too_large
from surrogate_nas.benchmarks.importers.decimals import Cells
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.benchmarks.importers.written import read_numbers
from surrogate_nas.errors import FormatError, MissingDependencyError


class ParquetRows(Rows):
    """Rows of a Parquet file, counted from 1."""

    unit = "row"

    def __init__(self, path: Path, max_size: int = MAX_SIZE) -> None:
        """Read the names of the columns.

        Args:
            path: The file.
            max_size: Most bytes of the columns that are read.

        Raises:
            MissingDependencyError: If pyarrow is not installed.
            FormatError: If the file is damaged.
        """
        super().__init__()
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingDependencyError(
                f"reading the Parquet file {path} needs pyarrow; install it with "
                "pip install 'surrogate-nas[parquet]', or convert the file to CSV"
            ) from error
        self._path = path
        self._max_size = max_size
        self._table: Any = None
        self._types: Any = pyarrow.types
        self._errors = (pyarrow.ArrowException, OSError)
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except self._errors as error:
            raise self._damaged(error) from error
        self.header = tuple(self._file.schema_arrow.names)

    def read(self, columns: Sequence[str]) -> None:
        """Read these columns."""
        self._check_size(columns)
        try:
            self._table = self._file.read(columns=list(columns))
        except self._errors as error:
            raise self._damaged(error) from error
        self.positions = np.arange(1, self._table.num_rows + 1)

    def texts(self, column: str) -> list[str]:
        """The values of a column as texts, empty where one is missing."""
        values = self._table[column].to_pylist()
        return ["" if value is None else str(value) for value in values]

    def numbers(self, column: str) -> FloatArray:
        """The numbers of a column (rows,), NaN where one is missing."""
        cells, kind, types = self._table[column], self._table[column].type, self._types
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            values: FloatArray = cells.cast("float64").to_numpy(zero_copy_only=False)
        else:
            values, bad = read_numbers(Cells.of(self.texts(column)), decimal_comma=False)
            for row in sorted(bad):
                self.refuse(row, f"{column} {bad[row]}")
            return values
        for row in np.flatnonzero(np.isinf(values)).tolist():
            self.refuse(row, f"{column} is no finite number: {str(cells[row].as_py())!r}")
        return values

    def _check_size(self, columns: Sequence[str]) -> None:
        """Refuse columns that would take too much memory, by the metadata of the file."""
        about = self._file.metadata
        size = about.num_rows * len(columns) * 8
        for i in range(about.num_row_groups):
            group = about.row_group(i)
            for j in range(group.num_columns):
                column = group.column(j)
                if column.path_in_schema in columns:
                    size += column.total_uncompressed_size
        if size > self._max_size:
            raise too_large(self._path, self._max_size, "data")

    def _damaged(self, error: Exception) -> FormatError:
        reason = str(error).splitlines()[0]
        return FormatError(f"{self._path} is damaged or cut off ({reason}); get it again")
