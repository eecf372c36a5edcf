"""AnalogNAS-Bench: its package is the oracle; in small, its file is made in its layout."""

from __future__ import annotations

import csv
import gzip
import importlib
import json
import os
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.importers import analog
from surrogate_nas.benchmarks.importers.analog import TASKS, import_analog
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.published import PUBLISHED
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, MissingDependencyError
from tests.test_pickles import Evil, _touch

ACCURACIES = ("baseline", "ptq", "qat", "noisy", "analog")
SECONDS = (60, 3600, 86400, 2592000)
DRIFTS = [f"{kind}_drift_{seconds}" for kind in ("baseline", "analog") for seconds in SECONDS]
# A key's edges and operations, from the documentation of the data.
EDGES = ("0->1", "0->2", "0->3", "1->2", "1->3", "2->3")
OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")


def task_name(field: str) -> str:
    return field.removesuffix("_accuracy").replace("baseline", "digital")


def cell(key: tuple[int, ...]) -> str:
    """The cell of a key in the notation of NAS-Bench-201."""
    op = {edge: OPERATIONS[number] for edge, number in zip(EDGES, key, strict=True)}
    lines = [
        "".join(f"|{op[f'{source}->{target}']}~{source}" for source in range(target)) + "|"
        for target in (1, 2, 3)
    ]
    return "+".join(lines)


class Architecture:
    """Stands for the class of the package when a file is written."""


class DriftMeasurement:
    """Likewise."""


Architecture.__module__ = DriftMeasurement.__module__ = "analognasbench.data"


def drift(value: float, uncertainty: float) -> DriftMeasurement:
    made = DriftMeasurement()
    made.__dict__ = {"value": value, "uncertainty": uncertainty}
    return made


def record(key: tuple[int, ...], rng: np.random.Generator) -> Architecture:
    made = Architecture()
    made.__dict__ = {"architecture": key}
    made.__dict__ |= {f"{kind}_accuracy": float(rng.random()) for kind in ACCURACIES}
    made.__dict__ |= {field: drift(*rng.random(2).tolist()) for field in DRIFTS}
    return made


def records() -> dict[Any, Any]:
    rng = np.random.default_rng(0)
    keys = [(0, 1, 2, 3, 4, 0), (2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1), (4, 3, 2, 1, 0, 3)]
    return {key: record(key, rng) for key in keys}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data file of what seems to be the package, in a home without tables."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    path = tmp_path / "data.anb"
    monkeypatch.setattr(analog, "_installed", lambda: (path, "0.1.3"))
    return path


def written(path: Path, content: Any) -> None:
    """Write a pickle that names the classes of the package."""
    module = ModuleType("analognasbench.data")
    module.__dict__.update(Architecture=Architecture, DriftMeasurement=DriftMeasurement)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "analognasbench", ModuleType("analognasbench"))
        patch.setitem(sys.modules, "analognasbench.data", module)
        path.write_bytes(pickle.dumps(content, 4))


def imported() -> Imported:
    return import_analog(name="mine", listener=Listener())


def test_every_number_arrives_at_its_cell(package: Path) -> None:
    content = records()
    written(package, content)
    made = imported()
    assert (made.name, made.architectures, made.tasks) == ("mine", 4, TASKS)
    for field in (*(f"{kind}_accuracy" for kind in ACCURACIES), *DRIFTS):
        task = open_benchmark("mine").task(task_name(field))
        assert (task.goal.metric, task.goal.maximise, task.goal.unit) == ("accuracy", True, "%")
        for key, official in content.items():
            found = task.evaluate(task.space.parse(cell(key)))
            expected = getattr(official, field)
            if field in DRIFTS:
                assert found.value == expected.value
                assert found.metrics == {"uncertainty": expected.uncertainty}
            else:
                assert (found.value, found.metrics) == (expected, {})


def changed(**fields: Any) -> dict[Any, Any]:
    content = records()
    vars(content[2, 2, 2, 2, 2, 2]).update(fields)
    return content


BROKEN: dict[str, Any] = {
    "malicious": Evil(_touch),
    "malicious value": changed(ptq_accuracy=Evil(os.system, "touch $EVIL_MARKER")),
    "malicious record": changed(analog_drift_60=Evil(_touch)),
    "another class": changed(ptq_accuracy=Path("x")),
    "no number": changed(ptq_accuracy="high"),
    "missing": changed(ptq_accuracy=float("nan")),
    "no drift": changed(analog_drift_60=1.0),
    "no record": {(0,) * 6: 1.0},
    "a short key": {(0,) * 5: record((), np.random.default_rng(0))},
    "a key out of range": {(5,) * 6: record((), np.random.default_rng(0))},
    "a key of texts": {("a",) * 6: record((), np.random.default_rng(0))},
    "empty": {},
    "a list": [1, 2],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_another_file_is_refused_and_the_old_table_stays(
    package: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    marker = package.parent / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(marker))
    tables_folder().mkdir(parents=True)
    old = tables_folder() / "mine.h5"
    old.write_bytes(b"old")
    written(package, BROKEN[kind])
    with pytest.raises(FormatError, match=r"data\.anb"):
        imported()
    assert old.read_bytes() == b"old"
    assert os.listdir(tables_folder()) == ["mine.h5"]
    assert not marker.exists()


def test_the_classes_of_the_package_cannot_be_changed(package: Path) -> None:
    """A pickle may set the state of whatever it holds."""
    written(package, records())
    for tail in (b"}(X\x06\x00\x00\x00fieldsK\x01ub.", b"(K\x01tR."):
        package.write_bytes(b"canalognasbench.data\nArchitecture\n" + tail)
        with pytest.raises(FormatError, match=r"data\.anb"):
            imported()
    written(package, records())
    imported()


def test_damaged_files(package: Path) -> None:
    with pytest.raises(FormatError, match=r"data\.anb"):
        imported()
    written(package, records())
    whole = package.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-1]):
        package.write_bytes(content)
        with pytest.raises(FormatError, match=r"data\.anb"):
            imported()
    assert not tables_folder().exists()


def test_without_the_package_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path))
    monkeypatch.setattr(analog, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"pip install analog-nasbench==0\.1\.3"):
        imported()
    assert main(["import", "analog"]) == 2
    assert "pip install analog-nasbench==0.1.3" in capsys.readouterr().err
    (listing,) = (found for found in list_benchmarks() if found.name == "analog")
    assert not listing.available
    assert listing.how_to_get == (
        "pip install analog-nasbench==0.1.3, then: surrogate-nas import analog"
    )
    assert PUBLISHED["analog"].tasks == TASKS


@pytest.fixture(scope="module")
def official() -> Any:
    """The package's own reader."""
    spec = find_spec("analognasbench")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package analog-nasbench, which an extra installs")
    # It needs one function of a module that newer releases of setuptools lack.
    folder = spec.submodule_search_locations[0]
    resources = ModuleType("pkg_resources")
    vars(resources)["resource_filename"] = lambda _, name: os.path.join(folder, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", resources)
        return importlib.import_module("analognasbench").AnalogNASBench()


@pytest.mark.extra
def test_the_package_gives_the_same_numbers(
    official: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path))
    assert main(["import", "analog", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["architectures"], tuple(shown["tasks"])) == (
        ("analog", 15_625, TASKS)
    )
    keys = official.list_available_architectures()
    benchmark = open_benchmark("analog")
    choices, errors = benchmark.space.parse_all([cell(key) for key in keys])
    assert not errors
    for field in official.metrics[1:]:
        expected = [official.query_metric(key, field) for key in keys]
        if field in DRIFTS:
            expected = [measured.value for measured in expected]
        found = benchmark.task(task_name(field)).lookup(choices)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.extra
def test_chance_is_what_cells_without_a_path_have(official: Any) -> None:
    """So the documented edges and the number of `none` are right."""
    for key in official.list_available_architectures():
        reached = {0}
        for edge in sorted(EDGES, key=lambda edge: edge[-1]):
            if OPERATIONS[key[EDGES.index(edge)]] != "none" and int(edge[0]) in reached:
                reached.add(int(edge[-1]))
        assert (official.query_metric(key, "baseline_accuracy") == 10) == (3 not in reached)


@pytest.mark.extra
@pytest.mark.data
def test_cells_rank_as_in_nas_bench_201(official: Any) -> None:
    """So the documented numbers of the other operations are right."""
    table = Path(os.environ["SURROGATE_NAS_DATA"], "nasbench201.csv.gz")
    with gzip.open(table, "rt", newline="") as file:
        known = {row["arch_str"]: float(row["cifar10_test200"]) for row in csv.DictReader(file)}
    keys = official.list_available_architectures()
    pairs = [(known[cell(key)], official.query_metric(key, "baseline_accuracy")) for key in keys]
    assert kendalltau(*zip(*pairs, strict=True)).statistic > 0.9
