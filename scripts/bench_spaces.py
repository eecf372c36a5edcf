"""Speed of spaces and of reading tables, each number with its limit; parts of ``scripts/bench``."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
from timing import alternate

_CELLS = 1_000


def enumeration() -> dict[str, float]:
    """Listing all encodings of a new space and their canonical forms, vectorised, in seconds."""
    from surrogate_nas import registry

    found = {}
    for name, limit in (("nasbench201", 0.5), ("nas-bench-graph", 1.0), ("nats-size", 0.5)):
        kind = registry.load("space", name)

        def enumerate_all(kind: type = kind) -> object:
            space = kind()
            return space.canonicalise(space.all_choices()), space.with_isomorphs("merged").unique()

        (found[f"{name}_seconds"],) = alternate(enumerate_all)
        found[f"{name}_limit"] = limit
    return found


def hashing() -> dict[str, float]:
    """NAS-Bench-101's hash of a cell against the official algorithm in plain Python."""
    from surrogate_nas.spaces.nasbench101 import OPERATIONS, NASBench101Space

    space = NASBench101Space()
    everything = space.unique()
    choices = everything[:: len(everything) // _CELLS]
    labels = {"input": -1, "output": -2} | {name: i for i, name in enumerate(OPERATIONS)}
    cells = []
    for row in choices:
        matrix, ops = space.matrix(space.architecture(row))
        cells.append((matrix.tolist(), [labels[op] for op in ops]))

    def official() -> list[str]:
        return [_official_hash(*cell) for cell in cells]

    if official() != space.hashes(choices):
        raise RuntimeError("the hashes are not the official ones")
    plain, ours = alternate(official, lambda: space.hashes(choices))
    return {
        "python_microseconds": 1e6 * plain / len(cells),
        "times_as_fast": plain / ours,
        "times_as_fast_limit": 1.0,
    }


def _official_hash(matrix: list[list[int]], labels: list[int]) -> str:
    """The hash of a pruned cell, as Ying et al. define it, from matrix and labels."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    nodes = range(len(labels))
    colours = [
        md5(str((sum(matrix[v]), sum(matrix[u][v] for u in nodes), labels[v]))) for v in nodes
    ]
    for _ in nodes:
        reads = ["".join(sorted(colours[u] for u in nodes if matrix[u][v])) for v in nodes]
        feeds = ["".join(sorted(colours[u] for u in nodes if matrix[v][u])) for v in nodes]
        colours = [md5("|".join(parts)) for parts in zip(reads, feeds, colours, strict=True)]
    return md5(str(sorted(colours)))


def column() -> dict[str, float]:
    """Reading a metric of 15,625 architectures and 3 seeds from an opened table.

    The baseline is `numpy.load` of the same array. The first reading verifies the checksum, too.
    """
    from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
    from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
    from surrogate_nas.evaluation import Goal
    from surrogate_nas.spaces.nasbench201 import NASBench201Space

    space = NASBench201Space()
    choices = space.all_choices()
    values = np.random.default_rng(0).random((len(choices), 3, 2))
    with tempfile.TemporaryDirectory() as folder:
        path, array = Path(folder, "table.h5"), Path(folder, "array.npy")
        task = TaskSpec("task", Goal("accuracy"), values, budgets=(12, 200))
        write_table(path, TableSpec("table", space, choices, (task,)))
        table = HDF5Benchmark(path)
        np.save(array, table.read("task", "validation", 1))
        fresh = iter([HDF5Benchmark(path) for _ in range(100)])
        plain, again, first = alternate(
            lambda: np.load(array),
            lambda: table.read("task", "validation", 1),
            lambda: next(fresh).read("task", "validation", 1),
            repetitions=100,
        )
    return {
        "numpy_load_milliseconds": 1e3 * plain,
        "times_as_long": again / plain,
        "times_as_long_limit": 3.0,
        "first_times_as_long": first / plain,
    }
