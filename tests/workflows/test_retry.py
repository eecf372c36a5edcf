"""Failed trials are tried again, and replace their failures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TaskSpec, read_table, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Proposal, Trial
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.store.frozen import once
from surrogate_nas.testing.toys import ToySpace
from surrogate_nas.workflows.retry import retry_trials
from tests.answers import answered
from tests.misbehaviour import behave

SPACE = ToySpace((3, 4))


def stored(path: Path, function: Any) -> Stored:
    objective = FunctionObjective(SPACE, function)
    return Stored(objective, open_storage(path), name="toy", settings={"searcher": "random"})


def half(arch: Architecture) -> float:
    if arch.choices[0] == 1:
        raise MemoryError("out of memory")
    if arch.choices[1] == 2:
        raise ValueError("a bug")
    return behave(arch)


@pytest.mark.parametrize("store", ["run.journal", "sqlite:///run.db"])
def test_successes_replace_failures(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path: Any = store
    before = search(RandomSearch(SPACE, seed=0), stored(path, half), trials=8).trials
    memory = sum("memory" in (trial.error or "") for trial in before)
    bugs = sum("a bug" in (trial.error or "") for trial in before)
    assert memory
    assert bugs
    found = retry_trials(stored(path, behave), store=store, reason="out of mem")
    assert (found.retried, found.succeeded, found.failed) == (memory, memory, 0)
    after = stored(path, behave).known
    assert [trial.arch for trial in after] == [trial.arch for trial in before]
    for trial in after:
        assert trial.error == (None if trial.arch.choices[0] == 1 else before_of(before, trial))
    again = retry_trials(stored(path, half), store=store)
    assert (again.retried, again.succeeded, again.failed) == (bugs, 0, bugs)
    assert again.errors == ("ValueError: a bug",) * bugs
    last = retry_trials(stored(path, behave), store=store, workers=2)
    assert (last.retried, last.succeeded) == (bugs, bugs)
    assert all(trial.value == behave(trial.arch) for trial in stored(path, half).known)
    assert retry_trials(stored(path, behave), store=store).retried == 0
    with pytest.raises(InvalidArgumentError, match=r"regular expression, got '\('"):
        retry_trials(stored(path, behave), store=store, reason="(")


def before_of(trials: tuple[Trial, ...], wanted: Trial) -> str | None:
    return next(trial.error for trial in trials if trial.arch == wanted.arch)


def test_a_failure_without_a_seed_is_replaced_by_any_success() -> None:
    a, b = SPACE.parse("10"), SPACE.parse("21")
    failed = Trial(Proposal(0, a), error="no")
    done = Trial(Proposal(2, a, info={"seed": 0}), Evaluation((1.0,), seed=0))
    other = Trial(Proposal(3, a, info={"seed": 1}), Evaluation((2.0,), seed=1))
    middle = Trial(Proposal(1, b), Evaluation((3.0,)))
    assert once(SPACE, [failed, middle, done]) == (done, middle)
    assert once(SPACE, [failed, middle, done, done, other]) == (done, middle, other)
    assert once(SPACE, [middle, middle]) == (middle,)


NETWORK = """
from torch import nn


def build(architecture, task):
    if {broken} and architecture.choices[0] == 1:
        raise RuntimeError("CUDA out of memory")
    pixels = task.shape[0] * task.shape[1] * task.shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, task.classes))
"""
TOML = 'name = "tiny"\ngraph = "chain"\ndecisions = 2\noptions = ["conv3", "conv5"]\n'
TOML += '[operations]\nconv3 = {operation = "conv", kernel = 3}\n'
TOML += 'conv5 = {operation = "conv", kernel = 5}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.toml").write_text(TOML)
    (tmp_path / "broken_nets.py").write_text(NETWORK.format(broken=True))
    (tmp_path / "mended_nets.py").write_text(NETWORK.format(broken=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("broken_nets", "mended_nets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


COMMON = ["--space", "tiny.toml", "--dataset", "digits", "--device", "cpu", "--epochs", "1"]


def test_a_search_by_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", *COMMON, "--predictor", "none", "--trials", "4", "--store", "a.journal"]
    broken, mended = ["--network", "broken_nets:build"], ["--network", "mended_nets:build"]
    first = answered(capsys, *search, *broken)
    failed = [trial["arch"] for trial in first["trials"] if trial["error"]]
    assert len(failed) == 2
    assert main(["retry", "a.journal", *mended]) == 2
    assert "add --accept network" in capsys.readouterr().err
    accept = ["--accept", "network"]
    assert main([*search, *mended]) == 2
    assert "has other settings: network" in capsys.readouterr().err
    found = answered(capsys, "retry", "a.journal", *mended, *accept, "--reason", "CUDA")
    assert (found["retried"], found["succeeded"], found["failed"]) == (2, 2, 0)
    after = answered(capsys, *search, *mended)
    assert [trial["arch"] for trial in after["trials"]] == [t["arch"] for t in first["trials"]]
    assert all(trial["error"] is None for trial in after["trials"])
    answered(capsys, *search, *broken, *accept)  # and back
    assert main(["retry", "a.journal", "--study", "none"]) == 2


def _first(task: TaskSpec, rows: int) -> TaskSpec:
    return replace(
        task,
        values=task.values[:rows],
        test=None if task.test is None else task.test[:rows],
        metrics=[(goal, cells[:rows]) for goal, cells in task.metrics],
    )


def test_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", *COMMON, "--out", "t.h5", "--workers", "1"]
    first = answered(capsys, *build, "--network", "broken_nets:build")
    assert len(first["failed"]) == 2
    assert np.isnan(HDF5Benchmark("t.h5").task("digits").values).sum() == 0  # rows without values
    sampled = replace(read_table(HDF5Benchmark("t.h5")), found_by=["local", "random", "genetic"])
    sampled = replace(sampled, choices=sampled.choices[:3], tasks=[_first(sampled.tasks[0], 3)])
    write_table("t.h5", sampled)  # as if the last row had been trained for another sample
    mended = ["--network", "mended_nets:build"]
    assert main(["retry", "t.h5", *mended]) == 2
    assert "add --accept network" in capsys.readouterr().err
    found = answered(capsys, "retry", "t.h5", *mended, "--accept", "network", "--workers", "1")
    assert (found["retried"], found["succeeded"], found["failed"]) == (2, 2, 0)
    table = HDF5Benchmark("t.h5")
    assert len(table.task("digits")) == 4
    by = dict(zip(map(tuple, table.choices.tolist()), table.found_by or (), strict=True))
    assert [by.pop(tuple(row)) for row in sampled.choices.tolist()] == sampled.found_by
    assert list(by.values()) == ["unknown"]
    again = answered(capsys, *build, *mended)
    assert (again["trained"], again["failed"]) == (0, [])
    assert main(["retry", "nothing.h5"]) == 2
