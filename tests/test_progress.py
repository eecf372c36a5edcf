"""Every long workflow takes ``progress``: True for a bar, or a display of one's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas import Goal, make_searcher, search
from surrogate_nas.cli.console import progress
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.meta.kernel import TransferKernel
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.progress import bar, when_needed
from surrogate_nas.spaces import open_space
from surrogate_nas.transfer import held_out_tasks, meta_train, suite_tasks
from surrogate_nas.workflows.build import build
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from tests.displays import Display
from tests.recorders import ROWS, SPACE, tasks
from tests.suites import table
from tests.tables import TABLE, toy_task

TOY = Experiment(TABLE, ["easy", "loss"], seeds=2, workers=1)
OWN = Experiment("mine", ["a"], seeds=2, workers=1, leave_one_out=True)


def meta_trained(out: Path, progress: Any) -> None:
    held = held_out_tasks("mine", ["a"])
    suite = suite_tasks("mine")
    meta_train(suite, predictor="transfer-ridge", holdout=held, out=out, progress=progress)


WORK: dict[str, Any] = {
    "compare": lambda out, progress: compare(
        TOY, searchers=["random", "evolution"], trials=5, out=out, progress=progress
    ),
    "compare meta-learners": lambda out, progress: compare(
        OWN, searchers=["evolution+transfer-ridge"], trials=5, out=out, progress=progress
    ),
    "evaluate": lambda out, progress: evaluate(
        "tests.searchers.toys:Linear", TOY, train_sizes=[5, 10], progress=progress
    ),
    "build": lambda out, progress: build(
        SPACE, tasks(), ROWS[:3], out=out / "t.h5", workers=1, progress=progress
    ),
    "meta-train": lambda out, progress: meta_trained(out / "w.safetensors", progress),
    "search": lambda out, progress: search(
        make_searcher("random", toy_task().space, seed=0), toy_task(), trials=4, progress=progress
    ),
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path / "cache"))
    table("mine")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("work", WORK)
def test_each_part_is_one_step_of_one_display(
    work: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display()
    WORK[work](tmp_path, display)
    assert display.shown
    assert all(one.closed and one.label for one in display.shown)
    steps = [(one.total, len(one.texts)) for one in display.shown]
    assert all(total == seen for total, seen in steps)
    assert (
        steps[-1]
        == ({"compare": 8, "evaluate": 8, "build": 6, "meta-train": 1, "search": 4}.get(work, 2),)
        * 2
    )
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("home")
def test_true_is_a_bar_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    WORK["compare"](tmp_path, True)
    shown = capsys.readouterr()
    assert "compare on toy" in shown.err
    assert "8/8" in shown.err
    assert shown.out == ""


@pytest.mark.usefixtures("home")
def test_nothing_else_is_taken_for_progress(tmp_path: Path) -> None:
    for work in WORK.values():
        with pytest.raises(
            InvalidArgumentError, match=r"progress must be True for a bar, .* 'yes'"
        ):
            work(tmp_path, "yes")


@pytest.mark.parametrize("sources", [1, 2, 9])
def test_meta_learners_know_how_many_parts_they_have(
    sources: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TransferKernel, "fit", lambda *arguments: None)  # which takes long
    space = open_space("transnas-macro")
    rows = space.all_choices()[::300]
    rng = np.random.default_rng(0)
    worth = rng.normal(size=(sources, rows.shape[1]))
    given = [TaskData(f"task {i}", space, rows, rows @ worth[i]) for i in range(sources)]
    for kind in (MetaGNN(steps=1), TransferRidge()):
        texts: list[str] = []
        kind.on_step = texts.append
        kind.meta_fit(given)
        assert len(texts) == kind.parts(sources)


def test_a_bar_shows_the_best_that_keeps_the_limits() -> None:
    task = toy_task().with_goals([Goal("accuracy"), Goal("size", maximise=False, limit=3)])
    display = Display()
    searcher = make_searcher("random", task.space, seed=0)
    result = search(searcher, task, trials=40, progress=display)
    kept = [
        trial.evaluation.values[0] if trial.evaluation.values[1] >= -3 else -np.inf
        for trial in result.trials
        if trial.evaluation is not None
    ]
    best = np.maximum.accumulate(kept)
    assert best[-1] < max(t.value for t in result.trials if t.value is not None)
    assert display.texts == [
        "none keeps the limits yet" if np.isinf(value) else f"best accuracy {value:.6g}"
        for value in best
    ]


def test_work_of_unknown_length(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is shown from its first part on, and not at all without one."""
    display = Display()
    with when_needed(display, "nothing"):
        pass
    assert display.shown == []
    with when_needed(bar, "counting") as advance:
        advance("one")
        advance("two")
    assert "counting: 2step" in capsys.readouterr().err
    with caplog.at_level(logging.INFO), when_needed(progress, "counting") as advance:
        advance("one")
        advance("two")
    assert caplog.messages == ["one", "two"]
