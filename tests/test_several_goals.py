"""Objectives of several goals, and evaluations that do not fit their goals, in the one loop."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Budgeted, Evaluation, Goal, Proposal, Stopping, Trial
from surrogate_nas.registry import names
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import Linear, ToySpace, Zeros
from tests.tables import SIZES, toy_task

SPACE = ToySpace(SIZES)


class Measured:
    """Has two goals, and gives what it was told to give, over and over."""

    space = SPACE

    def __init__(self, *given: tuple[float, ...], goals: int = 2) -> None:
        self.goals = (Goal("accuracy"), Goal("latency", maximise=False))[:goals]
        self.given = given
        self.calls = 0

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        self.calls += 1
        return Evaluation(self.given[(self.calls - 1) % len(self.given)])


class One(RandomSearch):
    """A searcher that serves one goal."""

    serves_several_goals: ClassVar[bool] = False


def several_task() -> TabularTask:
    """Every architecture of a toy space, with metrics that disagree."""
    choices = SPACE.all_choices()
    sizes = choices.sum(axis=1).astype(np.float64)
    return TabularTask(
        "easy",
        SPACE,
        choices,
        sizes + choices[:, 0] * choices[:, 1],
        goal=Goal("accuracy", unit="%"),
        test=sizes,
        metrics={
            "size": sizes,
            "odd": choices[:, 2] % 2 * 1.0,
            "even": (choices[:, 1] == 1) * 1.0,
            "square": choices[:, 3] * (choices[:, 4] - 1.0),
        },
    )


def test_an_evaluation_that_does_not_fit_the_goals_is_a_failed_trial() -> None:
    objective = Measured((0.5, -3.0), (0.5,), (0.5, -3.0, 1.0), (0.5, math.nan), (math.inf, -3.0))
    trials = search(RandomSearch(SPACE), objective, trials=5).trials
    assert trials[0].evaluation == Evaluation((0.5, -3.0))
    errors = [trial.error or "" for trial in trials[1:]]
    wanted = "an evaluation must have a value for each goal (accuracy, latency), got "
    assert errors[0].endswith(f"{wanted}1")
    assert errors[1].endswith(f"{wanted}3")
    assert "must be finite, got (0.5, nan)" in errors[2]
    assert "must be finite, got (inf, -3.0)" in errors[3]


def test_one_goal_and_two_values_is_a_failed_trial() -> None:
    objective = Measured((0.5,), (0.5, 1.0), (), goals=1)
    trials = search(RandomSearch(SPACE), objective, trials=3).trials
    assert [trial.error is None for trial in trials] == [True, False, False]
    assert "for each goal (accuracy), got 2" in (trials[1].error or "")
    assert "for each goal (accuracy), got 0" in (trials[2].error or "")


@pytest.mark.parametrize("values", [(), (math.nan,), (0.5, math.nan), (0.5, -math.inf)])
def test_a_trial_holds_finite_values_only(values: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="must be finite"):
        Trial(Proposal(0, SPACE.architecture(SPACE.all_choices()[0])), Evaluation(values))


@pytest.mark.parametrize("name", [*names("searcher"), "evolution+linear", "hyperband:local"])
def test_every_searcher_serves_several_goals_and_a_limit(name: str) -> None:
    head, plus, _ = name.partition("+")
    searcher = make_searcher(
        head,
        SPACE,
        seed=0,
        predictor=Linear() if plus or head == "bayesian" else None,
        features=Zeros(),
    )
    goals: list[Goal | str] = [
        "accuracy",
        Goal("size", maximise=False),
        Goal("odd", maximise=False, limit=0.5),
    ]
    task = several_task().with_goals(goals)
    result = search(searcher, task, trials=30, batch=2)
    assert len(result.trials) == 30
    assert all(trial.error is None for trial in result.trials)
    assert len({trial.arch for trial in result.trials}) == 30


def test_searchers_of_one_goal_refuse_two_before_the_first_trial() -> None:
    objective = Measured((0.5, -3.0))
    with pytest.raises(InvalidArgumentError, match=r"serves one goal, got 2 \(accuracy, latency\)"):
        search(One(SPACE), objective, trials=3)
    assert objective.calls == 0


def test_budgets_and_stops_are_declared() -> None:
    task = toy_task()
    assert isinstance(task, Budgeted)
    assert not isinstance(task, Stopping)
    assert not isinstance(Measured((0.5,), goals=1), Budgeted | Stopping)


@pytest.mark.parametrize("goals", [2, 3, 4])
def test_guides_find_fronts_and_keep_known_limits(goals: int) -> None:
    task = several_task()
    wanted: list[Goal | str] = ["accuracy", Goal("size", False), "odd", Goal("square", False)]
    chosen = [*wanted[:goals], Goal("even", maximise=False, limit=0.5)]
    task = task.with_goals(chosen, known=["even"])
    searcher = make_searcher("nsga2", SPACE, seed=0, predictor=Linear(seed=0))
    result = search(searcher, task, trials=60, batch=3)
    assert len({trial.arch for trial in result.trials}) == 60
    inner = [trial for trial in result.trials if "predicted" not in trial.proposal.info]
    assert result.violations <= len(inner)
    assert result.front
    true = {tuple(row) for row in task.front}
    found = {trial.evaluation.values[:goals] for trial in result.front if trial.evaluation}
    assert len(found & true) >= min(len(true), 8) // 2


def test_methods_that_are_one_search_are_one_with_several_goals() -> None:
    task = several_task().with_goals(["accuracy", Goal("size", maximise=False)], known=["size"])
    names = {"evolution": Linear(seed=0), "genetic": Linear(seed=0)}
    found = [
        [trial.arch for trial in search(
            Guided(make_searcher(name, SPACE, seed=3), guide, seed=1, initial=5, refit_every=1,
                   inner_every=0), task, trials=20).trials]
        for name, guide in names.items()
    ]  # fmt: skip
    assert found[0] == found[1]
