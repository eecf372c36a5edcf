"""Meta-trainings of several tasks at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.predictors.meta.weights import read_settings
from surrogate_nas.transfer import choose_predictor, meta_train
from surrogate_nas.workflows.experiment import Experiment
from tests.displays import Display
from tests.suites import TASKS

pytestmark = pytest.mark.usefixtures("home")


def test_missing_weights_of_several_tasks_are_trained_together(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = open_benchmark("mine")
    there = choose_predictor("transfer-ridge", mine.task("a"), leave_one_out=True)
    experiment = Experiment("mine", tasks=TASKS, seeds=1, workers=1, leave_one_out=True)
    tasks = experiment.open()[1]
    display = Display()
    with monkeypatch.context() as changed:
        checkpoints = []

        def counted(*arguments: Any, **settings: Any) -> Any:
            checkpoints.append(settings["checkpoint"])
            return meta_train(*arguments, **settings)

        changed.setattr("surrogate_nas.transfer.choice.meta_train", counted)
        experiment.train_ahead(["transfer-ridge"], tasks, display)
    (shown,) = display.shown
    assert (shown.label, shown.total) == ("meta-train transfer-ridge", 2)
    assert shown.texts == ["for b", "for c"]
    assert len(set(checkpoints)) == 1
    assert not list((home / "cache").rglob("*.checkpoint"))
    monkeypatch.setattr(
        "surrogate_nas.transfer.choice.meta_train", lambda *a, **k: pytest.fail("trained again")
    )
    experiment.train_ahead(["transfer-ridge"], tasks, display)
    found = [experiment.predictor("transfer-ridge", task, from_sources=True) for task in tasks]
    assert found[0] == there
    learnt = [[s.name for s in read_settings(str(one.weights)).tasks] for one in found]
    assert learnt == [["mine/b", "mine/c"], ["mine/a", "mine/c"], ["mine/a", "mine/b"]]
