"""Pareto fronts: domination, constraint domination, crowding and hypervolume.

All values are larger-is-better. Hypervolumes are computed by ``moarchiving``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError

MOST = 4
"""Number of goals up to which there is a hypervolume."""

MARGIN = 0.1
"""How far the reference point lies behind the worst corner of a box, in the box's sides."""


def nondominated(values: FloatArray) -> BoolArray:
    """Which rows no other row dominates; of equal rows all or none.

    Args:
        values: float (n, goals), larger is better.

    Returns:
        bool (n,).

    Example:
        >>> nondominated(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
        [True, True, False]
    """
    values = np.asarray(values, dtype=np.float64)
    found = np.zeros(len(values), dtype=np.bool_)
    # The lexicographically best of what is left is dominated by nothing.
    left = np.lexsort(-values.T[::-1])
    while left.size:
        best = values[left[0]]
        found[left[(values[left] == best).all(axis=1)]] = True
        left = left[(values[left] > best).any(axis=1)]
    return found


def violation(values: FloatArray, limits: Sequence[float | None]) -> FloatArray:
    """How far rows are beyond their limits, in all: 0 where all limits hold, float (n,).

    Each limit counts in units of its own size, or of 1 where it is 0.

    Args:
        values: float (n, goals), larger is better.
        limits: The least value of each goal, or None where it has no limit.
    """
    total = np.zeros(len(values))
    for column, least in zip(np.asarray(values, dtype=np.float64).T, limits, strict=True):
        if least is not None:
            total += np.maximum(0.0, least - column) / (abs(least) or 1.0)
    return total


def ranks(values: FloatArray, violations: FloatArray | None = None) -> IntArray:
    """Number of the front of each row, from 0, by constraint domination: int (n,).

    Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002: rows that
    violate a limit come after all others, and among them the smaller violation wins.

    Args:
        values: float (n, goals), larger is better.
        violations: float (n,), see `violation`; None for none.
    """
    values = np.asarray(values, dtype=np.float64)
    found = np.zeros(len(values), dtype=np.int64)
    left = np.arange(len(values))
    front = 0
    if violations is not None and violations.any():
        left = np.flatnonzero(violations == 0)
    while left.size:
        first = nondominated(values[left])
        found[left[first]] = front
        left = left[~first]
        front += 1
    if violations is not None and violations.any():
        beyond = np.flatnonzero(violations > 0)
        found[beyond] = front + np.unique(violations[beyond], return_inverse=True)[1]
    return found


def crowding(values: FloatArray) -> FloatArray:
    """Crowding distance of each row among the others: float (n,), infinite at the ends.

    Deb et al. (2002); rows of one front, each goal in units of its range.
    """
    values = np.asarray(values, dtype=np.float64)
    total = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ends = column[order[[0, -1]]]
        span = float(ends[1] - ends[0])
        if span > 0:
            total[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
            total[order[[0, -1]]] = np.inf
    return total


def best_first(values: FloatArray, violations: FloatArray | None = None) -> IntArray:
    """Rows by the number of their front, and within a front by crowding, the widest first.

    Rows that are equal in both keep their order: int (n,).
    """
    front = ranks(values, violations)
    distance = np.zeros(len(front))
    for number in np.unique(front):
        distance[front == number] = crowding(np.asarray(values)[front == number])
    return np.lexsort((-distance, front))


def reference(values: FloatArray) -> FloatArray:
    """The reference point of a box: a tenth of each side behind the worst corner, float (goals,).

    Args:
        values: float (n, goals), larger is better: what spans the box, usually a front.
    """
    worst, best = np.min(values, axis=0), np.max(values, axis=0)
    side = np.where(best > worst, best - worst, np.maximum(np.abs(best), 1.0))
    return np.asarray(worst - MARGIN * side)


def hypervolume(values: FloatArray, beyond: FloatArray) -> float:
    """The volume that rows dominate beyond a reference point.

    Args:
        values: float (n, goals), larger is better.
        beyond: float (goals,), the reference point.

    Raises:
        InvalidArgumentError: If there are more than `MOST` goals.

    Example:
        >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.zeros(2))
        3.0
    """
    return float(hypervolumes(values, beyond)[-1]) if len(values) else 0.0


def hypervolumes(values: FloatArray, beyond: FloatArray) -> FloatArray:
    """The hypervolume of the first row, of the first two, and so on: float (n,).

    Args:
        values: float (n, goals), larger is better; a row with NaN adds nothing.
        beyond: float (goals,), the reference point.

    Raises:
        InvalidArgumentError: If there are more than `MOST` goals.
    """
    values = np.asarray(values, dtype=np.float64)
    goals = values.shape[1]
    if goals > MOST:
        raise InvalidArgumentError(
            f"a hypervolume is of at most {MOST} goals, got {goals}; give fewer"
        )
    gained = np.zeros(len(values))
    inside = (values > beyond).all(axis=1)
    if not inside.any():
        return gained
    if goals == 1:
        gained[inside] = (values - beyond)[inside, 0]
        return np.asarray(np.maximum.accumulate(gained))
    from moarchiving import get_mo_archive

    # Losses, beyond a reference of zeros, in units of the box, so that sums lose no digits.
    sides = (values[inside] - beyond).max(axis=0)
    archive = get_mo_archive(reference_point=[0.0] * goals, n_obj=goals)
    for i in np.flatnonzero(inside):
        archive.add([float(v) for v in (beyond - values[i]) / sides])
        gained[i] = float(archive.hypervolume)
    return np.asarray(np.maximum.accumulate(gained) * sides.prod())
