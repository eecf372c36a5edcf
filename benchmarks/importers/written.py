"""Numbers as people and spreadsheets write them: clock times, percentages, decimal commas."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.importers.decimals import Cells

_PERCENT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?) ?%")
_CLOCK = re.compile(r"(?:([0-9]+) days?,? )?(?:([0-9]+):)?([0-9]+):([0-9]+(?:\.[0-9]*)?)")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?|[+-]?[0-9]+,")

_PERCENTAGE, _TIME, _DECIMAL_COMMA = "percentage", "clock time", "number with a decimal comma"


def read_numbers(cells: Cells, *, decimal_comma: bool) -> tuple[FloatArray, dict[int, str]]:
    """The numbers of a column, and why a cell is no number.

    A clock time ``h:mm:ss.f`` or ``m:ss.f`` is converted to seconds, ``93.4 %`` is 93.4, and
    ``93,4`` may be 93.4. All cells of a column must have the same form, as 93.4 and ``93.4 %``
    need not mean the same.

    Args:
        cells: The cells.
        decimal_comma: Whether a number may have a decimal comma.

    Returns:
        float (rows,), NaN where a cell is empty; and by row why a cell is no finite number.
    """
    values = cells.numbers()
    odd = np.flatnonzero(np.isinf(values)).tolist()
    if not odd:
        return values, {}
    bad: dict[int, str] = {}
    kinds: dict[int, str] = {}
    for row in odd:
        text = cells.text(row)
        found = _written(text.strip(), decimal_comma=decimal_comma)
        if found is None or np.isinf(found[1]):
            bad[row] = f"is no finite number: {text!r}"
            if _COMMA.fullmatch(text.strip()):
                bad[row] += " (decimal commas are read where semicolons separate the cells)"
        else:
            kinds[row], values[row] = found
    if kinds:
        bad |= _unlike(cells, values, kinds, bad)
    return values, bad


def _written(text: str, *, decimal_comma: bool) -> tuple[str, float] | None:
    """The kind of number that a text is, and the number."""
    comma = decimal_comma and text.count(",") == 1 and "." not in text and "day" not in text
    plain = text.replace(",", ".") if comma else text
    if match := _PERCENT.fullmatch(plain):
        return _PERCENTAGE, float(match[1])
    if match := _CLOCK.fullmatch(plain):
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        # Sixty minutes are an hour; minutes alone may be more, as in 90:00.
        if seconds < 60 and (minutes < 60 or match[2] is None):
            return _TIME, ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if comma and _COMMA.fullmatch(text):
        return _DECIMAL_COMMA, float(plain)
    return None


def _unlike(
    cells: Cells, values: FloatArray, kinds: dict[int, str], bad: dict[int, str]
) -> dict[int, str]:
    """Reasons for refusing rows that are written in another form than most of the column."""
    kind, _ = Counter(kinds.values()).most_common(1)[0]
    example = cells.text(next(row for row, found in kinds.items() if found == kind))
    reasons = {}
    for row in np.flatnonzero(~np.isnan(values)).tolist():
        if row in bad or kinds.get(row) == kind:
            continue
        text = cells.text(row)
        if kind != _DECIMAL_COMMA or row in kinds or "." in text:
            reasons[row] = f"is no {kind}: {text!r}, but others are, like {example!r}; write all "
            reasons[row] += "cells of a column alike"
    return reasons
