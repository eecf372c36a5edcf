"""The base of searches that learn a distribution over architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import Any, ClassVar

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.several import Scalarisation, Values
from surrogate_nas.spaces.base import Architecture, SearchSpace

_DRAWN = 32  # architectures drawn at once
_FAILED: Values = (-np.inf,)


class PolicySearch(Searcher):
    """Proposes draws from a distribution, which is improved after every few trials.

    The reward of a trial is the normal score of its rank among all trials, so units do not matter;
    failed trials have the worst rank. With several goals each improvement has a scalarisation of
    its own, with random weights. A subclass defines `_draw`, `_improve` and `_resume`.

    What a visit has learnt on predictions is kept for the next one, which first learns from the
    trials in between. So the distribution of visits is trained far longer than that of proposals.
    """

    serves_several_goals: ClassVar[bool] = True

    def __init__(
        self, space: SearchSpace, *, seed: int | np.random.SeedSequence, batch: int
    ) -> None:
        """Start a search of ``space``, with one improvement for each ``batch`` of trials."""
        if batch < 1:
            raise InvalidArgumentError(f"batch must be at least 1, got {batch}")
        super().__init__(space, seed=seed)
        self.batch = batch
        self._archs: list[Architecture] = []
        self._values: list[Values] = []  # minus infinity where a trial failed
        self._drawn: deque[Architecture] = deque()
        self._used = 0  # trials that the distribution has learnt from
        self._visited: PolicySearch | None = None  # the fork of the last visit,
        self._real = 0  # and how many trials it had learnt from

    @abstractmethod
    def _draw(self, n: int) -> IntArray:
        """Draw n encodings, with repetition, valid or not: int (n, decisions)."""

    @abstractmethod
    def _improve(self, choices: IntArray, rewards: FloatArray) -> None:
        """Learn from the trials since the last time: int64 (n, decisions) and float64 (n,)."""

    @abstractmethod
    def _resume(self, other: Any) -> None:
        """Take over the distribution of another search, which is not used any more."""

    def visit(self, objective: PredictedObjective, steps: int) -> IntArray:
        """Encodings that the distribution of the last visit finds next, see `Searcher.visit`."""
        fork = self.fork()
        if self._visited is not None:
            fork._resume(self._visited)
            fork._used = self._real
        self._visited, self._real = fork, len(self._values)
        return fork.walk(objective, steps)

    def _shared(self) -> dict[int, Any]:
        shared = super()._shared()
        if self._visited is not None:
            shared[id(self._visited)] = None
        return shared

    def _candidate(self) -> Architecture:
        if self._drawn:
            return self._drawn.popleft()
        choices = self.space.settled(self._draw(_DRAWN))
        valid = [self.space.architecture(row) for row in choices[self.space.valid(choices)]]
        self._drawn.extend(arch for arch in valid if not self.seen(arch))
        if self._drawn:
            return self._drawn.popleft()
        if valid:  # all draws were proposed before, as the distribution has converged
            # A new draw for each proposal is a little better, but too slow for the many steps on
            # predictions in a space that cannot be listed.
            kept = valid[:1] if self.space.enumerable else valid
            self._drawn.extend(self.space.mutate(arch, self.rng) for arch in kept)
            return self._drawn.popleft()
        return self.space.sample(self.rng)

    def _observe(self, trial: Trial) -> None:
        self._archs.append(trial.arch)
        self._values.append(_FAILED if trial.evaluation is None else trial.evaluation.values)
        if len(self._values) >= self._used + self.batch:
            rewards = normal_scores(self._merits())[self._used :]
            choices = np.array([arch.choices for arch in self._archs[self._used :]])
            self._improve(choices, rewards)
            self._used = len(self._values)
            self._drawn.clear()

    def _merits(self) -> FloatArray:
        """A number for each trial, larger is better, minus infinity where it failed: (n,)."""
        if not self.goals:
            return np.array([values[0] for values in self._values])
        merits = np.full(len(self._values), -np.inf)
        done = [i for i, values in enumerate(self._values) if values is not _FAILED]
        if done:
            known = [self._values[i] for i in done]
            merits[done] = Scalarisation(known, self.goals, self.rng)(known)
        return merits
