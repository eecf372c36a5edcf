"""Cells with an operation on each edge between all states: their graphs and isomorphism.

State 0 is the input, every other state is the sum of its edges' results, and the last state is the
output. Edges are ordered by target, then by source: 0->1, 0->2, 1->2, 0->3, and so on.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.spaces.base import frozen
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS


def cell_edges(states: int) -> tuple[tuple[int, int], ...]:
    """The edges between all states, in their order."""
    return tuple((source, target) for target in range(states) for source in range(target))


def cell_states(edges: int) -> int:
    """The least number of states that have at least this number of edges."""
    states = 2
    while len(cell_edges(states)) < edges:
        states += 1
    return states


def line_graphs(op: IntArray, attributes: FloatArray, present: BoolArray) -> ArchGraphs:
    """A node for each edge's operation, a sum for each state but the input, and the output.

    Args:
        op: int (n, e), positions in `OPERATIONS`, for the e edges of a cell.
        attributes: float (n, e, k), log2 of the first k of `ATTRIBUTES`; the others are absent.
        present: bool (n, e), which edges exist.
    """
    edge_slots, template, edges = _line_template(op.shape[1])
    ops = np.tile(template, (len(op), 1))
    ops[:, edge_slots] = op
    described = np.zeros((*ops.shape, len(ATTRIBUTES)), dtype=np.float32)
    described[:, edge_slots, : attributes.shape[2]] = attributes
    nodes = np.ones(ops.shape, dtype=np.bool_)
    nodes[:, edge_slots] = present
    return from_template(ops, described, edges, node_mask=nodes)


@cache
def _line_template(count: int) -> tuple[IntArray, IntArray, IntArray]:
    """Input, then for each state the operations of its edges and their sum, then output.

    Returns:
        The slots of the edges (e,), the operation of each slot, and the template's edges (2, m).
    """
    states = cell_states(count)
    state_slots, links = [0], []
    edge_slots: list[int] = []
    for target in range(1, states):
        first = state_slots[-1] + 1
        edge_slots += range(first, first + target)
        state_slots.append(first + target)
        links += [(state_slots[source], first + source) for source in range(target)]
        links += [(first + source, first + target) for source in range(target)]
    links.append((state_slots[-1], state_slots[-1] + 1))
    template = np.full(state_slots[-1] + 2, OPERATION_IDS["sum"], dtype=np.int16)
    template[[0, -1]] = INPUT, OUTPUT
    return np.array(edge_slots), frozen(template), np.array(links).T


@cache
def unique_string_numbers(operations: tuple[str, ...], none: str, skip: str) -> IntArray:
    """For each cell of 4 states the least index of a cell with its unique string: int32 (o**6,).

    The string is that of NAS-Bench-201 (``to_unique_str`` that considers zeros), in which a state
    is the sorted join of its inputs. It must be a string, not a nested multiset: a sum behind a
    skip becomes part of the next sum's text, but is sorted there as a single piece.
    """

    def applied(source: str) -> list[str]:
        """The strings of all operations on a state's string; ``#`` is zero."""
        return [
            "#"
            if name == none or source == "#"
            else source
            if name == skip
            else f"({source})@{name}"
            for name in operations
        ]

    first: dict[str, int] = {}
    result: list[int] = []
    from_0 = applied("0")
    for state_1 in from_0:
        from_1 = applied(state_1)
        for pair in product(from_0, from_1):
            from_2 = applied("+".join(sorted(pair)))
            for triple in product(from_0, from_1, from_2):
                result.append(first.setdefault("+".join(sorted(triple)), len(result)))
    return frozen(np.array(result, dtype=np.int32))
