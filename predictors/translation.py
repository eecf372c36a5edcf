"""A space that no source task is of, in the terms of the sources' operations and features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.predictors.encoder import GraphTensors
from surrogate_nas.predictors.features import FeatureLayout
from surrogate_nas.predictors.paths import WEIGHTLESS
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import OPERATION_IDS, STRUCTURAL_OPERATIONS

_SKIP = OPERATION_IDS["skip"]


@dataclass(frozen=True)
class SourceTerms:
    """What encoders know of the spaces that they were trained in.

    Attributes:
        spaces: Names of the spaces.
        operations: float32 (a, 7), the operations with their attributes, see `Catalogue`.
        features: Names of the structural features, in their order.
        centre: float32 (k,), mean of each feature over the spaces that have it.
        scale: float32 (k,), its standard deviation there.
    """

    spaces: tuple[str, ...]
    operations: FloatArray
    features: tuple[str, ...]
    centre: FloatArray
    scale: FloatArray


class Translation:
    """Readings of another space's graphs, each with operations that the sources know only.

    An unknown operation that has weights is read as a known one that has. One without weights,
    such as a pooling, does less than a skip and more than nothing: there is a reading for each.
    """

    def __init__(self, graphs: ArchGraphs, terms: SourceTerms) -> None:
        """Prepare for a space, of which ``graphs`` show all operations."""
        self._terms = terms
        self._known = np.unique(terms.operations[:, 0]).astype(graphs.op.dtype)
        self._layouts = [FeatureLayout(found, terms.operations) for found in self._read(graphs)]

    def __call__(self, graphs: ArchGraphs) -> list[GraphTensors]:
        """All readings of some graphs, with features standardised as those of the sources."""
        terms = self._terms
        place = {name: i for i, name in enumerate(terms.features)}
        found = []
        for reading, layout in zip(self._read(graphs), self._layouts, strict=True):
            features = np.zeros((len(graphs), len(place)), dtype=np.float32)
            shared = [i for i, name in enumerate(layout.names) if name in place]
            there = [place[layout.names[i]] for i in shared]
            # The others count what these graphs never have.
            features[:, there] = layout.rows(reading)[:, shared]
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
        op[idle], attributes[idle] = _SKIP, 0
        passed = replace(graphs, op=op, attributes=attributes)
        readings = [passed] if _SKIP in self._known else []
        return [reading.pruned() for reading in (*readings, passed.only(~idle))]
