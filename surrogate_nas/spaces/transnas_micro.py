"""The cell space of TransNAS-Bench-101 (Duan et al., CVPR 2021)."""

from __future__ import annotations

import re

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces import nasbench201
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.cells import cell_edges, line_graphs, unique_string_numbers
from surrogate_nas.spaces.graphs import ArchGraphs

OPERATIONS: tuple[str, ...] = ("none", "skip", "conv1x1", "conv3x3")
NONE = OPERATIONS.index("none")
# The first four operations of NAS-Bench-201, in the same order, on the same edges.
_OFFICIAL = nasbench201.OPERATIONS[: len(OPERATIONS)]

_FORM = re.compile("64-41414-([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])")


class TransNASMicroSpace(SearchSpace):
    """A cell of four states as in NAS-Bench-201, with one of four operations on each edge.

    All 4,096 encodings are valid and have a record. An architecture is written
    ``64-41414-a_bc_def``: the macro structure, which is fixed, and the operations of the edges
    0->1, 0->2, 1->2, 0->3, 1->3, 2->3: 0 none, 1 skip, 2 conv 1x1, 3 conv 3x3.
    """

    name = "transnas-micro"
    decisions = tuple(
        Decision(f"{source}->{target}", OPERATIONS) for source, target in cell_edges(4)
    )

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The first encoding that NAS-Bench-201's rule counts as the same cell: int16 (n, 6).

        TransNAS-Bench-101 has no rule of its own; its cells are cells of NAS-Bench-201.
        """
        numbers = unique_string_numbers(_OFFICIAL, none="none", skip="skip_connect")
        return self.from_index(numbers[self.index(choices)])

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The line graph: a node for each edge's operation but `none`, and a sum for each state."""
        choices = np.asarray(choices)
        ops, described = nasbench201.EDGE_OPS[choices], nasbench201.EDGE_ATTRIBUTES[choices]
        return line_graphs(ops, described, choices != NONE)

    def parse(self, text: str) -> Architecture:
        """Read ``64-41414-a_bc_def``.

        Raises:
            ArchitectureError: If the text is of another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ArchitectureError(
                f"architecture {text!r} is not of the form 64-41414-a_bc_def with "
                "digits from 0 to 3"
            )
        return self._wrap(int(digit) for digit in found.groups())

    def format(self, arch: Architecture) -> str:
        """Write ``64-41414-a_bc_def``."""
        a, b, c, d, e, f = arch.choices
        return f"64-41414-{a}_{b}{c}_{d}{e}{f}"
