"""Predictions in an unseen space, one that no source task is of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray
from surrogate_nas.predictors.graph_encoder import GraphTensors
from surrogate_nas.predictors.meta.weights import noted
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.predictors.structure.features import FeatureLayout
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import (
    ATTRIBUTES,
    OPERATION_IDS,
    STRUCTURAL_OPERATIONS,
    WEIGHTLESS,
)

_LOOKED_AT = 16  # architectures whose decisions are changed one by one
_SKIP = OPERATION_IDS["skip"]
_LESS = [OPERATION_IDS[name] for name in ("skip", "max_pool", "avg_pool")]
_FACTORS = [  # of the number of weights; a kernel is as high as it is wide
    ATTRIBUTES.index(name)
    for name in (
        "kernel", "kernel", "channels_in", "channels_out", "expansion", "repetitions", "width"
    )
]  # fmt: skip
_GROUPS = ATTRIBUTES.index("groups")


@dataclass(frozen=True)
class SourceTerms:
    """What encoders know of the spaces that they were trained in.

    Attributes:
        spaces: Identities of the spaces.
        operations: float32 (a, 12), the operations with their attributes, see `Catalogue`.
        features: Names of the structural features and of the columns of decisions, in their
            order.
        centre: float32 (k,), mean of each feature over the spaces that have it.
        scale: float32 (k,), its standard deviation there.
    """

    spaces: tuple[str, ...]
    operations: FloatArray
    features: tuple[str, ...]
    centre: FloatArray
    scale: FloatArray

    def of_space(self, space: SearchSpace) -> bool:
        """Whether the encoders were trained in a space."""
        return noted(space, self.spaces)


class VocabularyMapping:
    """Maps graphs of an unseen space to the operations that the sources know.

    An unknown operation with weights is read as a known one with weights. Unknown pooling is
    somewhere between a skip and no operation, so there are two readings, one of each. Other
    operations without weights, such as a normalisation, are read as skips. The features count a
    known operation with unknown attributes, such as a larger kernel, as the nearest one that the
    sources have.
    """

    def __init__(self, graphs: ArchGraphs, terms: SourceTerms) -> None:
        """Prepare for a space, of which ``graphs`` show all operations."""
        self._terms = terms
        self._known = np.unique(terms.operations[:, 0]).astype(graphs.op.dtype)
        self._layouts = [
            FeatureLayout(self._listed(reading), terms.operations) for reading in self._read(graphs)
        ]

    def __call__(self, graphs: ArchGraphs) -> list[GraphTensors]:
        """All readings of some graphs, with features standardised as those of the sources."""
        terms = self._terms
        position = {name: i for i, name in enumerate(terms.features)}
        found = []
        for reading, layout in zip(self._read(graphs), self._layouts, strict=True):
            features = np.zeros((len(graphs), len(position)), dtype=np.float32)
            shared = [i for i, name in enumerate(layout.names) if name in position]
            there = [position[layout.names[i]] for i in shared]
            # The other features count operations that these graphs never have.
            features[:, there] = layout.rows(self._listed(reading))[:, shared]
            found.append(GraphTensors.from_graphs(reading, (features - terms.centre) / terms.scale))
        return found

    def _read(self, graphs: ArchGraphs) -> list[ArchGraphs]:
        op, attributes = graphs.op.copy(), graphs.attributes.copy()
        unknown = ~np.isin(op, [*self._known, *STRUCTURAL_OPERATIONS])
        idle = unknown & np.isin(op, WEIGHTLESS)
        weighted = self._known[~np.isin(self._known, WEIGHTLESS)]
        if weighted.size:
            op[unknown & ~idle] = weighted[0]
        if not idle.any():
            return [replace(graphs, op=op).pruned()]
        less = idle & np.isin(op, _LESS)
        op[idle], attributes[idle] = _SKIP, 0
        passed = replace(graphs, op=op, attributes=attributes)
        readings = [passed] if _SKIP in self._known or not less.any() else []
        if less.any():
            readings.append(passed.only(~less))
        return [reading.pruned() for reading in readings]

    def _listed(self, graphs: ArchGraphs) -> ArchGraphs:
        """The same with the nearest attributes that the sources' operations of a kind have."""
        attributes = graphs.attributes.copy()
        for kind in np.unique(graphs.op):
            listed = self._terms.operations[self._terms.operations[:, 0] == kind, 1:]
            if len(listed):
                nodes = graphs.op == kind
                distance = np.zeros((int(nodes.sum()), len(listed)), dtype=np.float32)
                for own, other in zip(attributes[nodes].T, listed.T, strict=True):
                    distance += np.abs(own[:, None] - other)
                attributes[nodes] = listed[distance.argmin(axis=1)]
        return replace(graphs, attributes=attributes)


def known_share(graphs: ArchGraphs, terms: SourceTerms) -> float:
    """Share of the operations in pruned graphs, in 0, …, 1, that the sources have at all.

    It counts operations as often as they occur, whatever their attributes are.
    """
    operations = graphs.op[~np.isin(graphs.op, [*STRUCTURAL_OPERATIONS])]
    known = set(terms.operations[:, 0].astype(int).tolist()) - {OPERATION_IDS["unknown"]}
    return float(np.isin(operations, [*known]).mean()) if operations.size else 0.0


def unseen_decisions(space: SearchSpace, operations: Collection[int]) -> tuple[str, ...]:
    """Names of the decisions that weights of other spaces cannot see in full.

    Two options of such a decision give the same graph in terms of the known operations, in each
    of a sample of architectures. So what they are worth cannot be learned from other spaces.

    Args:
        space: A space.
        operations: Positions in `surrogate_nas.spaces.operations.OPERATIONS`.
    """
    space = space.whole if isinstance(space, RestrictedSpace) else space
    known = [op for op in operations if op != OPERATION_IDS["unknown"]]
    rng = np.random.default_rng(0)
    some = space.keys(space.sample_choices(rng, _LOOKED_AT))
    found = []
    for i, (decision, size) in enumerate(zip(space.decisions, space.sizes, strict=True)):
        rows = np.repeat(some, size, axis=0)
        rows[:, i] = np.tile(np.arange(size), len(some))
        there = space.valid(rows)
        shown = iter(_shown(space.graphs(rows[there]).pruned(), known))
        marks = np.array([next(shown) if valid else -1 for valid in there]).reshape(-1, size)
        both = (marks[:, :, None] >= 0) & (marks[:, None, :] >= 0)
        differ = marks[:, :, None] != marks[:, None, :]
        distinct: BoolArray = np.logical_or.reduce(both & differ, axis=0)
        compared: BoolArray = np.logical_or.reduce(both, axis=0)
        if (compared & ~distinct & ~np.eye(size, dtype=np.bool_)).any():
            found.append(decision.name)
    return tuple(found)


def _shown(graphs: ArchGraphs, known: Sequence[int]) -> list[int]:
    """A number for each graph, equal for graphs that are equal in terms of ``known``."""
    unknown = ~np.isin(graphs.op, [*known, *STRUCTURAL_OPERATIONS])
    op = np.where(unknown, OPERATION_IDS["unknown"], graphs.op)
    first, edge = graphs.offsets, np.searchsorted(graphs.edges[1], graphs.offsets)
    numbers: dict[tuple[bytes, ...], int] = {}
    found = []
    for i in range(len(graphs)):
        nodes, edges = slice(first[i], first[i + 1]), slice(edge[i], edge[i + 1])
        parts = op[nodes], graphs.attributes[nodes], graphs.edges[:, edges] - first[i]
        found.append(numbers.setdefault(tuple(part.tobytes() for part in parts), len(numbers)))
    return found


class SizeScores:
    """Numbers of weights as normal scores: a prediction without any label.

    A simple baseline that is hard to beat: White et al., "A Deeper Look at Zero-Cost Proxies for
    Lightweight NAS", ICLR blog track 2022.
    """

    def __init__(self, graphs: ArchGraphs) -> None:
        """Rank pruned graphs, which stand for the space."""
        sizes = _weights(graphs)
        self._sizes, first = np.unique(sizes, return_index=True)
        self._scores = normal_scores(sizes)[first]

    def __call__(self, graphs: ArchGraphs) -> FloatArray:
        """Scores of pruned graphs: float32 (n,)."""
        return np.interp(_weights(graphs), self._sizes, self._scores).astype(np.float32)


def _weights(graphs: ArchGraphs) -> FloatArray:
    """Number of weights of pruned graphs, up to a factor and roughly: float64 (n,)."""
    weighted = ~np.isin(graphs.op, [*WEIGHTLESS, *STRUCTURAL_OPERATIONS])
    sizes = weighted * np.exp2(
        graphs.attributes[:, _FACTORS].sum(axis=1) - graphs.attributes[:, _GROUPS]
    )
    return np.bincount(graphs.graph, sizes, minlength=len(graphs)).astype(np.float64)
