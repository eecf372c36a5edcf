"""Structural features of architectures: numbers read off the pruned graph of any space.

After Kadlecova et al., "Surprisingly Strong Performance Prediction with Neural Graph Features",
ICML 2024, with positions along paths added. A path's length is its number of operations.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from weakref import WeakKeyDictionary

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.structure.columns import FAMILIES as ALL_FAMILIES
from surrogate_nas.predictors.structure.columns import common_strings, feature_columns
from surrogate_nas.predictors.structure.paths import Catalogue, Paths
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.rows import RowIndex, distinct

_PATHS = ("without", "order", "through", "weighted", "without_max", "skip", "widths")

FAMILIES = ("counts", *_PATHS)
"""The best families for few labels, measured by prediction and search in three spaces."""

TREE_FAMILIES = (*_PATHS, "paths")
"""The families for trees, which are as good without the counts."""

_SAMPLE = 4_096
_REMEMBERED = 16_384  # rows of a space that cannot be listed
_AT_ONCE = 1_024  # rows computed together, so that intermediate arrays stay small
_NODES = 18_000  # of all graphs of a sample: it has fewer of large graphs, which have more paths


class StructuralFeatures:
    """The features of one space, by `of`; without columns that are constant in it.

    Spaces that can be listed are computed once a process and then looked up.

    Attributes:
        names: Name of each column, for example ``count[skip]``.
        families: Family of each column: counts, paths, weighted, skip, place, widths, degrees,
            depth, order, without, through, without_max, sets or strings.
        centre: float32 (k,), mean of each column over the space (or a sample of it).
        scale: float32 (k,), standard deviation, never 0.
        operations: float32 (a, 12), the operations of the space, see `Catalogue`.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Prepare the features of ``space``; prefer `of`, which keeps them."""
        self._space = space
        self._rows: RowIndex | None = None
        self._matrix: FloatArray | None = None
        self._memories: dict[bytes, _Memory] = {}
        self._layout: FeatureLayout
        self._columns: IntArray
        pool = _pool(space)
        if isinstance(space, RestrictedSpace):
            whole = StructuralFeatures.of(space.whole)
            self._layout = whole._layout
            self._columns = whole._columns
            matrix = whole.transform(pool)
        else:
            graphs = space.graphs(pool).pruned()
            self._layout = FeatureLayout(graphs)
            matrix = self._layout.rows(graphs)
            self._columns = np.arange(matrix.shape[1])
        varying = matrix.max(axis=0) > matrix.min(axis=0)
        self._columns = self._columns[varying]
        matrix = np.ascontiguousarray(matrix[:, varying])
        self.centre = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.scale = matrix.std(axis=0, dtype=np.float64).astype(np.float32)
        self.names = tuple(self._layout.names[i] for i in self._columns)
        self.families = tuple(self._layout.families[i] for i in self._columns)
        self.operations = self._layout.operations
        if space.enumerable:
            self._rows = RowIndex.of(space, pool)
            matrix.setflags(write=False)
            self._matrix = matrix

    @staticmethod
    def of(space: SearchSpace) -> StructuralFeatures:
        """The features of a space, made at first use; a restriction shares its whole space's."""
        if isinstance(space, RestrictedSpace):
            if space not in _RESTRICTED:
                _RESTRICTED[space] = StructuralFeatures(space)
            return _RESTRICTED[space]
        key = (type(space), space.identity, space.decisions, space.isomorphs)
        if key not in _WHOLE:
            _WHOLE[key] = StructuralFeatures(space)
        return _WHOLE[key]

    def transform(self, choices: IntArray, columns: IntArray | None = None) -> FloatArray:
        """Features of encodings (n, decisions): float32 (n, columns).

        In a space with merged isomorphs, those of the canonical forms. Some ``columns`` alone, by
        their positions, take less time in a space that cannot be listed.
        """
        keys = self._space.keys(np.asarray(choices))
        if self._rows is None or self._matrix is None:
            columns = np.arange(len(self._columns)) if columns is None else columns
            memory = self._memories.get(columns.tobytes())
            if memory is None:
                memory = _Memory(self._computing(columns), len(columns))
                self._memories[columns.tobytes()] = memory
            return memory(keys)
        row = self._rows.require(keys)
        found = self._matrix if row is self._rows.all else self._matrix[row]
        return found if columns is None else found[:, columns]

    def _computing(self, columns: IntArray) -> Callable[[IntArray], FloatArray]:
        """What computes some columns of canonical forms (n, decisions)."""
        families = {self.families[i] for i in columns.tolist()}
        computed = np.flatnonzero(np.isin(self._layout.families, list(families)))
        position = np.searchsorted(computed, self._columns[columns])

        def rows(keys: IntArray) -> FloatArray:
            graphs = self._space.graphs(keys).pruned()
            return np.asarray(self._layout.rows(graphs, families)[:, position])

        return rows

    def columns(self, families: Iterable[str]) -> IntArray:
        """Positions of the columns of some families: int (m,)."""
        return np.flatnonzero(np.isin(self.families, list(families)))


_WHOLE: dict[tuple[object, ...], StructuralFeatures] = {}
_RESTRICTED: WeakKeyDictionary[SearchSpace, StructuralFeatures] = WeakKeyDictionary()


class FeatureLayout:
    """What the columns mean of a space's features, varying or not.

    Attributes:
        names: Name of each column.
        families: Family of each column.
        operations: float32 (a, 12), the operations, see `Catalogue`.
    """

    def __init__(self, graphs: ArchGraphs, others: FloatArray | None = None) -> None:
        """Decide on the columns.

        Args:
            graphs: Pruned graphs that show all operations of a space.
            others: Further operations that columns are about.
        """
        self._catalogue = Catalogue(graphs, others)
        self.operations = self._catalogue.operations
        self._strings = common_strings(Paths(graphs, self._catalogue), len(self._catalogue))
        few = list(feature_columns(graphs.head(1), self._catalogue, self._strings))
        self.names = [name for _, names, _ in few for name in names]
        self.families = [family for family, names, _ in few for _ in names]

    def rows(self, graphs: ArchGraphs, families: Collection[str] = ALL_FAMILIES) -> FloatArray:
        """Features of pruned graphs of the space, of some families: float32 (n, columns)."""
        found = feature_columns(graphs, self._catalogue, self._strings, families)
        none = np.zeros((graphs.count, 0), dtype=np.float32)
        parts = [columns for _, _, columns in found]
        return np.concatenate([none, *parts], axis=1, dtype=np.float32)


class _Memory:
    """Caches the rows of a function of encodings.

    A guided search asks for the same architectures again and again.
    """

    def __init__(self, compute: Callable[[IntArray], FloatArray], width: int) -> None:
        self._compute, self._width = compute, width
        self._position: dict[bytes, int] = {}
        self._rows = np.zeros((0, width), dtype=np.float32)

    def __call__(self, choices: IntArray) -> FloatArray:
        """Rows of encodings (n, decisions): float32 (n, width)."""
        if len(choices) > _REMEMBERED // 2:
            return self._computed(choices)
        digits = np.ascontiguousarray(choices, dtype=np.int16)
        names = digits.view(f"V{digits.shape[1] * digits.itemsize}")[:, 0].tolist()
        new = {name: i for i, name in enumerate(names) if name not in self._position}
        if len(self._position) + len(new) > _REMEMBERED:
            self._position = {}
            new = {name: i for i, name in enumerate(names)}
        if new:
            first = len(self._position)
            end = first + len(new)
            if end > len(self._rows):
                larger = np.empty((2 * end, self._width), dtype=np.float32)
                larger[:first] = self._rows[:first]
                self._rows = larger
            self._rows[first:end] = self._computed(choices[list(new.values())])
            self._position.update(zip(new, range(first, end), strict=True))
        position = [self._position[name] for name in names]
        return np.asfortranarray(self._rows[position])  # as columns are taken from all

    def _computed(self, choices: IntArray) -> FloatArray:
        found = np.empty((len(choices), self._width), dtype=np.float32)
        for start in range(0, len(choices), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            found[part] = self._compute(choices[part])
        return found


def _pool(space: SearchSpace) -> IntArray:
    """All architectures, or a sample that is the same in every process."""
    if space.enumerable:
        return space.unique()
    drawn = space.keys(space.sample_choices(np.random.default_rng(0), _SAMPLE))
    drawn = drawn[: np.searchsorted(space.graphs(drawn).offsets, _NODES)]
    return drawn[distinct(space, drawn)[0]]
