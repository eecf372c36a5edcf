"""Designs of graph neural networks: the spaces of M-DESIGN and of GraphGym."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.notation import option_pieces, read_pieces
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

_SEPARATOR = ":"
_SLOTS = 3  # of a layer: messages, their combination with the state, the connection of layers
_DENSE, _SUM, _CONCAT, _PASS = (
    OPERATION_IDS[name] for name in ("linear", "sum", "concat", "message_passing")
)


class _DesignSpace(SearchSpace):
    """A space whose architectures are written as the names of options joined by ``:``."""

    def parse(self, text: str) -> Architecture:
        """Read the names of the options.

        Raises:
            ArchitectureError: If the text is anything else.
        """
        names = text.split(_SEPARATOR)
        if len(names) != len(self.decisions):
            example = self.format(self._wrap([0] * len(self.decisions)))
            raise ArchitectureError(
                f"architecture {text!r} must name an option of each of "
                f"{', '.join(d.name for d in self.decisions)}, like {example}"
            )
        return self._wrap([self._option(i, name, text) for i, name in enumerate(names)])

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return read_pieces(texts, _SEPARATOR, option_pieces(self.decisions))

    def format(self, arch: Architecture) -> str:
        """Write the names of the options."""
        chosen = zip(self.decisions, arch.choices, strict=True)
        return _SEPARATOR.join(decision.options[choice] for decision, choice in chosen)


class GNNDesignSpace(_DesignSpace):
    """The 2,800 designs of M-DESIGN (Zheng et al., 2025) for the classification of nodes.

    ``neigh`` are the neighbours: of one or two hops, or the nearest by features, by eigenvectors
    of the graph's Laplacian (``lepe``) or by random walks (``rwpe``); ``norm`` weighs them, by
    degrees, learned from both nodes, or from the difference of their positions; ``agg`` joins
    them, and ``comb`` joins that with the node's own state; ``l_mp`` is the number of layers, and
    ``stage`` how these are connected. An architecture is written
    ``edge_index:degree_sys:mean:add:4:skipsum``.
    """

    name = "gnn-design"
    decisions = (
        Decision(
            "neigh",
            (
                "edge_index",
                "edge_index_2hop",
                "edge_index_knn",
                "edge_index_knn_lepe",
                "edge_index_knn_rwpe",
            ),
        ),
        Decision("norm", ("degree_row", "degree_sys", "fagcn_like", "rel_lepe", "rel_rwpe")),
        Decision("agg", ("add", "mean", "max", "min")),
        Decision("comb", ("add", "concat")),
        Decision.numbers("l_mp", (4, 6)),
        Decision(
            "stage", ("skipsum", "skipconcat", "lstm", "gpr", "ppr_01", "mean", "node_adaptive")
        ),
    )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A linear layer, the message-passing layers, and a reader of all layers, if any."""
        choices = np.asarray(choices)
        neigh, _, _, comb, depth, stage = choices.T
        layers = np.array([4, 6])[depth]
        names = [self.decisions[5].options[i] for i in range(7)]
        reads_all = np.isin(stage, [names.index(n) for n in _READERS])
        parts = _Layers(1, 6, 0)
        op, described, nodes = parts.blank(len(choices))
        hops = np.where(neigh == 1, 2, 1)
        passes = attributes(repetitions=2) * (hops == 2)[:, None]
        for layer in range(6):
            there = layer < layers
            slot = parts.layer(layer)
            op[:, slot], described[:, slot] = _PASS, passes
            op[:, slot + 1] = np.where(comb == 0, _SUM, _CONCAT)
            joined = np.isin(stage, [0, 1, names.index("ppr_01")])
            op[:, slot + 2] = np.where(stage == 1, _CONCAT, _SUM)
            nodes[:, slot] = nodes[:, slot + 1] = there
            nodes[:, slot + 2] = there & joined
        op[:, parts.reader] = np.array([_READERS.get(name, 0) for name in names])[stage]
        nodes[:, parts.reader] = reads_all
        return parts.graphs(op, described, nodes, initial=stage == names.index("ppr_01"))


_READERS = {
    "lstm": OPERATION_IDS["lstm"],
    "gpr": OPERATION_IDS["readout"],
    "mean": OPERATION_IDS["aggregation"],
    "node_adaptive": OPERATION_IDS["attention"],
}
"""Operations that read the outputs of all layers."""


class GraphGymSpace(_DesignSpace):
    """The 5,832 architectures of GraphGym's design space (You et al., NeurIPS 2020).

    The decisions are the numbers of linear layers before, of message-passing layers, and of linear
    layers after them (``l_pre``, ``l_mp``, ``l_post``), the connection of message-passing layers
    (``stage``), their aggregation (``agg``), activation, batch normalisation and dropout. An
    architecture is written ``1:4:1:skipsum:add:prelu:true:0``.
    """

    name = "graphgym"
    decisions = (
        Decision.numbers("l_pre", (1, 2, 3)),
        Decision.numbers("l_mp", (2, 4, 6, 8)),
        Decision.numbers("l_post", (1, 2, 3)),
        Decision("stage", ("stack", "skipsum", "skipconcat")),
        Decision("agg", ("add", "mean", "max")),
        Decision("act", ("relu", "prelu", "swish")),
        Decision.boolean("bn"),
        Decision.numbers("drop", (0, 0.3, 0.6)),
    )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """Linear layers, message-passing layers with their connections, linear layers."""
        choices = np.asarray(choices)
        pre, depth, post, stage = choices[:, :4].T
        rate = np.array([0, 0.3, 0.6])[choices[:, 7]]
        parts = _Layers(3, 8, 3)
        op, described, nodes = parts.blank(len(choices))
        for layer in range(3):
            nodes[:, 1 + layer] = layer <= pre
            nodes[:, parts.reader + 1 + layer] = layer <= post
        for layer in range(8):
            there = layer < np.array([2, 4, 6, 8])[depth]
            slot = parts.layer(layer)
            op[:, slot] = _PASS
            described[:, slot, ATTRIBUTES.index("rate")] = np.log2(np.where(rate > 0, rate, 1))
            op[:, slot + 2] = np.where(stage == 2, _CONCAT, _SUM)
            nodes[:, slot], nodes[:, slot + 2] = there, there & (stage > 0)
            nodes[:, slot + 1] = False
        nodes[:, parts.reader] = False
        return parts.graphs(op, described, nodes, initial=np.zeros(len(choices), dtype=np.bool_))


class _Layers:
    """The template of both spaces: linear layers, message-passing layers, a reader, linear layers.

    A missing slot is bridged by an edge between the slots around it.
    """

    def __init__(self, before: int, layers: int, after: int) -> None:
        self.before, self.layers, self.after = before, layers, after
        self.reader = 1 + before + _SLOTS * layers
        self.slots = self.reader + 1 + after + 1

    def layer(self, number: int) -> int:
        """The first slot of a message-passing layer."""
        return 1 + self.before + _SLOTS * number

    def blank(self, n: int) -> tuple[IntArray, FloatArray, BoolArray]:
        """Initial arrays: operations (n, slots), all linear; attributes; existing slots, all."""
        op = np.full((n, self.slots), _DENSE, dtype=np.int16)
        op[:, 0], op[:, -1] = INPUT, OUTPUT
        described = np.zeros((n, self.slots, len(ATTRIBUTES)), dtype=np.float32)
        return op, described, np.ones((n, self.slots), dtype=np.bool_)

    def graphs(
        self, op: IntArray, described: FloatArray, nodes: BoolArray, *, initial: BoolArray
    ) -> ArchGraphs:
        """The graphs; where ``initial`` (n,), layers connect to the first state, else the last."""
        edges, present = [], []
        n = len(op)
        state = np.zeros(n, dtype=np.int64)  # the slot of the latest state
        leaves: list[IntArray] = []

        def link(source: IntArray, target: int, where: BoolArray) -> None:
            for slot in np.unique(source[where]).tolist():
                edges.append((slot, target))
                present.append(where & (source == slot))

        for slot in range(1, 1 + self.before):
            link(state, slot, nodes[:, slot])
            state = np.where(nodes[:, slot], slot, state)
        first = state
        for number in range(self.layers):
            slot = self.layer(number)
            there, before = nodes[:, slot], state
            link(before, slot, there)
            state = np.where(there, slot, state)
            link(before, slot + 1, nodes[:, slot + 1])
            link(state, slot + 1, nodes[:, slot + 1])
            state = np.where(nodes[:, slot + 1], slot + 1, state)
            link(np.where(initial, first, before), slot + 2, nodes[:, slot + 2])
            link(state, slot + 2, nodes[:, slot + 2])
            state = np.where(nodes[:, slot + 2], slot + 2, state)
            leaves.append(np.where(there, state, -1))
        for leaf in leaves:
            link(leaf, self.reader, nodes[:, self.reader] & (leaf >= 0))
        state = np.where(nodes[:, self.reader], self.reader, state)
        for slot in range(self.reader + 1, self.slots):
            link(state, slot, nodes[:, slot])
            state = np.where(nodes[:, slot], slot, state)
        return from_template(
            op,
            described,
            np.array(edges, dtype=np.int64).reshape(-1, 2).T,
            node_mask=nodes,
            edge_mask=np.array(present, dtype=np.bool_).reshape(len(present), n).T,
        )
