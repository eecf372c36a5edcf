"""The cell space of DARTS (Liu et al., ICLR 2019), also that of NAS-Bench-301."""

from __future__ import annotations

import ast
import re
from functools import cached_property

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.darts_cells import (
    INPUTS,
    NODES,
    OPERATIONS,
    PAIRS,
    READABLE,
    UNIT,
    canonical_cells,
    least,
    least_of_one,
)
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

CELLS: tuple[str, ...] = ("normal", "reduce")

_LONGEST = 2_000  # characters; a genotype has some 500
_CONCAT = list(range(INPUTS, INPUTS + NODES))
_RANGE = re.compile(r"range\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_EXAMPLE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ...], normal_concat=range(2, 6), "
    "reduce=[...], reduce_concat=range(2, 6))"
)


class DARTSSpace(SearchSpace):
    """A normal and a reduction cell, each of four nodes that read two earlier states.

    States 0 and 1 are the outputs of the two previous cells, the older one first. A node is the sum
    of two operations on different states, and the cell's output concatenates the four nodes. There
    are 1.1e18 encodings, all valid. An architecture is written as a ``Genotype``, with the two
    edges of each node, in any order, after those of the node before.
    """

    name = "darts"
    decisions = tuple(
        decision
        for cell in CELLS
        for node in range(NODES)
        for decision in (
            Decision(
                f"{cell}.{INPUTS + node}.inputs",
                tuple(f"{low},{high}" for low, high in PAIRS[: READABLE[node]]),
            ),
            Decision(f"{cell}.{INPUTS + node}.first", OPERATIONS),
            Decision(f"{cell}.{INPUTS + node}.second", OPERATIONS),
        )
    )

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The least of the encodings that differ in the order of a cell's nodes: int16 (n, 24).

        The order of the nodes affects only the order of a cell's output channels.
        """
        choices = np.asarray(choices)
        width = NODES * UNIT
        found = choices.astype(np.int16)
        for part in (slice(0, width), slice(width, None)):
            found[:, part] = least(choices[:, part])
        return found

    def canonical(self, arch: Architecture) -> Architecture:
        """As `canonicalise`, of one architecture."""
        half = NODES * UNIT
        choices = self.check(arch).choices
        return self._wrap((*least_of_one(choices[:half]), *least_of_one(choices[half:])))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The stem, a normal cell and a reduction cell, which reads the stem and the normal one."""
        choices = np.asarray(choices)
        op = np.tile(_TEMPLATE_OPS, (len(choices), 1))
        described = np.tile(_TEMPLATE_ATTRIBUTES, (len(choices), 1, 1))
        present = np.ones((len(choices), len(_EDGES)), dtype=np.bool_)
        for cell in range(len(CELLS)):
            for node in range(NODES):
                pair, *ops = choices[:, cell * NODES * UNIT + node * UNIT :][:, :UNIT].T
                for side, chosen in enumerate(ops):
                    slot = _slot(cell, node, side)
                    source = np.array(PAIRS)[pair, side]
                    op[:, slot] = _OPS[chosen]
                    described[:, slot] = _ATTRIBUTES[chosen]
                    if cell == 1:  # operations on a cell's inputs halve the resolution there
                        stride = source < INPUTS
                        described[:, slot, ATTRIBUTES.index("stride")] = stride
                    for edge, state in _INCOMING[slot]:
                        present[:, edge] = source == state
        return from_template(op, described, np.array(_EDGES).T, edge_mask=present)

    def parse(self, text: str) -> Architecture:
        """Read a ``Genotype``; nothing of it is executed.

        Raises:
            ArchitectureError: If it is none, or not of this space.
        """
        fields = _fields(text)
        choices: list[int] = []
        for cell in CELLS:
            edges = fields.get(cell)
            if not isinstance(edges, list | tuple) or len(edges) != 2 * NODES:
                raise _mistake(text, f"{cell} must list {2 * NODES} edges")
            if fields.get(f"{cell}_concat", _CONCAT) not in (_CONCAT, tuple(_CONCAT)):
                raise _mistake(text, f"{cell}_concat must join the nodes 2 to 5")
            for node in range(NODES):
                choices += self._read_node(text, cell, node, list(edges[2 * node : 2 * node + 2]))
        return self._wrap(choices)

    def _read_node(self, text: str, cell: str, node: int, edges: list[object]) -> list[int]:
        read = []
        for edge in edges:
            match edge:
                case (str(name), int(source)):
                    read.append((source, name))
                case _:
                    raise _mistake(text, f"{cell}: an edge is (operation, state), got {edge!r}")
        read.sort(key=lambda pair: pair[0])
        pair = (read[0][0], read[1][0])
        if pair not in PAIRS[: READABLE[node]]:
            raise _mistake(
                text,
                f"{cell}: node {INPUTS + node} must read two different states of 0 to "
                f"{INPUTS + node - 1}, got {pair[0]} and {pair[1]}",
            )
        decision = (CELLS.index(cell) * NODES + node) * UNIT
        ops = [self._option(decision + 1 + side, read[side][1], text) for side in (0, 1)]
        return [PAIRS.index(pair), *ops]

    def format(self, arch: Architecture) -> str:
        """Write a ``Genotype``, the edges of each node by ascending state."""
        parts = []
        for cell, name in enumerate(CELLS):
            edges = []
            for node in range(NODES):
                start = (cell * NODES + node) * UNIT
                pair, *ops = arch.choices[start : start + UNIT]
                edges += [(OPERATIONS[op], s) for op, s in zip(ops, PAIRS[pair], strict=True)]
            parts.append(f"{name}={edges!r}, {name}_concat=range(2, 6)")
        return f"Genotype({', '.join(parts)})"

    @cached_property
    def size(self) -> int:
        """Number of different keys: all encodings, or the pairs of cells' canonical forms."""
        return self.encodings if self.isomorphs == "separate" else canonical_cells() ** 2


def _mistake(text: str, what: str) -> ArchitectureError:
    shown = text if len(text) <= _LONGEST else f"{text[:200]}…"
    return ArchitectureError(f"architecture {shown!r}: {what}; write it as {_EXAMPLE}")


def _fields(text: str) -> dict[str, object]:
    """The keywords of a ``Genotype``, read as literals."""
    if len(text) > _LONGEST:
        raise _mistake(text, "it is too long for a genotype")
    if text != text.strip():
        raise _mistake(text, "it has blanks around it")
    listed = _RANGE.sub(lambda m: str(list(range(int(m[1]), min(int(m[2]), 99)))), text)
    try:
        call = ast.parse(listed, mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise ValueError("no call")
        if call.func.id != "Genotype" or call.args:
            raise ValueError("no genotype of keywords")
        return {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        raise _mistake(text, "it is no genotype") from None


# Graphs ------------------------------------------------------------------------------------------

_STEM, _FIRST = 1, 2  # slots: the input, the stem, and then the cells
_SLOTS = INPUTS + 3 * NODES + 1  # of a cell: its inputs, for each node two operations and a sum


def _slot(cell: int, node: int, side: int) -> int:
    """The slot of a node's operation; side 2 is the sum."""
    return _FIRST + cell * _SLOTS + INPUTS + 3 * node + side


def _template() -> tuple[IntArray, FloatArray, list[tuple[int, int]]]:
    """The fixed operations and attributes of slots, and all possible edges."""
    slots = _FIRST + len(CELLS) * _SLOTS + 1
    op = np.full(slots, OPERATION_IDS["sum"], dtype=np.int16)
    described = np.zeros((slots, len(ATTRIBUTES)), dtype=np.float32)
    op[0], op[_STEM], op[-1] = INPUT, OPERATION_IDS["conv"], OUTPUT
    described[_STEM] = attributes(kernel=3)
    edges = [(0, _STEM)]
    for cell in range(len(CELLS)):
        start = _FIRST + cell * _SLOTS
        end = start + _SLOTS - 1
        op[start : start + INPUTS], op[end] = OPERATION_IDS["conv"], OPERATION_IDS["concat"]
        described[start : start + INPUTS] = attributes(kernel=1)
        # The normal cell reads the input and the stem, the reduction cell the stem and that cell.
        edges += [(cell, start), (_STEM if cell == 0 else start - 1, start + 1)]
        states = [start, start + 1, *(_slot(cell, node, 2) for node in range(NODES))]
        for node in range(NODES):
            for side in (0, 1):
                edges += [(state, _slot(cell, node, side)) for state in states[: INPUTS + node]]
                edges.append((_slot(cell, node, side), _slot(cell, node, 2)))
            edges.append((_slot(cell, node, 2), end))
    return op, described, [*edges, (slots - 2, slots - 1)]


_TEMPLATE_OPS, _TEMPLATE_ATTRIBUTES, _EDGES = _template()
_INCOMING = {
    _slot(cell, node, side): [
        (edge, state)
        for state, edge in enumerate(
            i for i, (_, target) in enumerate(_EDGES) if target == _slot(cell, node, side)
        )
    ]
    for cell in range(len(CELLS))
    for node in range(NODES)
    for side in (0, 1)
}
"""The possible edges to operations, each with the state of the cell where it starts."""
_OPS = np.array(
    [
        OPERATION_IDS[name]
        for name in (
            "max_pool",
            "avg_pool",
            "skip",
            "separable_conv",
            "separable_conv",
            "dilated_conv",
            "dilated_conv",
        )
    ]
)
_ATTRIBUTES = np.stack(
    [
        attributes(kernel=3),
        attributes(kernel=3),
        attributes(),
        attributes(kernel=3, repetitions=2),
        attributes(kernel=5, repetitions=2),
        attributes(kernel=3, dilation=2),
        attributes(kernel=5, dilation=2),
    ]
)
