"""Regularized evolution."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.several import Values, best_first
from surrogate_nas.spaces.base import Architecture, SearchSpace


class RegularizedEvolution(Searcher):
    """Evolution in which the oldest individual is removed, not the worst.

    The best of a random sample of the population is mutated; every new individual replaces the
    oldest one. Architectures are drawn at random until the population is full.

    Real et al., "Regularized evolution for image classifier architecture search", AAAI 2019.
    The defaults are smaller than the paper's 100 and 25, for budgets of some hundred trials.

    With several goals the best of a sample is the first by non-dominated sorting and crowding.
    """

    serves_several_goals: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        population: int = 20,
        sample: int = 10,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            population: Number of individuals alive.
            sample: Number of individuals, drawn with repetition, whose best becomes a parent.
        """
        if population < 1 or sample < 1:
            raise InvalidArgumentError(
                f"population and sample must be at least 1, got {population} and {sample}"
            )
        super().__init__(space, seed=seed)
        self.sample = sample
        self._population: deque[tuple[Values, Architecture]] = deque(maxlen=population)

    @property
    def population(self) -> tuple[Architecture, ...]:
        """The individuals alive, the oldest first."""
        return tuple(arch for _, arch in self._population)

    def _candidate(self) -> Architecture:
        alive = self._population
        if len(alive) < (alive.maxlen or 0):
            return self.space.sample(self.rng)
        drawn = self.rng.integers(len(alive), size=self.sample).tolist()
        if self.goals:
            parent = alive[drawn[best_first([alive[i][0] for i in drawn], self.goals)[0]]][1]
        else:
            _, parent = max([alive[i] for i in drawn])
        return self.space.mutate(parent, self.rng)

    def _observe(self, trial: Trial) -> None:
        if trial.evaluation is not None:
            self._population.append((trial.evaluation.values, trial.arch))
