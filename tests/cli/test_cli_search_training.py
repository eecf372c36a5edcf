"""The command `search` with real training as its objective."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.cli import main
from tests.answers import answered
from tests.training.gpus import pretend_gpus


def _digits(*arguments: str) -> list[str]:
    head = ["search", "--space", "dense-cell", "--dataset", "digits", "--settings", "channels=2"]
    return [*head, "--device", "cpu", "--epochs", "1", "--batch", "2", *arguments]


def test_trials_are_trainings(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(capsys, *_digits("--trials", "3", "--seed", "4"))
    assert (answer["space"], answer["dataset"], answer["epochs"]) == ("dense-cell", "digits", 1)
    assert answer["optimum"] is answer["regret"] is answer["rank"] is None
    trials, best = answer["trials"], answer["best"]
    assert [trial["cost"] for trial in trials] == [1, 1, 1]
    assert best["value"] == max(trial["value"] for trial in trials)
    train = ["train", best["arch"], "--settings", "channels=2", "--device", "cpu"]
    alone = answered(capsys, *train, "--epochs", "1", "--seed", "4")
    assert (alone["validation_accuracy"], alone["test_accuracy"]) == (best["value"], best["test"])
    assert alone["parameters"] == best["metrics"]["parameters"]


def test_a_longer_search_goes_on_and_import_makes_a_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    kept = ["--store", str(tmp_path / "a.journal"), "--predictor", "none"]
    first = answered(capsys, *_digits("--trials", "1", *kept))
    from surrogate_nas.training.trainer import train

    trained: list[int] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        trained.append(1)
        return train(*arguments, **options)

    monkeypatch.setattr("surrogate_nas.training.objective.train", counted)
    longer = answered(capsys, *_digits("--trials", "3", *kept))
    assert len(trained) == 2
    assert longer["trials"][0] == first["trials"][0]
    assert main(_digits("--trials", "3", *kept, "--recipe", "adamw")) == 2
    assert "recipe 'sgd', now 'adamw'" in capsys.readouterr().err
    made = answered(capsys, "import", "optuna", kept[1], "--name", "own")
    assert (made["architectures"], made["tasks"]) == (3, ["digits"])


def test_a_failed_training_is_a_trial_and_an_interrupt_keeps_the_rest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrogate_nas.errors import TrainingError
    from surrogate_nas.training.trainer import train

    calls = 0

    def fragile(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise TrainingError("the training diverged in epoch 1")
        if calls == 4:
            raise KeyboardInterrupt
        return train(*arguments, **options)

    monkeypatch.setattr("surrogate_nas.training.objective.train", fragile)
    command = _digits("--trials", "4", "--store", str(tmp_path / "a.journal"))
    assert main([*command, "--json"]) == 130
    stopped = json.loads(capsys.readouterr().out)["trials"]
    assert [trial["error"] is None for trial in stopped] == [True, False, True]
    answer = answered(capsys, *command)
    assert calls == 5
    assert answer["trials"][:3] == stopped
    assert "diverged in epoch 1" in answer["trials"][1]["error"]


def test_workers_are_spread_over_every_gpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpus(monkeypatch, 2)
    command = ["search", "--dataset", "digits", "--settings", "channels=2", "--epochs", "1"]
    command += ["--predictor", "none", "--trials", "4", "--workers", "2", "--verify", "2"]
    assert main([*command, "--device", "cuda", "--json"]) == 1
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    errors = [trial["error"] for trial in answer["trials"]]
    assert {"'cuda:0'", "'cuda:1'"} == {error.split()[2] for error in errors}
    assert answer["best"] is answer["verification"] is None
    assert shown.err.splitlines()[-1].startswith("every trial failed; the first reason was: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--dataset digits --benchmark nas-bench-graph", "--benchmark is for searches of a table"),
        ("--dataset digits --task arxiv", "--task is for searches of a table"),
        ("--dataset digits --leave-one-out", "--leave-one-out is for searches of a table"),
        ("--dataset digits --plot a.png", "--plot draws searches of a table"),
        ("--space dense-cell", "name a --dataset, too"),
        ("--dataset digits --epochs 2 --budget 3", "mean the same"),
        ("--dataset digits --predictor meta-gnn", "name the file of its weights"),
        ("--dataset digits --space nas-bench-graph", "nodes of a graph"),
        ("--dataset digits --trials 700", "at most 625"),
        ("--dataset digit", "did you mean 'digits'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: str, reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = tmp_path / "a.journal"
    assert main(["search", *arguments.split(), "--store", str(store)]) == 2
    shown = capsys.readouterr()
    assert reason in shown.err
    told = [line for line in shown.err.splitlines() if not line.startswith("warning: ")]
    assert len(told) == 1  # torch_geometric warns when it is loaded
    assert not store.exists()


@pytest.mark.data
def test_reinforce_on_cifar10(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrogate_nas import registry
    from surrogate_nas.training.datasets.examples import Examples
    from surrogate_nas.training.datasets.pickled import cifar10

    def some(folder: Path | None) -> Examples:
        found = cifar10(folder)
        assert found.test is not None
        first = np.arange(200)
        return Examples(found.train.take(first), None, found.test.take(first[:50]), found.flip)

    monkeypatch.setitem(registry.DATASETS, "cifar10", some)
    answer = answered(
        capsys,
        *("search", "--space", "dense-cell", "--dataset", "cifar10"),
        *("--data-dir", os.environ["SURROGATE_NAS_DATA"], "--searcher", "reinforce"),
        *("--trials", "3", "--epochs", "2", "--settings", "channels=4", "--device", "cpu"),
    )
    assert [trial["error"] for trial in answer["trials"]] == [None] * 3
    assert answer["best"]["test"] is not None
