from pathlib import Path

import numpy as np
import platformdirs
import pytest

from surrogate_nas import registry
from surrogate_nas.benchmarks import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.catalog import installed_tables
from surrogate_nas.benchmarks.folders import cache_folder, tables_folder
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.nas_bench_graph import NASBenchGraph
from surrogate_nas.benchmarks.published import PUBLISHED
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nasbench201 import NASBench201Space


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with one table, ``mine``, and a damaged one, ``broken``."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path))
    space = NASBench201Space()
    task = TaskSpec("digits", Goal("accuracy"), np.arange(5.0))
    write_table(
        tmp_path / "tables" / "mine.h5",
        TableSpec("mine", space, space.all_choices()[:5], (task,)),
    )
    (tmp_path / "tables" / "broken.h5").write_bytes(b"nothing")
    return tmp_path


def test_names_and_paths_open(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_benchmark("nas-bench-graph"), NASBenchGraph)
    path = home / "tables" / "mine.h5"
    for name in ("mine", path, str(path)):
        benchmark = open_benchmark(name)
        assert isinstance(benchmark, HDF5Benchmark)
        assert benchmark.path == path
    monkeypatch.chdir(path.parent)
    assert open_benchmark("mine.h5").tasks == ("digits",)


def test_an_object_or_a_dotted_path_can_be_a_benchmark(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = HDF5Benchmark(home / "tables" / "mine.h5")
    monkeypatch.setitem(registry.BENCHMARKS, "own", table)
    assert open_benchmark("own") is table
    dotted = "surrogate_nas.benchmarks.nas_bench_graph:NASBenchGraph"
    assert isinstance(open_benchmark(dotted), NASBenchGraph)


def test_a_registered_name_wins(home: Path) -> None:
    mine = home / "tables" / "mine.h5"
    mine.rename(mine.with_name("nas-bench-graph.h5"))
    assert isinstance(open_benchmark("nas-bench-graph"), NASBenchGraph)
    assert [listing.name for listing in list_benchmarks()].count("nas-bench-graph") == 1


def test_an_unknown_name_lists_all_choices(home: Path) -> None:
    with pytest.raises(
        UnknownNameError, match=r"did you mean 'mine'.*nas-bench-graph.*broken, mine"
    ):
        open_benchmark("min")
    with pytest.raises(InvalidArgumentError, match="there is no table file"):
        open_benchmark("absent.h5")
    with pytest.raises(InvalidArgumentError, match="there is no table file"):
        open_benchmark("folder/absent")
    with pytest.raises(FormatError, match=r"broken\.h5"):
        open_benchmark("broken")


def test_the_list_names_all_and_why_one_is_not_available(home: Path) -> None:
    found = {listing.name: listing for listing in list_benchmarks()}
    assert [name for name in found if name not in PUBLISHED][-2:] == ["broken", "mine"]
    assert all(name in found for name in PUBLISHED)
    mine = found["mine"]
    assert (mine.space, mine.tasks, mine.architectures) == ("nasbench201", ("digits",), 5)
    assert mine.available
    assert not found["broken"].available
    assert "import the table again" in found["broken"].how_to_get
    graph = found["nas-bench-graph"]
    assert (graph.space, graph.architectures, len(graph.tasks)) == ("nas-bench-graph", 26_206, 9)


def test_folders_are_the_platforms_or_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURROGATE_NAS_HOME")
    monkeypatch.delenv("SURROGATE_NAS_CACHE")
    assert tables_folder() == Path(platformdirs.user_data_dir("surrogate-nas"), "tables")
    assert cache_folder() == Path(platformdirs.user_cache_dir("surrogate-nas"))
    monkeypatch.setenv("SURROGATE_NAS_HOME", "~/nas")
    monkeypatch.setenv("SURROGATE_NAS_CACHE", "/tmp/nas")
    assert tables_folder() == Path.home() / "nas" / "tables"
    assert cache_folder() == Path("/tmp/nas")


def test_without_a_folder_there_are_no_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "absent"))
    assert installed_tables() == {}
