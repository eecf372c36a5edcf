"""The cells of DARTS: their decisions, and isomorphism by the order of nodes."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import permutations, product

import numpy as np

from surrogate_nas._types import IntArray

OPERATIONS: tuple[str, ...] = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
INPUTS, NODES = 2, 4
"""Number of inputs of a cell, which are the outputs of the two cells before, and of its nodes."""
PAIRS: tuple[tuple[int, int], ...] = tuple(
    (low, high) for high in range(1, INPUTS + NODES - 1) for low in range(high)
)
"""Pairs of states; the first node can read the first of them, the others 3, 6 and 10."""
READABLE: tuple[int, ...] = tuple(math.comb(INPUTS + node, 2) for node in range(NODES))
UNIT = 3
"""Decisions of a node: the pair that it reads, and the operation on each."""

_FEW = 32  # cells that are faster one by one
_SIZES = [size for count in READABLE for size in (count, len(OPERATIONS), len(OPERATIONS))]
_WEIGHTS = np.array([math.prod(_SIZES[i + 1 :]) for i in range(NODES * UNIT)])


def least(cells: IntArray) -> IntArray:
    """The least encoding of cells (n, 12) over all orders of their nodes: int16 (n, 12)."""
    if len(cells) <= _FEW:
        settled = [least_of_one(tuple(cell)) for cell in cells.tolist()]
        return np.array(settled, dtype=np.int16).reshape(cells.shape)
    states, ops = _states(cells[:, ::UNIT]), np.stack([cells[:, 1::UNIT], cells[:, 2::UNIT]], 2)
    best = cells.astype(np.int64)
    least = best @ _WEIGHTS
    for order in permutations(range(NODES)):
        moved, rows = _reordered(states, order)
        side = np.argsort(moved, axis=2)
        moved = np.take_along_axis(moved, side, axis=2)
        chosen = np.take_along_axis(ops[rows], side, axis=2)
        found = np.empty((len(rows), NODES, UNIT), dtype=np.int64)
        found[:, order, 0] = _pair_number(moved)
        found[:, order, 1:] = chosen
        candidates = found.reshape(len(rows), NODES * UNIT)
        number = candidates @ _WEIGHTS
        better = number < least[rows]
        best[rows[better]], least[rows[better]] = candidates[better], number[better]
    return best.astype(np.int16)


@lru_cache(maxsize=100_000)
def least_of_one(cell: tuple[int, ...]) -> tuple[int, ...]:
    """As `least`, of one cell, cached: in a search, mutants share a cell with their parents."""
    nodes = [(*PAIRS[cell[i]], *cell[i + 1 : i + UNIT]) for i in range(0, len(cell), UNIT)]
    best = cell
    for order in permutations(range(NODES)):
        new_state = (0, 1, *(INPUTS + position for position in order))
        found = [0] * len(cell)
        for position, (low, high, first, second) in zip(order, nodes, strict=True):
            a, b = new_state[low], new_state[high]
            if max(a, b) >= INPUTS + position:
                break
            at = position * UNIT
            ascending = a < b
            found[at] = b * (b - 1) // 2 + a if ascending else a * (a - 1) // 2 + b
            found[at + 1 : at + UNIT] = (first, second) if ascending else (second, first)
        else:
            best = min(best, tuple(found))
    return best


def _states(pairs: IntArray) -> IntArray:
    """The two states that each node reads: int64 (n, nodes, 2)."""
    return np.array(PAIRS)[pairs]


def _pair_number(states: IntArray) -> IntArray:
    """Position in `PAIRS` of ascending states (…, 2)."""
    low, high = states[..., 0], states[..., 1]
    return np.asarray(high * (high - 1) // 2 + low)


def _reordered(states: IntArray, order: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """The states that nodes read after node i moves to ``order[i]``, in rows where it can move.

    Returns:
        int (m, nodes, 2), by the nodes' old positions, and the rows (m,).
    """
    new_state = np.array([0, 1, *(INPUTS + position for position in order)])
    moved = new_state[states]
    rows = np.flatnonzero((moved < new_state[INPUTS:, None]).all(axis=(1, 2)))
    return moved[rows], rows


def canonical_cells(operations: int = len(OPERATIONS)) -> int:
    """Number of cells that differ in more than the order of their nodes.

    Burnside's lemma is used for each way to connect the nodes, over the orders that keep it.
    """
    total = 0
    for pairs in product(*(range(count) for count in READABLE)):
        states = _states(np.array([pairs]))
        fixed, first = [], True
        for order in permutations(range(NODES)):
            moved, rows = _reordered(states, order)
            if len(rows) == 0:
                continue
            sides = np.argsort(moved[0], axis=1)
            found = np.empty(NODES, dtype=np.int64)
            found[list(order)] = _pair_number(np.sort(moved[0], axis=1))
            first = first and tuple(found.tolist()) >= pairs
            if tuple(found.tolist()) == pairs:
                fixed.append(_cycles(order, sides))
        if first:
            total += sum(operations**cycles for cycles in fixed) // len(fixed)
    return total


def _cycles(order: tuple[int, ...], sides: IntArray) -> int:
    """Number of cycles of the edges (node, side) when nodes are reordered."""
    goes = {
        (node, int(side)): (order[node], position)
        for node in range(NODES)
        for position, side in enumerate(sides[node])
    }
    cycles = 0
    while goes:
        start, at = goes.popitem()
        while at != start:
            at = goes.pop(at)
        cycles += 1
    return cycles
