"""Trainings of several goals."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from surrogate_nas.errors import UnknownNameError
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.goal_checks import checked_goals
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.objective import MEASURED, TrainingObjective
from surrogate_nas.training.several_trainings import SeveralTrainings


class WithGoals:
    """Trainings whose further metrics are goals or limits beside the accuracy."""

    def __init__(
        self,
        training: TrainingObjective | SeveralTrainings,
        goals: Sequence[Goal],
        *,
        further: Sequence[str] = (),
    ) -> None:
        """Choose the goals of ``training``.

        Args:
            training: Trains and measures.
            goals: Its accuracy and what else it measures, in any order.
            further: Metrics that a subclass adds in `measured`.

        Raises:
            UnknownNameError: If it does not measure one of them.
            InvalidArgumentError: If a metric is given twice, or all have limits.
        """
        own = training.goals[0].metric
        each = training.each if isinstance(training, SeveralTrainings) else ()
        known = [own, *(goal.metric for goal in each), *MEASURED, *further]
        for goal in goals:
            if goal.metric not in known:
                raise UnknownNameError("metric of a training", goal.metric, known)
        self.training = training
        self.goals = checked_goals(goals)

    @property
    def space(self) -> SearchSpace:
        """The space of the trainings."""
        return self.training.space

    @property
    def stop(self) -> Callable[[int, float], bool] | None:
        """See `surrogate_nas.evaluation.Stopping`."""
        return self.training.stop

    def devices(self) -> list[str]:
        """See `surrogate_nas.evaluation.PlacedObjective`."""
        return self.training.devices()

    def on(self, device: str) -> Self:
        """The same trainings on another device."""
        there = copy.copy(self)
        there.training = self.training.on(device)
        return there

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Train and test one architecture, see `TrainingObjective.evaluate`."""
        done = self.training.evaluate(arch, budget=budget, seed=seed)
        measured = self.measured(arch, done)
        values = tuple(goal.sign * measured[goal.metric] for goal in self.goals)
        chosen = [goal.metric for goal in self.goals]
        rest = {name: value for name, value in measured.items() if name not in chosen}
        return replace(done, values=values, metrics=rest)

    def forget(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> None:
        """See `TrainingObjective.forget`."""
        self.training.forget(arch, budget=budget, seed=seed)

    def measured(self, arch: Architecture, done: Evaluation) -> dict[str, float]:
        """All metrics of a training, in their own signs."""
        own = self.training.goals[0]
        return {own.metric: own.sign * done.value, **done.metrics}
