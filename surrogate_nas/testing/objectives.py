"""Contract tests of objectives."""

from __future__ import annotations

import math
import pickle
from typing import ClassVar

import numpy as np

from surrogate_nas.evaluation import Budgeted, Evaluation, Goal, Objective
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.testing.contract import Contract, need_not


class ObjectiveContract(Contract):
    """Promises of an `Objective`; a subclass defines `make`.

    Attributes:
        stays: Why it cannot be sent to other processes; empty if it can.
    """

    stays: ClassVar[str] = ""

    def make(self) -> Objective:
        """A new objective with fast evaluations."""
        raise NotImplementedError

    def test_it_says_what_it_optimises_and_where(self) -> None:
        """It is an `Objective`, whose goals have different metrics."""
        objective = self.make()
        assert isinstance(objective, Objective)
        assert objective.goals
        assert all(isinstance(goal, Goal) for goal in objective.goals)
        metrics = [goal.metric for goal in objective.goals]
        assert len(set(metrics)) == len(metrics)

    def test_there_is_a_finite_value_for_each_goal(self) -> None:
        """All values and the cost are finite numbers."""
        objective = self.make()
        for number in range(3):
            found = objective.evaluate(objective.space.sample(np.random.default_rng(number)))
            assert isinstance(found, Evaluation)
            assert len(found.values) == len(objective.goals)
            assert all(type(value) is float and math.isfinite(value) for value in found.values)
            assert math.isfinite(found.cost)
            assert found.cost >= 0

    def test_the_same_seed_gives_the_same_values(self) -> None:
        """A new objective repeats an evaluation exactly."""
        objective, other = self.make(), self.make()
        arch = objective.space.sample(np.random.default_rng(0))
        found = _numbers(objective.evaluate(arch))
        assert _numbers(objective.evaluate(arch)) == found
        assert _numbers(other.evaluate(arch)) == found

    def test_budgets_are_kept_and_cost_what_they_are_worth(self) -> None:
        """An evaluation has the budget that was asked for, and a larger one costs more."""
        objective = self.make()
        if not isinstance(objective, Budgeted) or len(objective.budgets) < 2:
            raise need_not("knows one budget only")
        arch = objective.space.sample(np.random.default_rng(0))
        costs = []
        for budget in objective.budgets:
            found = objective.evaluate(arch, budget=budget)
            assert found.budget == budget
            costs.append(found.cost)
        assert costs == sorted(set(costs))

    def test_it_can_be_searched(self) -> None:
        """A search gets an evaluation for every trial, and hidden metrics stay hidden."""
        objective = self.make()
        result = search(RandomSearch(objective.space, seed=0), objective, trials=3)
        assert len(result.trials) == 3
        assert all(trial.error is None for trial in result.trials)

    def test_other_processes_get_the_same(self) -> None:
        """It can be pickled, and the copy has the same evaluations."""
        if self.stays:
            raise need_not(self.stays)
        objective = self.make()
        other = pickle.loads(pickle.dumps(objective))
        arch = objective.space.sample(np.random.default_rng(0))
        assert _numbers(other.evaluate(arch)) == _numbers(objective.evaluate(arch))


def _numbers(found: Evaluation) -> tuple[tuple[float, ...], int | None, tuple[float, ...]]:
    """The parts of an evaluation that a repetition must reproduce, without a latency."""
    return found.values, found.budget, tuple(found.curve)
