"""Trainings that are ended by their learning curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import FunctionObjective, Goal, Report
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.store import Stored, open_storage

SPACE = open_space("nats-size")


def test_the_rule() -> None:
    stop = MedianStopping(first=2, least=3)
    for curve in ((10.0, 20.0, 30.0), (10.0, 30.0, 40.0), (10.0, 40.0)):
        assert not stop(1, 0.0)
        assert not stop(2, 0.0)  # as long as fewer than three are known
        stop.learn(curve)
    assert not stop(1, 0.0)  # before the second epoch
    assert stop(2, 29.0)
    assert not stop(2, 30.0)  # the best so far counts, and the median itself is good enough
    assert not stop(2, 5.0)
    assert not stop(3, 0.0)  # two alone reached the third epoch
    assert not stop(1, 0.0)
    assert stop(2, 29.0)  # a new training has no past


def test_smaller_may_be_better() -> None:
    stop = MedianStopping(least=2, maximise=False)
    stop.learn([1.0])
    stop.learn([3.0])
    assert not stop(1, 2.0)
    assert stop(1, 2.1)


def test_numbers_are_positive() -> None:
    with pytest.raises(InvalidArgumentError, match="first must be at least 1"):
        MedianStopping(first=0)
    with pytest.raises(InvalidArgumentError, match="least must be at least 1"):
        MedianStopping(least=0)


def _loss(arch: Architecture, report: Report) -> float:
    """Falls over four epochs from and to what the architecture decides."""
    for epoch in range(1, 5):
        report(epoch, sum(arch.choices) / epoch)
    return sum(arch.choices) / 4


def test_a_stopped_search_is_resumed_as_it_was(tmp_path: Path) -> None:
    def run(trials: int, name: str) -> list[tuple[float | None, int]]:
        goal = Goal("loss", maximise=False)
        objective = FunctionObjective(SPACE, _loss, goal=goal, stop=MedianStopping(maximise=False))
        kept = Stored(objective, open_storage(tmp_path / name), name="a", settings={})
        for trial in kept.known:
            assert trial.evaluation is not None
            assert isinstance(objective.stop, MedianStopping)
            objective.stop.learn([-value for value in trial.evaluation.curve])
        result = search(RandomSearch(SPACE, seed=0), kept, trials=trials, budget=4)
        found = [trial.evaluation for trial in result.trials if trial.evaluation is not None]
        assert all(len(evaluation.curve) == evaluation.budget for evaluation in found)
        return [(evaluation.value, evaluation.budget) for evaluation in found]

    whole = run(20, "whole.journal")
    budgets = [budget for _, budget in whole]
    assert budgets[:5] == [4] * 5
    assert {1, 4} <= set(budgets)
    run(12, "parts.journal")
    assert run(20, "parts.journal") == whole


def test_search_stops_trainings_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["search", "--dataset", "tests.training.data:source", "--epochs", "3"]
    command += ["--settings", "channels=2", "--device", "cpu", "--predictor", "none"]
    command += ["--stop-early", "--json", "--store", str(tmp_path / "a.journal"), "--trials"]
    assert main([*command, "13"]) == 0
    first = json.loads(capsys.readouterr().out)["trials"]
    costs = [trial["cost"] for trial in first]
    assert costs[:5] == [3] * 5
    assert min(costs) < 3
    assert main([*command, "14"]) == 0
    shown = capsys.readouterr()
    assert "no longer repeats" not in shown.err
    assert json.loads(shown.out)["trials"][:13] == first
