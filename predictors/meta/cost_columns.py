"""What costs depend on: how often a network has each operation, and its decisions."""

from __future__ import annotations

from typing import Self

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.predictors.structure.decision_columns import DecisionColumns
from surrogate_nas.predictors.structure.paths import Catalogue
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.rows import RowIndex, distinct

_SAMPLE = 4_096  # architectures of a space that cannot be listed
_AT_ONCE = 4_096


class CostColumns:
    """Counts of operations and the decisions of architectures of one space, standardised.

    A runtime computes every operation of a network, also those that its result does not need. A
    compiler of graphs leaves out operations from which no path leads to the output. So there are
    counts of all operations and of those that lead to the output.

    Attributes:
        choices: int (m, decisions), all architectures of the space, or a sample.
        rows: float64 (m, columns), their columns.
        groups: int (columns,), 0 for counts of all operations, 1 for counts of those that lead to
            the output, 2 for decisions.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Prepare the columns of ``space``; prefer `of`, which keeps them."""
        self._space = space
        if space.enumerable:
            self.choices = space.unique()
        else:
            drawn = space.keys(space.sample_choices(np.random.default_rng(0), _SAMPLE))
            self.choices = drawn[distinct(space, drawn)[0]]
        self._catalogue = Catalogue(space.graphs(self.choices))
        self._decisions = DecisionColumns(space, every=True)
        raw = self._raw(self.choices)
        operations = len(self._catalogue)
        groups = np.repeat([0, 1, 2], [operations + 1, operations + 1, len(self._decisions)])
        self._kept = np.flatnonzero(raw.max(axis=0) > raw.min(axis=0))
        self.groups = groups[self._kept]
        self._centre, self._scale = raw[:, self._kept].mean(axis=0), raw[:, self._kept].std(axis=0)
        self.rows = (raw[:, self._kept] - self._centre) / self._scale
        self._index = RowIndex.of(space, self.choices)

    @classmethod
    def of(cls, space: SearchSpace) -> Self:
        """The columns of a space that is no part of another one, made at first use."""
        key = (type(space), space.identity, space.decisions, space.isomorphs)
        if key not in _KEPT:
            _KEPT[key] = cls(space)
        return _KEPT[key]  # type: ignore[return-value]

    def __call__(self, choices: IntArray) -> FloatArray:
        """Columns of encodings (n, decisions): float64 (n, columns)."""
        keys = self._space.keys(np.asarray(choices))
        row = self._index.find(keys)
        if (row >= 0).all():
            return self.rows if row is self._index.all else np.asarray(self.rows[row])
        return np.asarray((self._raw(keys)[:, self._kept] - self._centre) / self._scale)

    def _raw(self, keys: IntArray) -> FloatArray:
        parts = range(0, max(len(keys), 1), _AT_ONCE)
        return np.concatenate([self._raw_part(keys[i : i + _AT_ONCE]) for i in parts])

    def _raw_part(self, keys: IntArray) -> FloatArray:
        graphs = self._space.graphs(keys)
        number, size = self._catalogue.number(graphs), len(self._catalogue)
        counts = []
        for mask in (number >= 0, (number >= 0) & leads_to_output(graphs)):
            flat = graphs.graph[mask].astype(np.int64) * size + number[mask]
            each = np.bincount(flat, minlength=len(keys) * size).reshape(len(keys), size)
            counts += [each, each.sum(axis=1, keepdims=True)]  # to start any one takes time, too
        return np.concatenate([*counts, self._decisions.transform(keys)], axis=1, dtype=np.float64)


_KEPT: dict[tuple[object, ...], CostColumns] = {}


def leads_to_output(graphs: ArchGraphs) -> BoolArray:
    """Whether a path leads from each node to its graph's output: bool (nodes,)."""
    source, target = graphs.edges
    reached = np.zeros(graphs.op.size, dtype=np.bool_)
    reached[graphs.offsets[1:] - 1] = True
    while True:
        fresh = source[reached[target] & ~reached[source]]
        if fresh.size == 0:
            return reached
        reached[fresh] = True
