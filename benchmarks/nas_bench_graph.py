"""NAS-Bench-Graph, the embedded benchmark: graph neural networks on nine graph data sets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.folders import cache_folder
from surrogate_nas.benchmarks.hdf5 import FORMAT_VERSION, HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import (
    FormatError,
    MissingDependencyError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.pickles import load_pickle
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace

_PACKAGE = "nas-bench-graph"
_GOALS = {
    **dict.fromkeys(
        ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv"),
        Goal("accuracy", unit="fraction"),
    ),
    "proteins": Goal("roc_auc"),
}
_LATENCY = Goal("latency", maximise=False, unit="s")
_PARAMETERS = Goal("parameters", maximise=False, unit="million")
_FIELDS = ("valid_perf", "perf", "latency", "para")

_T = TypeVar("_T")


class NASBenchGraph(Benchmark):
    """26,206 graph neural networks on eight data sets, 2,021 of them also on ``proteins``.

    Each record holds the mean over three trainings of the validation and the test metric, the
    latency in seconds and the parameters in millions. The published package does not say how
    many epochs a training took, so the budget and the cost of every evaluation are 1.

    The data are those of the PyPI package ``nas-bench-graph``, whose code does not run. The first
    use converts them into a table in the cache folder.

    Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022.
    """

    name = "nas-bench-graph"
    how_to_get = "pip install nas-bench-graph==1.4.0"

    @cached_property
    def space(self) -> NASBenchGraphSpace:
        """The whole space, in which isomorphs share a record."""
        return NASBenchGraphSpace()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the nine data sets."""
        return tuple(_GOALS)

    @property
    def architectures(self) -> int:
        """Number of records of a data set other than ``proteins``."""
        return 26_206

    @property
    def path(self) -> Path:
        """The converted table, made where it is missing."""
        return self._sound(lambda table: table.path)

    @property
    def available(self) -> bool:
        """Whether the package is installed."""
        return find_spec("nas_bench_graph") is not None

    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> TabularTask:
        """Open one data set.

        Raises:
            UnknownNameError: If there is no such data set.
            MissingDependencyError: If the package is not installed.
        """
        if name not in _GOALS:
            raise UnknownNameError("task", name, _GOALS)

        def opened(table: HDF5Benchmark) -> TabularTask:
            table.verify(name)
            return table.task(name, isomorphs=isomorphs)

        return self._sound(opened)

    def check(self) -> None:
        """Verify the converted table, and convert anew if it is damaged."""
        self._sound(HDF5Benchmark.check)

    def _sound(self, use: Callable[[HDF5Benchmark], _T]) -> _T:
        """Use the converted table; make it where it is missing or damaged."""
        package, release = _installed()
        path = cache_folder() / f"{_PACKAGE}-{release}-v{FORMAT_VERSION}.h5"
        if os.path.exists(path):
            try:
                return use(HDF5Benchmark(path))
            except FormatError as error:
                warnings.warn(f"converting {_PACKAGE} again: {error}", stacklevel=3)
        spec = _convert(package / "light", release)
        try:
            write_table(path, spec)
        except SurrogateNASError as error:
            raise SurrogateNASError(
                f"{error}, which the variable SURROGATE_NAS_CACHE names"
            ) from error
        return use(HDF5Benchmark(path))


def _installed() -> tuple[Path, str]:
    """Folder and version of the package, which is not imported."""
    spec = find_spec("nas_bench_graph")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            f"the benchmark {_PACKAGE!r} needs its data: {NASBenchGraph.how_to_get}"
        )
    try:
        release = version(_PACKAGE)
    except PackageNotFoundError:
        release = "unknown"
    return Path(spec.submodule_search_locations[0]), release


def _convert(folder: Path, release: str) -> TableSpec:
    records = {task: _records(folder / f"{task}.bench") for task in _GOALS}
    keys = np.unique(np.concatenate([own for own, _ in records.values()]))
    tasks = []
    for task, (own, columns) in records.items():
        dense = np.full((len(keys), len(_FIELDS)), np.nan)
        dense[np.searchsorted(keys, own)] = columns
        validation, test, latency, parameters = dense.T
        metrics = ((_LATENCY, latency), (_PARAMETERS, parameters))
        tasks.append(TaskSpec(task, _GOALS[task], validation, test, metrics))
    return TableSpec(
        name=NASBenchGraph.name,
        space=NASBenchGraphSpace(),
        choices=_choices(keys),
        tasks=tasks,
        source=f"PyPI package {_PACKAGE} {release}, Qin et al., NeurIPS 2022",
        licence="Apache-2.0",
    )


def _records(path: Path) -> tuple[IntArray, FloatArray]:
    """Keys (n,) and the four fields (n, 4) of one data set."""
    data: Any = load_pickle(path)
    try:
        keys = np.array(list(data), dtype=np.int64)
        rows = [[float(record[field]) for field in _FIELDS] for record in data.values()]
        columns = np.array(rows, dtype=np.float64).reshape(len(keys), len(_FIELDS))
        if len(keys) == 0 or keys.min() < 0 or keys.max() > 88_887 or (_choices(keys) > 8).any():
            raise ValueError("the key of a record has the digits 0 to 8")
        if not np.isfinite(columns).all() or not NASBenchGraphSpace().valid(_choices(keys)).all():
            raise ValueError("a record without values or of four skips")
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(
            f"{path} does not hold the records of NAS-Bench-Graph ({error!r}); "
            f"install the package again: pip install --force-reinstall {_PACKAGE}==1.4.0"
        ) from error
    return keys, columns


def _choices(keys: IntArray) -> IntArray:
    """Encodings of records: the digits of a key are the pattern and the four operations."""
    return keys[:, None] // 10 ** np.arange(4, -1, -1) % 10
