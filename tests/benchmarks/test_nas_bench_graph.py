import pickle
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks import nas_bench_graph
from surrogate_nas.benchmarks.nas_bench_graph import NASBenchGraph
from surrogate_nas.errors import (
    FormatError,
    MissingDependencyError,
    MissingRecordError,
    SurrogateNASError,
    UnknownNameError,
    UnsafePickleError,
)
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nas_bench_graph import OPERATIONS
from tests.test_pickles import Evil, _touch

BENCHMARK = NASBenchGraph()
RECORD = dict.fromkeys(("valid_perf", "perf", "latency", "para"), 0.5)


def package() -> Path:
    """The folder of the published data."""
    spec = find_spec("nas_bench_graph")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def published(task: str) -> dict[int, dict[str, Any]]:
    """The records of a data set, as the package itself reads them."""
    records: dict[int, dict[str, Any]] = pickle.loads(
        (package() / "light" / f"{task}.bench").read_bytes()
    )
    return records


@pytest.mark.parametrize("name", BENCHMARK.tasks)
def test_every_record_is_the_published_one(name: str) -> None:
    records = published(name)
    task = BENCHMARK.task(name)
    assert len(records) == len(task) == (2_021 if name == "proteins" else 26_206)
    keys = list(records)
    choices = np.array([[int(digit) for digit in f"{key:05}"] for key in keys])
    validation = [records[key]["valid_perf"] for key in keys]
    np.testing.assert_array_equal(task.lookup(choices), validation)
    for key, row in list(zip(keys, choices.tolist(), strict=True))[:: len(keys) // 50]:
        answer = task.evaluate(Architecture(task.space.name, tuple(row)))
        assert answer.value == records[key]["valid_perf"]
        assert answer.hidden == {task.goal.metric: records[key]["perf"]}
        assert answer.metrics == {
            "latency": records[key]["latency"],
            "parameters": records[key]["para"],
        }
        better = sum(value > answer.value for value in validation)
        assert task.rank(answer.value) == better + 1
    assert task.optimum == max(validation)
    assert task.test_values is not None
    assert task.test_values.max() == max(record["perf"] for record in records.values())


def test_the_full_tasks_have_the_whole_space_and_proteins_a_part() -> None:
    arxiv, proteins = BENCHMARK.task("arxiv"), BENCHMARK.task("proteins")
    assert arxiv.space.size == 26_206
    assert proteins.space.size == 2_021
    assert proteins.goal.metric == "roc_auc"
    everything = BENCHMARK.space.all_choices()
    assert np.isfinite(arxiv.lookup(everything)).all()
    known = [OPERATIONS.index(name) for name in ("gcn", "sage", "arma", "fc", "skip")]
    inside = np.isin(everything[:, 1:], known).all(axis=1)
    np.testing.assert_array_equal(proteins.space.valid(everything), inside)
    np.testing.assert_array_equal(np.isfinite(proteins.lookup(everything)), inside)


def test_a_missing_architecture_is_a_clear_error() -> None:
    proteins = BENCHMARK.task("proteins")
    arch = BENCHMARK.space.parse("0012-gcn-gat-skip-fc")
    with pytest.raises(
        MissingRecordError, match=r"'proteins' of 'nas-bench-graph' .* 0012-gcn-gat-skip-fc.* 2021"
    ):
        proteins.evaluate(arch)
    with pytest.raises(UnknownNameError, match="did you mean 'pubmed'"):
        BENCHMARK.task("pubmd")


def test_isomorphs_share_a_record_under_either_rule() -> None:
    for isomorphs in ("separate", "merged"):
        task = BENCHMARK.task("cora", isomorphs=isomorphs)
        some, other = (
            task.space.parse(f"0000-{ops}") for ops in ("gcn-gat-fc-gin", "fc-gin-gat-gcn")
        )
        assert task.evaluate(some) == task.evaluate(other)
        assert task.space.key(some) == task.space.key(other)
        assert len(task) == task.space.size == 26_206


CONVERT = (
    "import sys\n"
    "from surrogate_nas.benchmarks.nas_bench_graph import NASBenchGraph\n"
    "print(NASBenchGraph().task('cora').optimum)\n"
    "assert 'nas_bench_graph' not in sys.modules\n"
)


def test_two_processes_may_convert_at_once_and_run_no_code_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path))
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CONVERT], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    expected = max(record["valid_perf"] for record in published("cora").values())
    assert answers == [f"{expected}\n"] * 2
    (file,) = tmp_path.iterdir()
    assert file.name == "nas-bench-graph-1.4.0-v1.h5"


@pytest.mark.parametrize("damage", ["flipped", "cut off", "garbage"])
def test_a_damaged_cache_is_noticed_and_made_anew(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = BENCHMARK.path.read_bytes()
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path))
    path = tmp_path / "nas-bench-graph-1.4.0-v1.h5"
    content = bytearray(sound)
    if damage == "flipped":
        value = np.float64(published("cora")[0]["valid_perf"]).tobytes()
        place = sound.index(value)
        content[place] ^= 1
    elif damage == "cut off":
        content = content[: len(content) // 2]
    else:
        content = bytearray(b"\0garbage" * 1000)
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="converting nas-bench-graph again"):
        task = BENCHMARK.task("cora")
    assert task.evaluate(task.space.parse("00000")).value == published("cora")[0]["valid_perf"]
    assert path.read_bytes() == sound
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BENCHMARK.check()


@pytest.fixture
def changed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's data that a test may change; the cache is empty."""
    shutil.copytree(package() / "light", tmp_path / "light")
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nas_bench_graph, "_installed", lambda: (tmp_path, "1.4.0"))
    return tmp_path


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (pickle.dumps(Evil(_touch)), UnsafePickleError),
        (pickle.dumps({0: {"valid_perf": 0.5}}), FormatError),
        (pickle.dumps([1, 2]), FormatError),
        (pickle.dumps({}), FormatError),
        *((pickle.dumps({key: RECORD}), FormatError) for key in (99_999, 100_000, -1, 8_888)),
        (pickle.dumps({0: RECORD | {"para": float("nan")}}), FormatError),
        (b"", FormatError),
    ],
)
def test_files_that_are_not_the_published_ones_are_refused(
    content: bytes, error: type[Exception], changed_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = changed_package / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(marker))
    (changed_package / "light" / "cora.bench").write_bytes(content)
    with pytest.raises(error, match=r"cora\.bench"):
        BENCHMARK.task("arxiv")
    assert not marker.exists()
    assert not (changed_package / "cache").exists()


def test_a_missing_file_of_the_package_is_named(changed_package: Path) -> None:
    (changed_package / "light" / "physics.bench").unlink()
    with pytest.raises(FormatError, match=r"physics\.bench"):
        BENCHMARK.task("arxiv")


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas_bench_graph, "find_spec", lambda _: None)
    assert not BENCHMARK.available
    with pytest.raises(MissingDependencyError, match=r"pip install nas-bench-graph==1\.4\.0"):
        BENCHMARK.task("cora")


def test_a_cache_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "file"))
    with pytest.raises(SurrogateNASError, match="SURROGATE_NAS_CACHE"):
        BENCHMARK.task("cora")
