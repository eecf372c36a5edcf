"""Graphs of nodes whose operations and attributes are decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.spaces.cells import line_graphs
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.conditions import Clause, Conditions
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes
from surrogate_nas.spaces.toml_nodes import NONE, Node

_REPETITIONS, _SKIP = ATTRIBUTES.index("repetitions"), OPERATION_IDS["skip"]


class NodeGraphs:
    """Makes the graphs of a space from its nodes.

    A node is missing if its operation is `none`, if its condition does not hold, or if the decision
    about its operation is inactive. If it is repeated 0 times, it is missing in a chain, and a skip
    elsewhere. Another attribute is absent if its decision is inactive or has the number 0.
    """

    def __init__(
        self,
        graph: str,
        nodes: Sequence[Node],
        edges: Sequence[tuple[int, int]],
        decisions: Sequence[Decision],
    ) -> None:
        """Prepare tables.

        Args:
            graph: One of `definitions.GRAPHS`.
            nodes: The nodes between input and output.
            edges: Of a template: 0 the input, 1 to n the nodes, n + 1 the output.
            decisions: All decisions of the space.
        """
        self._graph, self._count = graph, len(nodes)
        if graph != "template":
            pairs = graph == "cell-on-nodes" or not nodes
            edges = [(s, t) for t in range(len(nodes) + 2) for s in range(t)] if pairs else []
        self._edges = np.array(edges, dtype=np.int64).reshape(-1, 2).T
        options = [option for node in nodes for option in node.options]
        self._first = np.cumsum([0, *(len(node.options) for node in nodes)])[:-1]
        self._decided = np.array([node.decision is not None for node in nodes], dtype=np.bool_)
        self._decision = np.array([node.decision or 0 for node in nodes], dtype=np.int64)
        self._present = np.array([option.operation != NONE for option in options], dtype=np.bool_)
        self._op = np.zeros(len(options), dtype=np.int16)
        self._attributes = np.zeros((len(options), len(ATTRIBUTES)), dtype=np.float32)
        rows = ((node, option) for node in nodes for option in node.options)
        for row, (node, option) in enumerate(rows):
            if option.operation != NONE:
                self._op[row] = OPERATION_IDS[option.operation]
                self._attributes[row] = attributes(**{**option.attributes, **node.fixed})
        self._chosen = [
            (i, ATTRIBUTES.index(name), decision, _logarithms(decisions[decision]))
            for i, node in enumerate(nodes)
            for name, decision in node.chosen.items()
        ]
        self._chosen.sort(key=lambda chosen: chosen[1] == _REPETITIONS)  # it may undo the others
        conditional = any(decision.when for decision in decisions)
        conditions = Conditions(decisions) if conditional or any(n.when for n in nodes) else None
        self._conditions = conditions
        self._clauses: dict[tuple[Clause, ...], list[int]] = {}
        for i, node in enumerate(nodes):
            if node.when and conditions is not None:
                clauses = conditions.clauses(node.when, f"node {node.name!r}")
                self._clauses.setdefault(clauses, []).append(i)

    @property
    def unknown(self) -> list[tuple[int, int]]:
        """Nodes and their options whose operation the shared vocabulary does not know."""
        rows = np.flatnonzero(self._present & (self._op == OPERATION_IDS["unknown"]))
        nodes = np.searchsorted(self._first, rows, side="right") - 1
        return list(zip(nodes.tolist(), (rows - self._first[nodes]).tolist(), strict=True))

    def __call__(self, choices: IntArray) -> ArchGraphs:
        """The graphs of encodings (n, decisions)."""
        op, described, present = self._tables(np.asarray(choices))
        if self._graph == "chain" and self._count:
            return chain_graphs(op, described, present=present)
        if self._graph == "cell-on-edges" and self._count:
            return line_graphs(op, described, present)
        return from_template(
            np.pad(op, ((0, 0), (1, 1)), constant_values=((0, 0), (INPUT, OUTPUT))),
            np.pad(described, ((0, 0), (1, 1), (0, 0))),
            self._edges,
            node_mask=np.pad(present, ((0, 0), (1, 1)), constant_values=True),
        )

    def _tables(self, choices: IntArray) -> tuple[IntArray, FloatArray, BoolArray]:
        """Operations (n, nodes), attributes (n, nodes, 11), and which nodes exist."""
        rows = self._first + np.where(self._decided, choices[:, self._decision], 0)
        op, described, present = self._op[rows], self._attributes[rows], self._present[rows]
        active = None
        if self._conditions is not None:
            active = self._conditions.active(choices)
            present &= active[:, self._decision] | ~self._decided
            for clauses, nodes in self._clauses.items():
                present[:, nodes] &= self._conditions.holds(clauses, choices, active)[:, None]
        for node, attribute, decision, values in self._chosen:
            given = values[choices[:, decision]]
            counts = ~np.isnan(given)
            if active is not None:
                counts &= active[:, decision]
            described[:, node, attribute] = np.where(counts, given, 0)
            if attribute == _REPETITIONS:
                none = np.isnan(given)
                if self._graph == "chain":  # the layers around it are joined
                    present[:, node] &= ~none
                else:
                    op[none, node], described[none, node] = _SKIP, 0
        return op, described, present


def _logarithms(decision: Decision) -> FloatArray:
    """log2 of the number of each option, NaN for 0: float32 (options,)."""
    numbers = np.array(decision.options, dtype=np.float64)
    return np.log2(numbers, out=np.full(len(numbers), np.nan), where=numbers > 0).astype(np.float32)
