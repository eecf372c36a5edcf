"""The official pickle of HW-NAS-Bench, made in small in exactly its layout."""

from __future__ import annotations

import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.importers.base import Listener, install
from surrogate_nas.benchmarks.importers.hw_nas_bench import import_hw_nas_bench
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.nats_size import NATSSizeSpace
from tests.test_pickles import Evil, _touch

SPACE = NASBench201Space()
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
# What its reader lists, with the units that its documentation gives.
UNITS = {
    "edgegpu_latency": "ms",
    "edgegpu_energy": "mJ",
    "raspi4_latency": "ms",
    "edgetpu_latency": "ms",
    "pixel3_latency": "ms",
    "eyeriss_latency": "ms",
    "eyeriss_energy": "mJ",
    "fpga_latency": "ms",
    "fpga_energy": "mJ",
}
MEASURED = 100
ROWS = np.random.default_rng(1).permutation(SPACE.encodings)[: 2 * MEASURED]


def official(seed: int = 0) -> dict[str, Any]:
    """The content of the official file; the first half of `ROWS` is measured, in that order."""
    rng = np.random.default_rng(seed)
    configs = [
        {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text(row), "num_classes": 10}
        for row in SPACE.from_index(ROWS[:MEASURED])
    ]
    parts = {}
    for dataset in DATASETS:
        values: dict[str, Any] = {name: list(rng.random(MEASURED)) for name in UNITS}
        values["edgegpu_energy"] = np.array(values["edgegpu_energy"], dtype=np.float32)
        values["fpga_latency"] = [float(number) for number in values["fpga_latency"]]
        values["eyeriss_arithmetic_intensity"] = list(rng.random(MEASURED))
        parts[dataset] = values | {"config": configs}
    return {"nasbench201": parts, "fbnet": {"edgegpu_latency": {"FC_Cin1504_Cout100": 0.5}}}


def text(row: IntArray) -> str:
    return SPACE.format(SPACE.architecture(row))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a table whose rows are partly measured."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    rng = np.random.default_rng(2)
    choices = SPACE.from_index(ROWS[MEASURED // 2 :])

    def task(name: str) -> TaskSpec:
        values = rng.normal(size=(len(choices), 2, 2))
        flops = (Goal("flops", maximise=False, unit="M"), rng.random(len(choices)))
        stale = (Goal("fpga_energy", unit="J"), rng.random(len(choices)))
        goal = Goal("accuracy", unit="%")
        return TaskSpec(name, goal, values, values - 1, [stale, flops], (12, 200), (1.5, 90.0))

    tasks = [task("cifar10-valid"), task("ImageNet16-120"), task("toy")]
    install(TableSpec("nb201", SPACE, choices, tasks, source="a file", licence="MIT"))
    return tmp_path


class Notes(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def saved(home: Path, content: Any) -> Path:
    path = home / "hw.pickle"
    path.write_bytes(pickle.dumps(content, 3))
    return path


def table() -> HDF5Benchmark:
    found = open_benchmark("nb201")
    assert isinstance(found, HDF5Benchmark)
    return found


def test_every_number_arrives_at_its_architecture(home: Path) -> None:
    before = table()
    old = {task: before.columns(task) for task in before.tasks}
    choices, content, notes = before.choices, official(), Notes()
    made = import_hw_nas_bench(saved(home, content), into="nb201", listener=notes)
    assert (made.name, made.path, made.architectures) == ("nb201", before.path, len(choices))
    assert made.tasks == before.tasks
    assert notes.notes == ["metrics were added to the tasks cifar10-valid, ImageNet16-120 only"]
    after = table()
    assert after.source == "a file; latency and energy from HW-NAS-Bench (Li et al., ICLR 2021)"
    assert after.licence == "MIT"
    place = {config["arch_str"]: i for i, config in enumerate(official_configs(content))}
    known = 0
    for name, dataset in (("cifar10-valid", "cifar10"), ("ImageNet16-120", "ImageNet16-120")):
        task = after.task(name)
        for row in choices:
            found = task.evaluate(task.space.architecture(row)).metrics
            position = place.get(text(row))
            known += position is not None
            for metric in UNITS:
                values = content["nasbench201"][dataset][metric]
                if position is None:
                    assert math.isnan(found[metric])
                else:
                    assert found[metric] == values[position]
        columns = after.columns(name)
        assert {goal.metric: goal for goal, _ in columns.values()} == {
            "accuracy": Goal("accuracy", unit="%"),
            "flops": Goal("flops", maximise=False, unit="M"),
        } | {metric: Goal(metric, maximise=False, unit=unit) for metric, unit in UNITS.items()}
    assert known == 2 * (MEASURED - MEASURED // 2)
    # All else is as it was.
    for name in before.tasks:
        assert (after.task(name).budgets, after.task(name).costs) == ((12, 200), (1.5, 90.0))
        for column, (goal, values) in old[name].items():
            if name == "toy" or column != "metrics/fpga_energy":
                assert after.columns(name)[column][0] == goal
                np.testing.assert_array_equal(after.columns(name)[column][1], values)


def official_configs(content: dict[str, Any]) -> list[dict[str, Any]]:
    """As the official reader gives the network of an index."""
    found: list[dict[str, Any]] = content["nasbench201"]["cifar10"]["config"]
    return found


def test_doing_it_again_replaces_the_metrics(home: Path) -> None:
    for seed in (1, 0):
        import_hw_nas_bench(saved(home, official(seed)), into="nb201", listener=Listener())
    twice = table().path.read_bytes()
    again = import_hw_nas_bench(saved(home, official()), into=table().path, listener=Listener())
    assert again.path.read_bytes() == twice


def changed(**metrics: Any) -> dict[str, Any]:
    content = official()
    content["nasbench201"]["cifar100"].update(metrics)
    return content


BROKEN: dict[str, tuple[Any, str]] = {
    "malicious": (Evil(_touch), "_touch"),
    "malicious metric": (changed(fpga_energy=Evil(os.system, "touch $EVIL_MARKER")), "system"),
    "too short": (changed(raspi4_latency=[1.0] * 10), "not HW-NAS-Bench"),
    "no numbers": (changed(raspi4_latency=["fast"] * MEASURED), "not HW-NAS-Bench"),
    "no cells": (changed(config=[{"arch_str": "|none~0|"}] * MEASURED), "none~0"),
    "a cell twice": (changed(config=official_configs(official())[:1] * MEASURED), "listed twice"),
    "no configurations": (changed(config=None), "not HW-NAS-Bench"),
    "only one space": ({"fbnet": {}}, "nasbench201"),
    "a list": ([1, 2], "not HW-NAS-Bench"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_another_file_is_refused_and_the_table_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    marker = home / "executed"
    monkeypatch.setenv("EVIL_MARKER", str(marker))
    before = table().path.read_bytes()
    content, named = BROKEN[kind]
    with pytest.raises(FormatError, match=r"hw\.pickle") as caught:
        import_hw_nas_bench(saved(home, content), into="nb201", listener=Listener())
    assert named in str(caught.value)
    assert table().path.read_bytes() == before
    assert os.listdir(tables_folder()) == ["nb201.h5"]
    assert not marker.exists()


def test_damaged_files(home: Path) -> None:
    path = saved(home, official())
    whole, before = path.read_bytes(), table().path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"hw\.pickle"):
            import_hw_nas_bench(path, into="nb201", listener=Listener())
    with pytest.raises(SurrogateNASError, match=r"absent\.pickle"):
        import_hw_nas_bench(home / "absent.pickle", into="nb201", listener=Listener())
    assert table().path.read_bytes() == before


def test_tables_that_cannot_have_the_metrics(home: Path) -> None:
    path, sizes = saved(home, official()), NATSSizeSpace()
    install(
        TableSpec("sizes", sizes, sizes.all_choices()[:2], [TaskSpec("cifar10", Goal("a"), ONES)])
    )
    install(TableSpec("toys", SPACE, SPACE.all_choices()[:2], [TaskSpec("toy", Goal("a"), ONES)]))
    for into, error, message in (
        ("nb210", UnknownNameError, "did you mean 'nb201'"),
        ("sizes", InvalidArgumentError, "over the space 'nasbench201', got 'sizes' over 'nats-si"),
        ("nas-bench-graph", InvalidArgumentError, "over the space 'nasbench201'"),
        ("toys", InvalidArgumentError, "one of the tasks cifar10, .* got 'toys' with toy"),
    ):
        with pytest.raises(error, match=message):
            import_hw_nas_bench(path, into=into, listener=Listener())


def test_any_table_of_the_space_can_have_the_metrics(home: Path) -> None:
    path = saved(home, official())
    import_hw_nas_bench(path, into="nb201", listener=Listener(), dataset="cifar100")
    after = table()
    measured = [config["arch_str"] for config in official_configs(official())]
    cell = next(row for row in after.choices if text(row) in measured)
    position = measured.index(text(cell))
    found = after.task("toy").evaluate(SPACE.architecture(cell)).metrics
    content = official()["nasbench201"]["cifar100"]
    assert found["raspi4_latency"] == content["raspi4_latency"][position]
    install(TableSpec("toys", SPACE, SPACE.all_choices()[:2], [TaskSpec("toy", Goal("a"), ONES)]))
    import_hw_nas_bench(path, into="toys", listener=Listener(), dataset="cifar10")
    with pytest.raises(InvalidArgumentError, match="dataset must be one of cifar10, cifar100"):
        import_hw_nas_bench(path, into="toys", listener=Listener(), dataset="mnist")


ONES = np.ones(2)


def test_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(home, official())
    assert main(["import", "hw-nas-bench", str(path), "--into", "nb201", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found.pop("seconds") > 0
    assert found == {
        "name": "nb201",
        "path": str(tables_folder() / "nb201.h5"),
        "architectures": 2 * MEASURED - MEASURED // 2,
        "tasks": ["cifar10-valid", "ImageNet16-120", "toy"],
    }
    assert "ImageNet16-120 only" in shown.err
    assert main(["import", "hw-nas-bench", str(path), "--into", "other"]) == 2
    assert "'other'" in capsys.readouterr().err
