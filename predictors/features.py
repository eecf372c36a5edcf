"""Structural features of architectures: numbers read off the pruned graph of any space.

After Kadlecova et al., "Surprisingly Strong Performance Prediction with Neural Graph Features",
ICML 2024, with positions along paths added. A path's length is its number of operations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.predictors.paths import Catalogue, Paths
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs

FEW_OPERATIONS = 6
"""Up to so many operations, all sets of them get columns."""

SET_COLUMNS = 100
"""Most columns about sets of operations in a space with more."""

STRING_COLUMNS = 100
"""Most columns that count a path's string of operations: the most frequent in the space."""

_SAMPLE = 4_096

Columns = tuple[str, list[str], FloatArray]
"""A family's name, the names of its columns, and float32 (n, columns)."""


class StructuralFeatures:
    """The features of one space, by `of`; columns that are constant in it are left out.

    Spaces that can be enumerated are computed once a process and then looked up.

    Attributes:
        names: Name of each column, for example ``count[skip]``.
        families: Family of each column: counts, paths, weighted, skip, place, degrees, depth,
            order, without, through, without_max, sets or strings.
        centre: float32 (k,), mean of each column over the space (or a sample of it).
        scale: float32 (k,), standard deviation, never 0.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Prepare the features of ``space``; prefer `of`, which keeps them."""
        self._space = space
        self._numbers: IntArray | None = None
        self._matrix: FloatArray | None = None
        self._layout: _Layout
        self._columns: IntArray
        if isinstance(space, RestrictedSpace):
            whole = StructuralFeatures.of(space.whole)
            self._layout = whole._layout
            self._columns = whole._columns
            pool = space.unique()
            matrix = whole.transform(pool)
        else:
            pool = _pool(space)
            self._layout = _Layout(space, pool)
            matrix = self._layout.rows(space, pool)
            self._columns = np.arange(matrix.shape[1])
        varying = matrix.max(axis=0) > matrix.min(axis=0)
        self._columns = self._columns[varying]
        matrix = np.ascontiguousarray(matrix[:, varying])
        self.centre = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.scale = matrix.std(axis=0, dtype=np.float64).astype(np.float32)
        self.names = tuple(self._layout.names[i] for i in self._columns)
        self.families = tuple(self._layout.families[i] for i in self._columns)
        if space.enumerable or isinstance(space, RestrictedSpace):
            self._numbers = space.index(pool)
            matrix.setflags(write=False)
            self._matrix = matrix

    @staticmethod
    def of(space: SearchSpace) -> StructuralFeatures:
        """The features of a space, made at first use; a restriction shares its whole space's."""
        if isinstance(space, RestrictedSpace):
            if space not in _RESTRICTED:
                _RESTRICTED[space] = StructuralFeatures(space)
            return _RESTRICTED[space]
        key = (type(space), space.name, space.decisions, space.isomorphs)
        if key not in _WHOLE:
            _WHOLE[key] = StructuralFeatures(space)
        return _WHOLE[key]

    def transform(self, choices: IntArray) -> FloatArray:
        """Features of encodings (n, decisions): float32 (n, columns).

        In a space with merged isomorphs, those of the canonical forms.
        """
        keys = self._space.keys(np.asarray(choices))
        if self._numbers is None or self._matrix is None:
            return np.asarray(self._layout.rows(self._space, keys)[:, self._columns])
        number = self._space.index(keys)
        if np.array_equal(number, self._numbers):
            return self._matrix
        row = np.minimum(np.searchsorted(self._numbers, number), len(self._numbers) - 1)
        strange = self._numbers[row] != number
        if strange.any():
            example = keys[np.flatnonzero(strange)[0]].tolist()
            raise ArchitectureError(f"{example} is not an architecture of {self._space!r}")
        return self._matrix[row]

    def columns(self, families: Iterable[str]) -> IntArray:
        """Positions of the columns of some families: int (m,)."""
        return np.flatnonzero(np.isin(self.families, list(families)))


_WHOLE: dict[tuple[object, ...], StructuralFeatures] = {}
_RESTRICTED: WeakKeyDictionary[SearchSpace, StructuralFeatures] = WeakKeyDictionary()


class _Layout:
    """What the columns of a space mean, varying or not."""

    def __init__(self, space: SearchSpace, pool: IntArray) -> None:
        graphs = space.graphs(pool).pruned()
        self._catalogue = Catalogue(graphs)
        self._strings = common_strings(Paths(graphs, self._catalogue), len(self._catalogue))
        few = list(feature_columns(space.graphs(pool[:1]).pruned(), self._catalogue, self._strings))
        self.names = [name for _, names, _ in few for name in names]
        self.families = [family for family, names, _ in few for _ in names]

    def rows(self, space: SearchSpace, keys: IntArray) -> FloatArray:
        """All features of encodings (n, decisions)."""
        graphs = space.graphs(keys).pruned()
        families = feature_columns(graphs, self._catalogue, self._strings)
        return np.concatenate([columns for _, _, columns in families], axis=1, dtype=np.float32)


def _pool(space: SearchSpace) -> IntArray:
    """All architectures, or a sample that is the same in every process."""
    if space.enumerable:
        return space.unique()
    drawn = space.keys(space.sample_choices(np.random.default_rng(0), _SAMPLE))
    return drawn[np.unique(space.index(drawn), return_index=True)[1]]


def feature_columns(
    graphs: ArchGraphs, catalogue: Catalogue, strings: IntArray
) -> Iterator[Columns]:
    """All features of pruned graphs, family by family; the layout depends on the space alone.

    Args:
        graphs: Pruned graphs.
        catalogue: The operations of their space.
        strings: int (s, longest), the path strings to count, see `common_strings`.
    """
    paths = Paths(graphs, catalogue)
    names, size = catalogue.names, len(catalogue)
    longest = strings.shape[1]
    node = np.flatnonzero(paths.number >= 0)
    counts = _histogram(paths.count, size, graphs.graph[node], paths.number[node])
    yield "counts", [f"count[{n}]" for n in names], counts
    edges = np.bincount(graphs.graph[graphs.edges[0]], minlength=paths.count)
    sums = np.stack([counts.sum(axis=1), edges], axis=1, dtype=np.float32)
    yield "counts", ["operations", "edges"], sums

    length = paths.length[:, None].astype(np.float32)
    yield "paths", ["paths"], paths.per_graph[:, None]
    yield "paths", _statistics("length"), _min_max_mean(paths, length)
    weighted = paths.counts[:, catalogue.weighted].sum(axis=1, keepdims=True)
    yield "weighted", _statistics("weighted"), _min_max_mean(paths, weighted)
    skips = paths.counts[:, catalogue.skips].sum(axis=1, keepdims=True)
    free = np.concatenate([skips == length, weighted == 0], axis=1, dtype=np.float32)
    yield "skip", ["paths_of_skips", "paths_without_weights"], paths.total(free)
    yield "skip", ["has_path_of_skips", "has_path_without_weights"], paths.most(free)

    for place in range(longest):
        for sign in (1, -1):
            label = f"{sign * (place + 1):+d}"
            at = _one_hot(_operation_at(paths, place, sign), size)
            yield "place", [f"at{label}[{n}]" for n in names], paths.total(at)
    for label, sign in (("first", 1), ("last", -1)):
        ends = np.unique(_node_at(paths, 0, sign))
        ends = ends[ends >= 0]
        degree = _histogram(paths.count, size, graphs.graph[ends], paths.number[ends])
        yield "degrees", [f"{label}[{n}]" for n in names], degree
    yield "depth", [f"depth[{n}]" for n in names], _depth(paths, size)
    yield from _order_columns(paths, catalogue, longest)
    yield from _set_columns(paths, names)
    labels = ["-".join(str(i) for i in row if i >= 0) for row in strings.tolist()]
    yield "strings", [f"path[{s}]" for s in labels], _string_counts(paths, strings, size)


def common_strings(paths: Paths, size: int) -> IntArray:
    """The most frequent strings of catalogue numbers along paths: int64 (s, longest)."""
    code, first, count = np.unique(
        _codes(paths.operation, size), return_index=True, return_counts=True
    )
    kept = np.argsort(-count, kind="stable")[:STRING_COLUMNS]  # the smaller code among equals
    return paths.operation[first[np.sort(kept)]].reshape(len(kept) if code.size else 0, -1)


def _string_counts(paths: Paths, strings: IntArray, size: int) -> FloatArray:
    if len(strings) == 0:
        return np.zeros((paths.count, 0), dtype=np.float32)
    operation = paths.operation
    missing = strings.shape[1] - operation.shape[1]
    operation = np.pad(operation, ((0, 0), (0, max(missing, 0))), constant_values=-1)
    wanted = _codes(strings, size)
    code = _codes(operation[:, : strings.shape[1]], size)
    place = np.minimum(np.searchsorted(wanted, code), len(wanted) - 1)
    known = (wanted[place] == code) & (paths.length <= strings.shape[1])
    return _histogram(paths.count, len(wanted), paths.graph[known], place[known])


def _codes(operation: IntArray, size: int) -> IntArray:
    code = np.zeros(len(operation), dtype=np.int64)
    for column in operation.T:  # wraps around beyond some 20 operations: a harmless hash
        code = code * (size + 1) + column + 1
    return code


def _set_columns(paths: Paths, names: tuple[str, ...]) -> Iterator[Columns]:
    """Paths through sets of operations and without them, the most telling columns first.

    Through a set: how many of its operations a path has. Without it: how many paths have none,
    which is also how many consist of its complement only, and the longest of these.
    """
    size = len(names)
    small = size <= FEW_OPERATIONS
    sets = [s for k in range(1, size if small else 3) for s in combinations(range(size), k)]
    labels = ["+".join(names[i] for i in chosen) for chosen in sets]
    member = np.zeros((size, len(sets)), dtype=np.float32)
    for column, chosen in enumerate(sets):
        member[list(chosen), column] = 1
    through = paths.counts @ member
    without = (through == 0).astype(np.float32)
    longest = without * paths.length[:, None].astype(np.float32)
    one, more, every = slice(0, size), slice(size, None), slice(None)
    plan: tuple[tuple[str, str, slice, Callable[[FloatArray], FloatArray], FloatArray], ...] = (
        ("without", "without", every, lambda x: np.log2(1 + paths.total(x)), without),
        ("through", "through.mean", one, paths.mean, through),
        ("through", "through.max", one, paths.most, through),
        ("through", "through.min", one, paths.least, through),
        ("without_max", "without.max", one, paths.most, longest),
        ("sets", "through.max", more, paths.most, through),
        ("sets", "through.min", more, paths.least, through),
        ("sets", "without.max", more, paths.most, longest),
    )
    left = len(plan) * len(sets) if small else SET_COLUMNS
    for family, what, part, reduce, values in plan:
        chosen_labels = labels[part][:left]
        left -= len(chosen_labels)
        if chosen_labels:
            columns = reduce(values[:, part][:, : len(chosen_labels)])
            yield family, [f"{what}[{n}]" for n in chosen_labels], columns


def _order_columns(paths: Paths, catalogue: Catalogue, longest: int) -> Iterator[Columns]:
    """Whether an operation occurs with so many operations with weights before or after it."""
    size = len(catalogue)
    has_weights = np.isin(paths.operation, catalogue.weighted)
    before: IntArray = np.cumsum(has_weights, axis=1) - has_weights
    after = has_weights.sum(axis=1, keepdims=True) - before - has_weights
    for number in range(longest):
        for what, others in (("before", before), ("after", after)):
            there = np.zeros((len(paths.length), size), dtype=np.float32)
            row, place = np.nonzero((others == number) & (paths.operation >= 0))
            there[row, paths.operation[row, place]] = 1
            labels = [f"{number}_{what}[{n}]" for n in catalogue.names]
            yield "order", labels, paths.most(there)


def _depth(paths: Paths, size: int) -> FloatArray:
    """Mean place of each operation over its occurrences on paths, 0 where it is on none."""
    total = np.zeros((paths.count, size), dtype=np.float32)
    times = np.zeros_like(total)
    for place, column in enumerate(paths.operation.T):
        here = paths.total(_one_hot(column, size))
        total += here * (place + 1)
        times += here
    return total / np.maximum(times, 1)


def _node_at(paths: Paths, place: int, sign: int) -> IntArray:
    """Node at a place of each path, counted from its input (+1) or output (-1), or -1: (p,)."""
    column = np.full(len(paths.length), place) if sign > 0 else paths.length - 1 - place
    there = (column >= 0) & (column < paths.length)
    node = np.full(len(column), -1, dtype=np.int64)
    node[there] = paths.node[np.flatnonzero(there), column[there]]
    return node


def _operation_at(paths: Paths, place: int, sign: int) -> IntArray:
    node = _node_at(paths, place, sign)
    return np.where(node >= 0, paths.number[node], -1)


def _min_max_mean(paths: Paths, values: FloatArray) -> FloatArray:
    return np.concatenate([paths.least(values), paths.most(values), paths.mean(values)], axis=1)


def _statistics(name: str) -> list[str]:
    return [f"{name}.{what}" for what in ("min", "max", "mean")]


def _one_hot(number: IntArray, size: int) -> FloatArray:
    return np.asarray(number[:, None] == np.arange(size), dtype=np.float32)


def _histogram(count: int, size: int, graph: IntArray, number: IntArray) -> FloatArray:
    flat = np.bincount(graph.astype(np.int64) * size + number, minlength=count * size)
    return flat.reshape(count, size).astype(np.float32)
