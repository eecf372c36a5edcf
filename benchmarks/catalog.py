"""All benchmarks that a name or a path can mean: registered ones, installed tables, files."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from surrogate_nas import registry
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.hdf5 import StoredTask, file_stamp, open_file
from surrogate_nas.benchmarks.listing import Listing
from surrogate_nas.benchmarks.published import PUBLISHED, Published, how_to_get
from surrogate_nas.errors import SurrogateNASError, UnknownNameError
from surrogate_nas.spaces.base import Isomorphs

_SUFFIXES = (".h5", ".hdf5")


def installed_tables() -> dict[str, Path]:
    """Files of the user's own tables by name, in alphabetical order."""
    return {path.stem: path for path in sorted(tables_folder().glob("*.h5"))}


def open_benchmark(name_or_path: str | os.PathLike[str]) -> Benchmark:
    """Open a registered benchmark, an installed table or a table's file.

    Args:
        name_or_path: A name, or the path of an ``.h5`` file. A registered name takes precedence
            over an installed table. A text with a folder or the suffix is a path.

    Raises:
        UnknownNameError: If there is no benchmark of this name.
        InvalidArgumentError: If there is no such file.
        FormatError: If the file is damaged or no table.
    """
    name = os.fspath(name_or_path)
    path = _file_of(name)
    if path is not None:
        return open_file(path)
    registered = registry.names("benchmark")
    if name not in registered and ":" not in name:
        known = dict.fromkeys([*registered, *installed_tables()])
        raise UnknownNameError("benchmark", name, known)
    target = registry.load("benchmark", name)
    benchmark: Benchmark = target if isinstance(target, Benchmark) else target()
    return benchmark


def _file_of(name: str) -> Path | None:
    """The table's file that a name or a path means, or None."""
    if name in registry.names("benchmark"):
        return None
    if name.endswith(_SUFFIXES) or Path(name).name != name:
        return Path(name)
    return installed_tables().get(name)


def table_of(task: TabularTask) -> str:
    """What `open_benchmark` takes for a task's table: its name, or its path.

    It is the path if the file is not an installed table, as tables of one name may differ.
    """
    if not isinstance(task, StoredTask):
        return task.benchmark
    path = task._table.path
    try:
        known = open_benchmark(task.benchmark)
    except SurrogateNASError:
        return os.fspath(path)
    return task.benchmark if getattr(known, "path", None) == path else os.fspath(path)


def table_state(benchmark: str) -> tuple[object, ...]:
    """What changes when the file of a table is replaced, or a name means another file."""
    path = _file_of(benchmark)
    return () if path is None else (path.absolute(), *file_stamp(path))


def kept_task(benchmark: str, name: str, isomorphs: Isomorphs, fingerprint: str) -> TabularTask:
    """A task, opened once in a process; tables of one name differ by ``fingerprint``."""
    return _kept(benchmark, name, isomorphs, fingerprint, table_state(benchmark))


@functools.lru_cache(maxsize=16)
def _kept(
    benchmark: str, name: str, isomorphs: Isomorphs, fingerprint: str, state: tuple[object, ...]
) -> TabularTask:
    return open_benchmark(benchmark).task(name, isomorphs=isomorphs)


def list_benchmarks() -> list[Listing]:
    """Everything that `open_benchmark` knows by name, and the published tables that are missing."""
    tables = installed_tables()
    names = dict.fromkeys([*registry.names("benchmark"), *tables])
    missing = [_obtainable(word, PUBLISHED[word]) for word in PUBLISHED if word not in names]
    return [_listing(name) for name in names] + missing


def _obtainable(word: str, table: Published) -> Listing:
    return Listing(
        name=word,
        space=table.space,
        tasks=table.tasks,
        architectures=table.architectures,
        available=False,
        how_to_get=how_to_get(word),
    )


def _listing(name: str) -> Listing:
    try:
        benchmark = open_benchmark(name)
        return Listing(
            name=name,
            space=benchmark.space.name,
            tasks=benchmark.tasks,
            architectures=benchmark.architectures,
            available=benchmark.available,
            how_to_get=benchmark.how_to_get,
        )
    except SurrogateNASError as error:
        return Listing(name, None, (), None, available=False, how_to_get=str(error))
