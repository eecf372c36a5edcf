"""What `surrogate_nas.workflows.evaluate.evaluate` refuses, and which numbers it leaves out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.records import Measurement
from surrogate_nas.registry import names
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from tests.answers import answered

PRIOR = f"{__name__}:Convolutions"


class Convolutions(Predictor):
    """Counts one option, with or without labels."""

    has_prior = True

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, data: TaskData) -> Convolutions:
        return self

    def predict(self, choices: IntArray) -> Prediction:
        return Prediction((choices == 2).sum(axis=1).astype(float), np.ones(len(choices)))


def measured(
    predictor: str, tasks: Sequence[str], train_sizes: Sequence[Any], **options: Any
) -> tuple[Measurement, ...]:
    experiment = Experiment("cell-bench", tasks, seeds=1, workers=1, **options)
    return evaluate(predictor, experiment, train_sizes=train_sizes).results


@pytest.mark.parametrize(
    ("tasks", "sizes", "message"),
    [
        (["digits"], [-5], "at least 0, got -5"),
        (["digits"], [2.5], "whole numbers of at least 0, got 2.5"),
        (["digits"], [], "train_sizes must have at least one"),
        ([], [5], "tasks must have at least one"),
        (["digits"], [625], "below 625"),
        (["digits"], [5, 0], "at least 1 for a predictor"),
    ],
)
def test_mistakes(tasks: list[str], sizes: list[Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        measured("gp", tasks, sizes)


@pytest.mark.parametrize(
    ("tasks", "sizes", "options"),
    [
        (["watch", "digits"], [20, 900], {}),
        (["watch", "digitz"], [20], {}),
        (["watch", "digits"], [20], {"proxies": ["snip"]}),
    ],
)
def test_mistakes_are_found_before_a_meta_training(
    tasks: list[str],
    sizes: list[int],
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(tmp_path))
    monkeypatch.setattr(
        "surrogate_nas.transfer.choice.meta_train", lambda *_, **__: pytest.fail("late")
    )
    for predictor in ("meta-gnn", "auto"):
        with pytest.raises((InvalidArgumentError, UnknownNameError)):
            measured(predictor, tasks, sizes, leave_one_out=True, **options)


def test_numbers_without_meaning_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    prior, one, some = measured(PRIOR, ["digits"], [0, 624, 600])
    missing = [
        {key for key, value in row.to_json().items() if value is None} for row in (prior, one, some)
    ]
    without = {"weights"}  # of other tasks
    assert missing == [
        without | {"nll", "coverage_90"},
        without | {"kendall_tau", "spearman"},
        without,
    ]
    command = ["evaluate", "--benchmark", "cell-bench", "--task", "digits", "--predictor", PRIOR]
    command += ["--train-sizes", "0", "--seeds", "2", "--workers", "1"]
    assert main(command) == 0
    assert re.search(r"–\s+–", capsys.readouterr().out)
    shown = answered(capsys, *command)["results"]
    assert [row["nll"] for row in shown] == [None, None]


def test_help_names_all_predictors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in [*names("predictor"), "auto", "file"])
