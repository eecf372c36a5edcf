"""Tables in a terminal that fit its width and never break a word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

_BETWEEN = 3  # two columns
_EDGE = 1
_INDENT = 3  # of what belongs to a stacked row


class FittedTable:
    """Rows under headings, as wide as there is room.

    Where the room is too small, headings and sentences wrap at spaces. Then columns that matter
    less are left out, the last ones first, and said so. Then the cells of each row are stacked
    below each other.
    """

    def __init__(self, *names: str) -> None:
        """Make a table without rows.

        Args:
            names: Of the columns. Numbers are in a column whose name starts with ``>``; one that
                starts with ``?`` may be left out, as may ``?>``.
        """
        self.names = [name.lstrip("?>") for name in names]
        self.optional = [name.startswith("?") for name in names]
        self.numeric = [">" in name[:2] for name in names]
        self.rows: list[tuple[str, ...] | None] = []  # None is a line between sections

    def add_row(self, *cells: str) -> None:
        """Add a row with a cell for each column."""
        self.rows.append(cells)

    def add_section(self) -> None:
        """Add a line."""
        self.rows.append(None)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what rich prints in the given width."""
        from rich.text import Text

        kept = list(range(len(self.names)))
        while self._least(kept) > options.max_width:
            last = next((i for i in reversed(kept) if self.optional[i]), None)
            if last is None:
                break
            kept.remove(last)
        if self._least(kept) > options.max_width:
            # A name that is wider than the room is one line, to be copied and searched for.
            lines = self._stacked(options.max_width)
            yield from (Text(line, no_wrap=True, overflow="ignore") for line in lines)
            return
        yield self._table(kept, options.max_width)
        dropped = [name for i, name in enumerate(self.names) if i not in kept]
        if dropped:
            yield Text(f"left out for want of width: {', '.join(dropped)}")

    def _cells(self, column: int) -> list[str]:
        return [self.names[column], *(row[column] for row in self.rows if row is not None)]

    def _least(self, kept: Sequence[int]) -> int:
        """The width below which a word would break."""
        words = (max(map(_width, " ".join(self._cells(i)).split()), default=0) for i in kept)
        return sum(words) + _BETWEEN * (len(kept) - 1) + 2 * _EDGE

    def _widths(self, kept: Sequence[int], room: int) -> list[int]:
        """The width of each column: whole cells where there is room, else whole words."""
        least = [max(map(_width, " ".join(self._cells(i)).split()), default=0) for i in kept]
        wanted = [max(map(_width, self._cells(i))) for i in kept]
        free = room - sum(least) - _BETWEEN * (len(kept) - 1) - 2 * _EDGE
        found = list(least)
        # Cells of numbers and names first: they are what is read.
        for of_cells in (True, False):
            for position, i in enumerate(kept):
                cells = self._cells(i)[1:] if of_cells else self._cells(i)
                aim = min(wanted[position], max(map(_width, cells), default=0))
                more = min(max(0, aim - found[position]), free)
                found[position] += more
                free -= more
        return found

    def _table(self, kept: Sequence[int], room: int) -> Table:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i, width in zip(kept, self._widths(kept, room), strict=True):
            justify = "right" if self.numeric[i] else "left"
            table.add_column(self.names[i], justify=justify, width=width)  # type: ignore[arg-type]
        for row in self.rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*(row[i] for i in kept))
        return table

    def _stacked(self, room: int) -> list[str]:
        """Each row as a heading, and below it lines of ``name value``."""
        first = 0 if self.names[0] else 1  # a column without a name numbers the rows
        lines = [""]
        for row in self.rows:
            if row is None:
                lines.append("")
                continue
            lines.append(f"{row[0]}  {row[first]}" if first else row[0])
            pairs = zip(self.names[first + 1 :], row[first + 1 :], strict=True)
            lines += _filled([f"{name} {cell}" for name, cell in pairs if cell], room)
        return [*lines, ""]


def _width(text: str) -> int:
    """In a terminal, where Chinese and other letters are as wide as two."""
    from rich.cells import cell_len

    return cell_len(text)


def _filled(pairs: Sequence[str], room: int) -> list[str]:
    """The pairs, several on a line, none broken unless it is a sentence."""
    lines: list[str] = []
    line = ""
    for pair in pairs:
        longer = f"{line},  {pair}" if line else " " * _INDENT + pair
        if line and _width(longer) > room:
            lines.append(line)
            longer = " " * _INDENT + pair
        line = longer
    found = [*lines, line] if line else lines
    return [part for one in found for part in _wrapped(one, room)]


def _wrapped(line: str, room: int) -> list[str]:
    if _width(line) <= room:
        return [line]
    import textwrap

    return textwrap.wrap(
        line.strip(),
        room,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
        initial_indent=" " * _INDENT,
    )
