"""The columns of structural features, computed for many pruned graphs at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import combinations, islice

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.structure.paths import Catalogue, Paths
from surrogate_nas.spaces.graphs import ArchGraphs

FEW_OPERATIONS = 6
"""Up to this number of operations, all sets of them get columns."""

SET_COLUMNS = 100
"""Most columns about sets of operations in a space with more."""

STRING_COLUMNS = 100
"""Most columns that count a path's string of operations: the most frequent in the space."""

Columns = tuple[str, list[str], FloatArray]
"""A family's name, the names of its columns, and float32 (n, columns)."""


FAMILIES = (
    *("counts", "paths", "weighted", "skip", "place", "widths", "degrees", "depth", "order"),
    *("without", "through", "without_max", "sets", "strings"),
)
"""All families."""


def feature_columns(
    graphs: ArchGraphs,
    catalogue: Catalogue,
    strings: IntArray,
    wanted: Collection[str] = FAMILIES,
) -> Iterator[Columns]:
    """Features of pruned graphs, family by family; the layout depends on the space alone.

    Args:
        graphs: Pruned graphs.
        catalogue: The operations of their space.
        strings: int (s, longest), the path strings to count, see `common_strings`.
        wanted: The families to compute.
    """
    columns = _all_columns(graphs, catalogue, strings, wanted)
    return (found for found in columns if found[0] in wanted)


def _all_columns(
    graphs: ArchGraphs, catalogue: Catalogue, strings: IntArray, wanted: Collection[str]
) -> Iterator[Columns]:
    """The wanted families, and others that cost little."""
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

    widths = _widths(paths, longest) if "widths" in wanted else counts
    for position in range(longest):
        for sign in (1, -1) if "place" in wanted else ():
            label = f"{sign * (position + 1):+d}"
            at = _one_hot(_operation_at(paths, position, sign), size)
            yield "place", [f"at{label}[{n}]" for n in names], paths.total(at)
        if "widths" in wanted:
            yield "widths", [f"channels{position + 1:+d}"], widths[:, position : position + 1]
    for label, sign in (("first", 1), ("last", -1)) if "degrees" in wanted else ():
        ends = np.unique(_node_at(paths, 0, sign))
        ends = ends[ends >= 0]
        degree = _histogram(paths.count, size, graphs.graph[ends], paths.number[ends])
        yield "degrees", [f"{label}[{n}]" for n in names], degree
    if "depth" in wanted:
        yield "depth", [f"depth[{n}]" for n in names], _depth(paths, size)
    if "order" in wanted:
        yield _order_columns(paths, catalogue, longest)
    yield from _set_columns(paths, names, wanted)
    if "strings" in wanted:
        labels = ["-".join(names[i] for i in row if i >= 0) for row in strings.tolist()]
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
    position = np.minimum(np.searchsorted(wanted, code), len(wanted) - 1)
    known = (wanted[position] == code) & (paths.length <= strings.shape[1])
    return _histogram(paths.count, len(wanted), paths.graph[known], position[known])


def _codes(operation: IntArray, size: int) -> IntArray:
    code = np.zeros(len(operation), dtype=np.int64)
    for column in operation.T:  # wraps around beyond some 20 operations: a harmless hash
        code = code * (size + 1) + column + 1
    return code


def _set_columns(
    paths: Paths, names: tuple[str, ...], wanted: Collection[str]
) -> Iterator[Columns]:
    """Paths through sets of operations and without them, the most informative columns first.

    Through a set: how many of its operations a path has. Without a set: the number of paths
    without any of its operations, and the length of the longest of these.
    """
    size = len(names)
    labels, member = _sets(names)
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
    left = len(plan) * len(labels) if size <= FEW_OPERATIONS else SET_COLUMNS
    for family, what, part, reduce, values in plan:
        chosen_labels = labels[part][:left]
        left -= len(chosen_labels)
        if chosen_labels and family in wanted:
            columns = reduce(values[:, part][:, : len(chosen_labels)])
            yield family, [f"{what}[{n}]" for n in chosen_labels], columns


@lru_cache(maxsize=16)
def _sets(names: tuple[str, ...]) -> tuple[list[str], FloatArray]:
    """Labels of the sets of operations, and which are in them: float32 (operations, sets)."""
    size = len(names)
    small = size <= FEW_OPERATIONS
    every = (s for k in range(1, size if small else 3) for s in combinations(range(size), k))
    sets = list(islice(every, None if small else SET_COLUMNS))
    member = np.zeros((size, len(sets)), dtype=np.float32)
    for column, chosen in enumerate(sets):
        member[list(chosen), column] = 1
    return ["+".join(names[i] for i in chosen) for chosen in sets], member


def _widths(paths: Paths, longest: int) -> FloatArray:
    """Mean channels at each position along paths, 0 after their ends: float32 (count, longest)."""
    node = paths.node[:, :longest]
    channels = np.zeros((len(node), longest), dtype=np.float32)
    channels[:, : node.shape[1]] = np.where(node >= 0, paths.channels[node], 0)
    return paths.mean(channels)


def _order_columns(paths: Paths, catalogue: Catalogue, longest: int) -> Columns:
    """Whether an operation occurs with 0, 1, … weighted operations before or after it."""
    has_weights = np.isin(paths.operation, catalogue.weighted)
    before: IntArray = np.cumsum(has_weights, axis=1) - has_weights
    after = has_weights.sum(axis=1, keepdims=True) - before - has_weights
    there = np.zeros((len(paths.length), longest, 2, len(catalogue)), dtype=np.uint8)
    row, position = np.nonzero(paths.operation >= 0)
    operation = paths.operation[row, position]
    for side, others in enumerate((before, after)):
        number = others[row, position]
        few = number < longest
        there[row[few], number[few], side, operation[few]] = 1
    labels = _order_labels(catalogue.names, longest)
    return "order", labels, paths.most(there.reshape(len(there), len(labels)))


@lru_cache(maxsize=16)
def _order_labels(names: tuple[str, ...], longest: int) -> list[str]:
    sides = ("before", "after")
    return [f"{n}_{side}[{name}]" for n in range(longest) for side in sides for name in names]


def _depth(paths: Paths, size: int) -> FloatArray:
    """Mean position of each operation over its occurrences on paths, 0 where it is on none."""
    total = np.zeros((paths.count, size), dtype=np.float32)
    times = np.zeros_like(total)
    for position, column in enumerate(paths.operation.T):
        here = paths.total(_one_hot(column, size))
        total += here * (position + 1)
        times += here
    return total / np.maximum(times, 1)


def _node_at(paths: Paths, position: int, sign: int) -> IntArray:
    """Node at a position of each path, counted from its input (+1) or output (-1), or -1: (p,)."""
    column = np.full(len(paths.length), position) if sign > 0 else paths.length - 1 - position
    there = (column >= 0) & (column < paths.length)
    node = np.full(len(column), -1, dtype=np.int64)
    node[there] = paths.node[np.flatnonzero(there), column[there]]
    return node


def _operation_at(paths: Paths, position: int, sign: int) -> IntArray:
    node = _node_at(paths, position, sign)
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
