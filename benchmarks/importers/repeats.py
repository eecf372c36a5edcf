"""Several rows of one architecture: refused, taken as its seeds, or averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import differs
from surrogate_nas.benchmarks.importers.bounded import MOST_VALUES
from surrogate_nas.benchmarks.importers.rows import Rows
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.number_text import exact
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct

Repeats = Literal["refuse", "seeds", "mean"]


@dataclass(frozen=True)
class Gathered:
    """One row an architecture.

    Attributes:
        rows: The first row of each architecture, ascending: int (n,).
        numbers: By column, float (n, repeats), NaN where an architecture has fewer.
        repeated: Number of rows that equal an earlier one.
        merged: Number of rows that became a further seed or a part of a mean.
    """

    rows: IntArray
    numbers: Mapping[str, FloatArray]
    repeated: int = 0
    merged: int = 0


def check_repeats(repeats: str) -> None:
    """Refuse an unknown value.

    Raises:
        InvalidArgumentError: If it is none of `Repeats`.
    """
    if repeats not in get_args(Repeats):
        raise InvalidArgumentError(
            f"--repeats must be {', '.join(get_args(Repeats))}, got {repeats!r}"
        )


def gather(
    space: SearchSpace,
    choices: IntArray,
    numbers: Mapping[str, FloatArray],
    rows: Rows,
    repeats: Repeats,
) -> Gathered:
    """Bring the good rows of each architecture together.

    With ``"refuse"`` a row that differs from an earlier one of its architecture is bad.

    Raises:
        InvalidArgumentError: If there were too many seeds.
    """
    good = np.flatnonzero(~np.isin(rows.positions, list(rows.bad)))
    leading, group = distinct(space, choices[good])
    first = good[leading]
    if len(first) == len(good):
        return Gathered(good, {column: v[good, None] for column, v in numbers.items()})
    if repeats == "refuse":
        kept, repeated = _agreeing(good, first[group], numbers, rows)
        return Gathered(kept, {c: v[kept, None] for c, v in numbers.items()}, repeated)
    group = np.argsort(np.argsort(first))[group]  # groups by their first rows
    count = len(first)
    if repeats == "mean":
        found = {c: _means(values[good], group, count) for c, values in numbers.items()}
    else:
        position = _occurrence(group)
        most = int(position.max()) + 1
        if count * most > MOST_VALUES:
            raise InvalidArgumentError(
                f"one architecture has {most:,} rows, so that {count:,} architectures would need "
                "as many seeds each; take their mean with --repeats mean"
            )
        found = {column: np.full((count, most), np.nan) for column in numbers}
        for column, values in numbers.items():
            found[column][group, position] = values[good]
    return Gathered(np.sort(first), found, merged=len(good) - count)


def _agreeing(
    good: IntArray, before: IntArray, numbers: Mapping[str, FloatArray], rows: Rows
) -> tuple[IntArray, int]:
    """The first row of each architecture, and how many later rows equal it."""
    other = np.zeros(len(good), dtype=np.bool_)
    for column, values in numbers.items():
        different = differs(values[good], values[before])
        for i in np.flatnonzero(different & ~other).tolist():
            row, earlier = good[i], before[i]
            rows.refuse(
                row,
                f"the architecture of {rows.unit} {rows.positions[earlier]} again, with another "
                f"{column}: {exact(values[row])}, not {exact(values[earlier])} (--repeats seeds or "
                "mean takes both)",
            )
        other |= different
    kept = np.unique(before)
    return kept, len(good) - len(kept) - int(other.sum())


def _occurrence(group: IntArray) -> IntArray:
    """How many earlier elements are equal to each: int (n,)."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    found = np.empty(len(group), dtype=np.int64)
    found[order] = np.arange(len(group)) - np.repeat(begins, np.diff(begins, append=len(group)))
    return found


def _means(values: FloatArray, group: IntArray, count: int) -> FloatArray:
    """The mean of each group without missing values: (count, 1)."""
    given = ~np.isnan(values)
    total = np.bincount(group[given], values[given], count)
    number = np.bincount(group[given], minlength=count)
    mean = np.full(count, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean[:, None]
