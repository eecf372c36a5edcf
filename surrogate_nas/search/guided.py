"""Guidance of any search by a predictor."""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import Any

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Prediction, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.search.base import Searcher
from surrogate_nas.search.predicted import PredictedObjective
from surrogate_nas.spaces.base import Architecture

_BEST = 5  # known architectures whose neighbours become candidates
_STRIDE = 20  # steps of a fork at once: one prediction serves them all


class Guided(Searcher):
    """Proposes what a predictor, fitted to the trials so far, finds most promising.

    The inner searcher is told every real trial and proposes until enough are known. From then
    on the candidates are all architectures in a space that can be listed, else what a fork of
    the inner searcher visits on the predictions, and the neighbours of the best known ones.
    They are compared by an upper confidence bound (Srinivas et al., "Gaussian process
    optimization in the bandit setting", ICML 2010). Every few proposals one stays the inner
    searcher's own.

    The predictor is fitted once for every few proposals, no two of which are neighbours. Trials
    that are still under way count with the value that was predicted for them (kriging believer,
    Ginsbourger et al., "Kriging is well-suited to parallelize optimization", 2010), failed ones
    with the worst value seen.
    """

    def __init__(
        self,
        inner: Searcher,
        predictor: Predictor,
        *,
        seed: int | np.random.SeedSequence = 0,
        initial: int = 20,
        refit_every: int = 5,
        exploration: float = 0.5,
        inner_every: int = 5,
        steps: int = 400,
    ) -> None:
        """Guide ``inner`` by ``predictor``.

        Args:
            inner: A searcher that nothing else asks or tells.
            predictor: Fitted and refitted here.
            seed: Source of the choices' randomness.
            initial: Number of successful trials before the predictor is trusted.
            refit_every: Number of proposals, or of new results, for one fit.
            exploration: How many standard deviations an architecture may be better than its mean
                when candidates are compared.
            inner_every: Each how-many-th proposal is the inner searcher's own, so that a predictor
                which is wrong about a region cannot keep the search from it; 0 for none.
            steps: Steps of the inner searcher's fork where the space cannot be listed.
        """
        for name, value, least in (
            ("initial", initial, 2),
            ("refit_every", refit_every, 1),
            ("steps", steps, 1),
        ):
            if value < least:
                raise InvalidArgumentError(f"{name} must be at least {least}, got {value}")
        if inner_every < 0:
            raise InvalidArgumentError(f"inner_every must be at least 0, got {inner_every}")
        if not 0 <= exploration < math.inf:
            raise InvalidArgumentError(f"exploration must be 0 or larger, got {exploration}")
        super().__init__(inner.space, seed=seed)
        self.inner = inner
        self.predictor = predictor
        self.initial = initial
        self.refit_every = refit_every
        self.exploration = exploration
        self.inner_every = inner_every
        self.steps = steps
        self._values: dict[Architecture, float] = {}
        self._failed: set[Architecture] = set()
        self._believed: dict[Architecture, float] = {}
        self._plan: deque[tuple[Architecture, float]] = deque()
        self._news = 0
        self._guided = 0

    def claim(self, arch: Architecture) -> bool:
        """Mark an architecture as proposed, for the inner searcher too; False if it was."""
        self.inner.claim(arch)
        return super().claim(arch)

    def _shared(self) -> dict[int, Any]:
        # `fit` starts anew each time, so a shallow copy keeps whatever the predictor caches.
        return super()._shared() | {
            id(self.inner): self.inner.fork(),
            id(self.predictor): copy.copy(self.predictor),
        }

    def _fresh(self) -> Architecture | None:
        try:
            return super()._fresh()
        except SpaceExhaustedError:  # by the inner searcher, which has seen all that this one has
            return None

    def _candidate(self) -> Architecture:
        if len(self._values) < self.initial:
            return self.inner.ask(1)[0].arch
        self._guided += 1
        if not self.inner_every or self._guided % self.inner_every:
            if self._news >= self.refit_every or not self._plan:
                self._replan()
            while self._plan:
                arch, mean = self._plan.popleft()
                if not self.seen(arch):
                    self._believed[arch] = mean
                    return arch
        return self.inner.ask(1)[0].arch

    def _observe(self, trial: Trial) -> None:
        self.inner.tell([trial])
        key = self.space.key(trial.arch)
        self._believed.pop(key, None)
        if trial.value is None:
            self._failed.add(key)
        else:
            self._values[key] = trial.value
        self._news += 1

    def _replan(self) -> None:
        """Fit, predict, and line up the next proposals."""
        self._news = 0
        self.predictor.fit(self._data())
        candidates = self._candidates()
        if len(candidates) == 0:
            return
        prediction = self.predictor.predict(candidates)
        chosen = _most_promising(candidates, prediction, self.exploration, self.refit_every)
        self._plan = deque(
            (Architecture(self.space.name, tuple(candidates[i].tolist())), float(mean))
            for i, mean in zip(chosen, prediction.mean[chosen], strict=True)
        )

    def _data(self) -> TaskData:
        worst = min(self._values.values())
        known = self._values | dict.fromkeys(self._failed, worst) | self._believed
        return TaskData(
            name="search",
            space=self.space,
            choices=np.array([arch.choices for arch in known]),
            values=np.array(list(known.values())),
        )

    def _candidates(self) -> IntArray:
        """Keys that may be proposed, each once: int (m, decisions)."""
        keys = self.space.unique() if self.space.enumerable else self._visited()
        return keys[self._free(keys)]

    def _visited(self) -> IntArray:
        """Keys near the best known ones and on the inner searcher's way on the predictions."""
        best = sorted(self._values, key=self._values.__getitem__, reverse=True)[:_BEST]
        parts = [self.space.neighbour_choices(np.array([arch.choices for arch in best]))]
        objective = PredictedObjective(self.space, self.predictor)
        fork = self.inner.fork()
        for _ in range(self.steps // _STRIDE):
            proposals = fork.ask(_STRIDE)
            evaluations = objective.evaluate_all([proposal.arch for proposal in proposals])
            fork.tell(Trial(p, e) for p, e in zip(proposals, evaluations, strict=True))
            parts.append(np.array([proposal.arch.choices for proposal in proposals]))
        keys = self.space.keys(np.concatenate(parts))
        return keys[np.unique(self.space.index(keys), return_index=True)[1]]


def _most_promising(
    candidates: IntArray, prediction: Prediction, exploration: float, n: int
) -> list[int]:
    """Positions of up to n candidates by upper confidence bound, no two of them neighbours.

    What differs in one decision is predicted nearly alike and would teach nearly the same.
    """
    score = prediction.mean + exploration * prediction.std
    chosen: list[int] = []
    for _ in range(n):
        best = int(score.argmax())
        if score[best] == -np.inf:
            break
        chosen.append(best)
        near = (candidates != candidates[best]).sum(axis=1) <= 1
        score[near] = -np.inf
    return chosen
