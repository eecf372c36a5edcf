"""The cell space of NAS-Bench-201 and of NATS-Bench's topology part (Dong and Yang, ICLR 2020)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.cells import cell_edges, line_graphs, unique_string_numbers
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.notation import Piece, read_pieces
from surrogate_nas.spaces.operations import OPERATION_IDS, attributes

OPERATIONS: tuple[str, ...] = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)
EDGES = cell_edges(4)
NONE = OPERATIONS.index("none")

_SHAPE = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
_FORM = re.compile(re.escape(_SHAPE).replace("op", "([^|~+]*)"))


class NASBench201Space(SearchSpace):
    """A cell of four states, with one of five operations on each of its six edges.

    State 0 is the input, every other state is the sum of its edges' results, and state 3 is the
    output. All 15,625 encodings are valid, also those without a path to the output. An architecture
    is written ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``, where ``op~j`` comes from state j.
    """

    name = "nasbench201"
    decisions = tuple(Decision(f"{source}->{target}", OPERATIONS) for source, target in EDGES)

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The first encoding, in the order of `index`, with the same unique string: int16 (n, 6).

        The string is the benchmark's own (``to_unique_str`` that considers zeros). It gives the
        6,466 different cells of publications, though some of these compute the same function.
        """
        numbers = unique_string_numbers(OPERATIONS, none="none", skip="skip_connect")
        return self.from_index(numbers[self.index(choices)])

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The line graph: a node for each edge's operation but `none`, and a sum for each state."""
        choices = np.asarray(choices)
        return line_graphs(EDGE_OPS[choices], EDGE_ATTRIBUTES[choices], choices != NONE)

    def parse(self, text: str) -> Architecture:
        """Read ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

        Raises:
            ArchitectureError: If the shape is another or an operation is unknown.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ArchitectureError(f"architecture {text!r} is not of the form {_SHAPE}")
        return self._wrap([self._option(i, name, text) for i, name in enumerate(found.groups())])

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        pieces = []  # one for each state but the input: |op~0|op~1| and so on
        for state in (1, 2, 3):
            choices = list(product(range(len(OPERATIONS)), repeat=state))
            names = (
                "|".join(f"{OPERATIONS[op]}~{source}" for source, op in enumerate(ops))
                for ops in choices
            )
            pieces.append(Piece([f"|{name}|" for name in names], np.array(choices)))
        return read_pieces(texts, "+", pieces)

    def format(self, arch: Architecture) -> str:
        """Write ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        a, b, c, d, e, f = (OPERATIONS[choice] for choice in arch.choices)
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


# `none` has no node, so its entries are never used.
EDGE_OPS = np.array(
    [OPERATION_IDS[name] for name in ("unknown", "skip", "conv", "conv", "avg_pool")]
)
EDGE_ATTRIBUTES = np.stack(
    [attributes(), attributes(), *(attributes(kernel=size) for size in (1, 3, 3))]
)
