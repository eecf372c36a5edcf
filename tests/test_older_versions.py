"""What version 0.1.0 wrote opens, says the same, and goes on (tests/data/0.1.0/README.md)."""

from __future__ import annotations

import json
import lzma
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from surrogate_nas import open_benchmark
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.evaluation import Trial
from surrogate_nas.predictors.meta.weights import read_weights
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import open_storage, read_study
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.objective import Training, TrainingObjective
from surrogate_nas.training.proxies import memory
from surrogate_nas.transfer import choose_predictor
from tests.answers import answered

FILES = Path(__file__).parent / "data" / "0.1.0"
EXPECTED: dict[str, Any] = json.loads((FILES / "expected.json").read_text())
META_GNN, RIDGE = "meta-gnn.safetensors", "transfer-ridge.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, where the test runs: nothing may change the files themselves."""
    there = tmp_path / "files"
    shutil.copytree(FILES, there, ignore=shutil.ignore_patterns("__pycache__"))
    packed = there / f"{META_GNN}.xz"
    (there / META_GNN).write_bytes(lzma.decompress(packed.read_bytes()))
    monkeypatch.chdir(there)
    monkeypatch.syspath_prepend(str(there))
    for name in ("small_network", "all_cells"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "cache"))
    return there


def digits(value: Any) -> Any:
    """As JSON has it, every number to 10 digits."""
    if isinstance(value, dict):
        return {str(key): digits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [digits(item) for item in value]
    return f"{value:.10g}" if isinstance(value, float) else value


def trials(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: trial[key] for key in ("arch", "value", "error")} for trial in found["trials"]]


# Tables -----------------------------------------------------------------------------------------


def described(task: TabularTask) -> dict[str, Any]:
    first = task.choices[:3].tolist()
    archs = [Architecture(task.space.name, tuple(choices)) for choices in first]
    lowest = [task.evaluate(arch, budget=task.budgets[0]).value for arch in archs]
    return {
        "goal": [task.goal.metric, task.goal.maximise],
        "budgets": list(task.budgets),
        "fingerprint": task.fingerprint,
        "training": dict(task.training) if task.training else None,
        "choices": first,
        "values": task.values.tolist()[:8],
        "test": None if task.test_values is None else task.test_values.tolist()[:8],
        "optimum": task.optimum,
        "lowest_budget": lowest,
        "metrics": [dict(task.evaluate(arch).metrics) for arch in archs],
    }


@pytest.mark.parametrize("name", ["cells.h5", "built.h5"])
def test_a_table_says_the_same(name: str) -> None:
    expected, table = EXPECTED[name], HDF5Benchmark(name)
    table.check()
    assert (table.name, table.space.identity) == (expected["name"], expected["space"])
    assert table.architectures == expected["architectures"]
    tasks = {task: described(table.task(task)) for task in table.tasks}
    assert digits(tasks) == digits(expected["tasks"])


def test_a_log_of_trainings_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """All of its trainings are known, so that none is made again."""
    options = ["--dataset", "digits", "--count", 3, "--epochs", 2, "--settings", "channels=4"]
    known = ["build", *options, "--seeds", 2, "--workers", 1, "--out", "built.h5"]
    found = answered(capsys, *known)
    assert (found["trainings"], found["trained"], found["failed"]) == (6, 0, [])
    test_a_table_says_the_same("built.h5")


# Stores -----------------------------------------------------------------------------------------


def kept(trial: Trial, arch: str) -> dict[str, Any]:
    told = {
        "arch": arch,
        "value": trial.value,
        "error": trial.error,
        "info": dict(trial.proposal.info),
        "budget": trial.proposal.budget,
    }
    if trial.evaluation is None:
        return told
    evaluation = trial.evaluation
    return told | {
        "cost": evaluation.cost,
        "metrics": dict(evaluation.metrics),
        "hidden": dict(evaluation.hidden),
        "curve": list(evaluation.curve),
        "seed": evaluation.seed,
        "evaluated": evaluation.budget,
    }


@pytest.mark.parametrize("name", ["table.journal", "training.journal", "table.db"])
def test_a_store_says_the_same(name: str) -> None:
    storage = open_storage(f"sqlite:///{name}" if name.endswith(".db") else name, new=False)
    assert sorted(optuna.get_all_study_names(storage)) == sorted(EXPECTED[name])
    for title, expected in EXPECTED[name].items():
        study = read_study(storage, title)
        assert study.space.identity == expected["space"]
        assert [[goal.metric, goal.maximise] for goal in study.goals] == expected["goals"]
        assert digits({key: study.settings[key] for key in expected["settings"]}) == digits(
            expected["settings"]
        )
        found = [kept(trial, study.space.format(trial.arch)) for trial in study.trials]
        assert digits(found) == digits(expected["trials"])


@pytest.mark.parametrize(
    ("searcher", "store", "count"),
    [("evolution+none", "table.journal", 30), ("random+none", "sqlite:///table.db", 20)],
)
def test_a_stored_search_of_a_table_goes_on_as_if_never_stopped(
    searcher: str, store: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--benchmark", "cells.h5", "--task", "a", "--seed", 4, "--batch", 4]
    search = ["search", *options, "--searcher", searcher, "--trials", count]
    found = trials(answered(capsys, *search, "--store", store))
    assert digits(found) == digits(EXPECTED["through"][searcher])
    assert found == trials(answered(capsys, *search))


def test_a_stored_guided_search_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Another kind of processor may round otherwise, and propose other architectures then."""
    options = ["--benchmark", "cells.h5", "--task", "a", "--seed", 4, "--batch", 4]
    search = ["search", *options, "--searcher", "evolution+gp", "--trials", 30]
    found = trials(answered(capsys, *search, "--store", "table.journal"))
    assert len({trial["arch"] for trial in found}) == 30
    assert digits(found[:12]) == digits(EXPECTED["through"]["evolution+gp"][:12])


def test_a_stored_search_by_training_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Its failed trials stay failed, and what is new is what a search without a store finds."""
    what = ["--dataset", "digits", "--space", "cells.toml", "--network", "small_network:build"]
    how = ["--epochs", 2, "--searcher", "random+none", "--seed", 1, "--batch", 2, "--trials", 9]
    found = trials(answered(capsys, "search", *what, *how, "--store", "training.journal"))
    expected = EXPECTED["through"]["training"]
    assert digits(found[:6]) == digits(expected[:6])
    assert any(trial["error"] for trial in found[:6])
    for key in ("arch", "error"):
        assert [trial[key] for trial in found] == [trial[key] for trial in expected]
    assert found[6:] == trials(answered(capsys, "search", *what, *how))[6:]


# Weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [META_GNN, RIDGE])
def test_weights_say_the_same(name: str) -> None:
    expected, (tensors, settings) = EXPECTED[name], read_weights(name)
    assert (settings.predictor, settings.program) == (expected["predictor"], "0.1.0")
    assert list(settings.operations) == expected["operations"]
    assert digits(dict(settings.learner)) == digits(expected["learner"])
    assert digits(dict(settings.held_out)) == digits(expected["held_out"])
    sources = [[task.name, task.space, task.fingerprint, task.labels] for task in settings.tasks]
    assert sources == expected["tasks"]
    assert sorted(tensors) == sorted(expected["tensors"])
    for key, tensor in tensors.items():
        shape, kind, total = expected["tensors"][key]
        assert (list(tensor.shape), str(tensor.dtype)) == (shape, kind)
        assert float(tensor.astype(np.float64).sum()) == pytest.approx(total, rel=1e-10, abs=1e-9)


@pytest.mark.parametrize("name", [META_GNN, RIDGE])
def test_weights_predict_the_same(name: str) -> None:
    """As far as single precision goes, in which the networks and the trees compute."""
    expected, task = EXPECTED[name], open_benchmark("cells.h5").task("c")
    choice = choose_predictor(name, task)
    assert choice.source_evaluations == expected["source_evaluations"]
    for key in ("prior", "fitted"):
        model = choice.make(task.space, 0)
        if key == "fitted":
            model.fit(task.data(np.array(expected["support"])))
        prediction = model.predict(task.choices)
        for found, wanted in zip((prediction.mean, prediction.std), expected[key], strict=True):
            assert found[::7] == pytest.approx(wanted, rel=1e-4, abs=1e-4)


# Caches -----------------------------------------------------------------------------------------


def test_proxies_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache is of one version of the program; the names of its files tell all else, too."""
    monkeypatch.setattr(memory, "__version__", "0.1.0")
    expected, space = EXPECTED["proxies"], open_space("cells.toml")
    training = TrainingObjective(
        space, open_dataset("digits"), network="all_cells:build", device="cpu", epochs=1
    )
    known = memory.ProxyMemory(space, training, expected["names"], "proxies")
    assert known.missing == 0
    table = known.table()
    assert table.identity == expected["identity"]
    assert digits(table(space.unique())[:8].tolist()) == digits(expected["table"])


# Trainings --------------------------------------------------------------------------------------


def curve(training: Training) -> list[dict[str, Any]]:
    keys = ("epoch", "loss", "validation_accuracy", "test_accuracy")
    return [{key: getattr(point, key) for key in keys} for point in training.curve]


def test_a_stopped_training_goes_on(folder: Path) -> None:
    expected, space = EXPECTED["training.checkpoint"], open_space("cells.toml")
    objective = TrainingObjective(
        space,
        open_dataset("digits"),
        network="all_cells:build",
        device="cpu",
        epochs=expected["epochs"],
        seed=expected["seed"],
    )
    trained: list[int] = []
    found = objective.train(
        space.parse(expected["arch"]),
        checkpoint=folder / "training.checkpoint",
        watch=lambda point: trained.append(point.epoch),
    )
    assert trained == [2, 3]
    assert (found.parameters, found.flops) == (expected["parameters"], expected["flops"])
    points = curve(found)
    assert digits(points[:1]) == digits(expected["part"])
    for point, wanted in zip(points, expected["whole"], strict=True):
        # Another kind of processor rounds otherwise; an example may be told otherwise then.
        assert point == pytest.approx(wanted, rel=0.02)
