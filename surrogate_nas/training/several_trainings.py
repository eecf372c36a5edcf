"""One architecture for several data sets: it is trained on each of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.task_weights import MEAN, shares
from surrogate_nas.training.objective import TrainingObjective

_LARGEST = ("parameters", "flops")
_TOGETHER = ("seconds",)


class SeveralTrainings:
    """The weighted mean of the accuracies of one training a data set.

    Each data set has a network of its own. ``parameters`` and ``flops`` are those of the largest,
    ``seconds`` and the cost in epochs are sums. The accuracy on each data set, and what else its
    training measures, is a metric: ``digits:accuracy``.
    """

    stop = None

    def __init__(
        self, trainings: Sequence[TrainingObjective], weights: Sequence[float] | None = None
    ) -> None:
        """Combine trainings of one space and as many epochs.

        Args:
            trainings: At least two, of different data sets.
            weights: One for each, not negative; None for equal ones.

        Raises:
            InvalidArgumentError: If weights do not fit, or a data set is given twice.
        """
        names = [training.dataset.name for training in trainings]
        if len(set(names)) < len(names) or len(names) < 2:
            raise InvalidArgumentError(f"data sets must be two different ones or more, got {names}")
        self.trainings = tuple(trainings)
        self.names = tuple(names)
        self.weights = shares(names, weights)
        self.goals = (Goal(MEAN, unit="%"),)

    @property
    def space(self) -> SearchSpace:
        """The space of the trainings."""
        return self.trainings[0].space

    @property
    def each(self) -> tuple[Goal, ...]:
        """The accuracy on each data set as a goal."""
        return tuple(
            Goal(f"{name}:{training.goals[0].metric}", unit="%")
            for name, training in zip(self.names, self.trainings, strict=True)
        )

    @property
    def weighted_metrics(self) -> tuple[tuple[str, float], ...]:
        """The metric of each data set, and its weight."""
        return tuple(zip((goal.metric for goal in self.each), self.weights, strict=True))

    def devices(self) -> list[str]:
        """See `surrogate_nas.evaluation.PlacedObjective`."""
        return self.trainings[0].devices()

    def on(self, device: str) -> Self:
        """The same trainings on another device."""
        there = copy.copy(self)
        there.trainings = tuple(training.on(device) for training in self.trainings)
        return there

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Train on one data set after the other, see `TrainingObjective.evaluate`."""
        done = [t.evaluate(arch, budget=budget, seed=seed) for t in self.trainings]
        metrics: dict[str, float] = {}
        for name, training, one in zip(self.names, self.trainings, done, strict=True):
            metrics[f"{name}:{training.goals[0].metric}"] = one.value
            metrics |= {f"{name}:{key}": value for key, value in one.metrics.items()}
        for key in _LARGEST:
            metrics[key] = max(one.metrics[key] for one in done)
        for key in _TOGETHER:
            metrics[key] = sum(one.metrics[key] for one in done)
        hidden = [
            one.hidden[training.goals[0].metric]
            for one, training in zip(done, self.trainings, strict=True)
        ]
        tests = {goal.metric: value for goal, value in zip(self.each, hidden, strict=True)}
        return Evaluation(
            (self._mean([one.value for one in done]),),
            cost=sum(one.cost for one in done),
            budget=done[0].budget,
            seed=done[0].seed,
            metrics=metrics,
            hidden={MEAN: self._mean(hidden), **tests},
            curve=tuple(np.array([one.curve for one in done]).T @ np.array(self.weights)),
        )

    def _mean(self, values: Sequence[float]) -> float:
        return float(np.dot(self.weights, values))

    def forget(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> None:
        """See `TrainingObjective.forget`."""
        for training in self.trainings:
            training.forget(arch, budget=budget, seed=seed)
