"""One architecture that is trained on several data sets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.several_trainings import SeveralTrainings
from surrogate_nas.workflows.goals import WantedGoals
from tests.answers import answered

SPACE = open_space("dense-cell")
ARCH = SPACE.parse("conv3x3-skip-skip-skip")
SEARCH = (
    *("search", "--dataset", "tests.training.data:source,tests.training.data:other"),
    *("--epochs", "1", "--trials", "2", "--settings", "channels=2", "--device", "cpu"),
    *("--predictor", "none", "--json"),
)


class _Known:
    """A training whose results are known."""

    def __init__(self, name: str, done: Evaluation) -> None:
        self.dataset = SimpleNamespace(name=name)
        self.goals = (Goal("accuracy", unit="%"),)
        self.space: SearchSpace = SPACE
        self.done = done
        self.forgotten: list[Architecture] = []

    def evaluate(self, arch: Architecture, **settings: Any) -> Evaluation:
        return self.done

    def forget(self, arch: Architecture, **settings: Any) -> None:
        self.forgotten.append(arch)

    def on(self, device: str) -> _Known:
        return _Known(f"{self.dataset.name} on {device}", self.done)


def _trainings(*names: str) -> list[TrainingObjective]:
    first = Evaluation(
        (80.0,),
        cost=3.0,
        budget=3,
        seed=1,
        metrics={"parameters": 10.0, "flops": 200.0, "seconds": 1.5},
        hidden={"accuracy": 70.0},
        curve=(60.0, 75.0, 80.0),
    )
    second = replace(
        first,
        values=(40.0,),
        metrics={"parameters": 30.0, "flops": 100.0, "seconds": 2.0},
        hidden={"accuracy": 50.0},
        curve=(20.0, 30.0, 40.0),
    )
    made = [_Known(name, done) for name, done in zip(names, (first, second), strict=False)]
    return cast("list[TrainingObjective]", made)


def test_values_tests_and_curves_are_weighted_means() -> None:
    trainings = _trainings("a", "b")
    both = SeveralTrainings(trainings, [3, 1])
    found = both.evaluate(ARCH)
    assert found.values == pytest.approx((70.0,))
    assert found.hidden == {
        "weighted mean": pytest.approx(65.0),
        "a:accuracy": 70.0,
        "b:accuracy": 50.0,
    }
    assert found.curve == pytest.approx((50.0, 63.75, 70.0))
    assert (found.cost, found.budget, found.seed) == (6.0, 3, 1)
    metrics = dict(found.metrics)
    assert (metrics["a:accuracy"], metrics["b:accuracy"]) == (80.0, 40.0)
    assert (metrics["parameters"], metrics["flops"], metrics["seconds"]) == (30.0, 200.0, 3.5)
    assert both.weighted_metrics == (("a:accuracy", 0.75), ("b:accuracy", 0.25))
    assert both.on("cuda:1").trainings[1].dataset.name == "b on cuda:1"
    both.forget(ARCH)
    assert [cast("_Known", t).forgotten for t in trainings] == [[ARCH], [ARCH]]


def test_each_data_set_may_be_a_goal_beside_a_limit() -> None:
    wanted = WantedGoals(each_task_a_goal=True, limits=("parameters<=20",))
    objective = wanted.of_trainings(_trainings("a", "b"))
    assert [goal.text for goal in objective.goals] == ["a:accuracy", "b:accuracy", "parameters<=20"]
    assert objective.evaluate(ARCH).values == (80.0, 40.0, -30.0)
    named = WantedGoals(goals=("b:accuracy", "weighted mean")).of_trainings(_trainings("a", "b"))
    assert all(goal.maximise for goal in named.goals)
    assert named.evaluate(ARCH).values == (40.0, 60.0)


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        ("ab", WantedGoals(weights=(1.0, 2.0, 3.0)), "one for each of the 2 tasks"),
        ("aa", WantedGoals(), "two different ones or more"),
        ("a", WantedGoals(weights=(1.0,)), "several data sets"),
        ("ab", WantedGoals(scale="normal"), "--scale is for searches of a table"),
        ("ab", WantedGoals(known=("flops",)), "--known is for searches of a table"),
    ],
)
def test_what_does_not_fit_data_sets_is_refused(
    names: str, wanted: WantedGoals, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        wanted.of_trainings(_trainings(*names))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="a:accuracy"):
        WantedGoals(goals=("c:accuracy",)).of_trainings(_trainings("a", "b"))


def test_a_search_trains_on_all_data_sets_and_goes_on_from_its_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (*SEARCH, "--weights", ".7,.3", "--store", str(tmp_path / "a.journal"))
    found = answered(capsys, *command)
    metrics = found["best"]["metrics"]
    parts = (
        metrics["tests.training.data:source:accuracy"],
        metrics["tests.training.data:other:accuracy"],
    )
    assert found["best"]["value"] == pytest.approx(0.7 * parts[0] + 0.3 * parts[1])
    assert [trial["cost"] for trial in found["trials"]] == [2.0, 2.0]
    again = answered(capsys, *command)
    assert again["trials"] == found["trials"]  # from the store
    page = tmp_path / "a.html"
    assert main(["report", str(tmp_path / "a.journal"), "--out", str(page)]) == 0
    assert "--weights 0.7,0.3" in page.read_text()
    json.loads(capsys.readouterr().out or "{}")


@pytest.mark.parametrize("option", [("--verify", "1"), ("--stop-early",)])
def test_options_of_one_data_set_are_refused(
    option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SEARCH, *option]) == 2
    assert f"{option[0]} is for trainings on one data set" in capsys.readouterr().err
