"""Which columns of a file hold the architectures, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.importers.base import Listener
from surrogate_nas.benchmarks.importers.notations import (
    Reader,
    by_pattern,
    described,
    likely,
    open_notation,
)
from surrogate_nas.benchmarks.importers.options import UNKNOWN, OptionReader
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True)
class Encoding:
    """The columns with the architectures, and their notation.

    Attributes:
        space: Their space.
        columns: The columns that hold them.
        whole: Whether one column holds whole architectures (or several do, joined).
        reader: Reads their notation; None for that of the space or a detected one.
        fixed: Option by decision, for decisions that the file lacks.
        named: Whether the user named any of the columns.
        nearest: As in `OptionReader`.
    """

    space: SearchSpace
    columns: Sequence[str]
    whole: bool
    reader: Reader | None
    fixed: Mapping[str, str]
    named: bool
    nearest: bool

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        arch: str | Sequence[str] | None,
        notation: str | None,
        pattern: str | None,
        decisions: Mapping[str, str],
        fixed: Mapping[str, str],
        *,
        nearest: bool,
    ) -> Self:
        """Understand the arguments of `import_csv`.

        Raises:
            InvalidArgumentError: If they do not fit together.
            UnknownNameError: If there is no such decision, option or notation.
        """
        columns = [arch] if isinstance(arch, str) else list(arch or ())
        check_decisions(space, decisions, fixed)
        reader = None
        if pattern is not None:
            if notation is not None or not columns:
                raise InvalidArgumentError(
                    "--pattern reads the architectures of the column --arch, instead of a "
                    f"--notation, got --notation {notation} and --arch {', '.join(columns) or None}"
                )
            reader = by_pattern(space, pattern, decisions, fixed)
        elif columns and (decisions or fixed):
            given = "--decision" if decisions else "--fixed"
            raise InvalidArgumentError(
                f"either --arch or --decision, as an architecture stands in one column or in "
                f"several, got --arch {', '.join(columns)} and {given} "
                f"{', '.join(decisions or fixed)}"
            )
        elif notation is not None:
            if not columns:
                raise InvalidArgumentError(
                    f"--notation needs the column of the architectures, --arch COLUMN, got "
                    f"--notation {notation} alone"
                )
            reader = open_notation(space, notation)
        whole = bool(columns)
        if not whole:
            names = [decision.name for decision in space.decisions]
            columns = [decisions.get(name, name) for name in names if name not in fixed]
        named = whole or bool(decisions)
        return cls(space, columns, whole, reader, dict(fixed), named, nearest)

    def check(self, rows: Rows, measured: Sequence[str]) -> None:
        """Refuse a file that lacks columns.

        Raises:
            UnknownNameError: If it lacks a column that was named.
            InvalidArgumentError: If it lacks columns of decisions, or has no header.
            FormatError: If several columns have one name.
        """
        needed = [*measured, *self.columns]
        lacking = [column for column in needed if column not in rows.header]
        if lacking and any(map(_is_number, rows.header)):
            raise InvalidArgumentError(
                f"{rows.unit} 1 must name the columns, but holds {', '.join(rows.header)}; name "
                "the columns of a file without a header with --columns NAME,NAME,…"
            )
        rows.check(measured)
        missing = [column for column in self.columns if column not in rows.header]
        if missing and not self.named:
            raise InvalidArgumentError(
                "name the column of the architectures with --arch COLUMN; without it the file "
                f"needs a column for each decision of {self.space.name!r} (or --decision "
                f"NAME=COLUMN where it is called otherwise, or --fixed NAME=OPTION where all rows "
                f"have one option), and {', '.join(missing)} are missing"
            )
        rows.check(self.columns)

    def read(self, rows: Rows, listener: Listener) -> IntArray:
        """Encodings (rows, decisions), zeros in rows that are bad."""
        if not self.whole:
            return rows.decided(self.space, self.columns, self.fixed, nearest=self.nearest)
        reader = self.reader
        if reader is None:
            found = likely(self.space, rows.joined(self.columns))
            if found is not None:
                name, reader = found
                listener.note(
                    f"architectures of column {', '.join(self.columns)} are read by --notation "
                    f"{name}: {described(reader)}"
                )
        return rows.architectures(self.space, self.columns, reader, nearest=self.nearest)


def check_decisions(
    space: SearchSpace, decisions: Mapping[str, str], fixed: Mapping[str, str]
) -> None:
    """Refuse names of decisions and options that the space does not have.

    Raises:
        UnknownNameError: If there is no such decision or option.
        InvalidArgumentError: If a decision is given a column and an option.
    """
    known = {decision.name: decision for decision in space.decisions}
    for name in [*decisions, *fixed]:
        if name not in known:
            raise UnknownNameError("decision", name, list(known))
        if name in decisions and name in fixed:
            raise InvalidArgumentError(
                f"the decision {name!r} stands in a column (--decision {name}={decisions[name]}) "
                f"or is the same in all rows (--fixed {name}={fixed[name]}); leave one out"
            )
    for name, option in fixed.items():
        reader = OptionReader(known[name])
        if reader.number(option) == UNKNOWN:
            raise reader.unknown(option)


def with_fixed(source: str, fixed: Mapping[str, str]) -> str:
    """The description of a source, with the options of decisions that it lacks."""
    told = ", ".join(f"{name}={option}" for name, option in fixed.items())
    return f"{source}, which lacks decisions (in all rows {told})" if told else source


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
