"""A genetic algorithm with elitism."""

from __future__ import annotations

from bisect import insort
from typing import ClassVar

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.several import Values, best_first
from surrogate_nas.spaces.base import Architecture, SearchSpace


class GeneticAlgorithm(Searcher):
    """Crossover and mutation of the fittest; the population is the best of all trials so far.

    The steady-state form of (mu + lambda) selection: every finished trial competes with the
    population at once, so any number of evaluations may be pending. Parents are chosen by
    tournaments.

    Goldberg & Deb, "A comparative analysis of selection schemes used in genetic algorithms",
    FOGA 1991.

    With several goals the fittest are the first by non-dominated sorting and crowding.
    """

    serves_several_goals: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        population: int = 10,
        tournament: int = 3,
        crossover: float = 0.5,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            population: Number of individuals that are kept, the elite.
            tournament: Number of individuals, drawn with repetition, that compete to be a parent.
            crossover: Probability that a child has two parents. Every child is mutated.
        """
        if population < 1 or tournament < 1:
            raise InvalidArgumentError(
                f"population and tournament must be at least 1, got {population} and {tournament}"
            )
        if not 0 <= crossover <= 1:
            raise InvalidArgumentError(
                f"crossover is a probability between 0 and 1, got {crossover}"
            )
        super().__init__(space, seed=seed)
        self.size = population
        self.tournament = tournament
        self.crossover = crossover
        # Ascending by (value, minus the order of arrival): of equal ones the older stays.
        self._elite: list[tuple[Values, int, Architecture]] = []
        self._arrived = 0

    @property
    def population(self) -> tuple[Architecture, ...]:
        """The elite, the best first."""
        return tuple(arch for *_, arch in reversed(self._elite))

    def _parent(self) -> Architecture:
        drawn = self.rng.integers(len(self._elite), size=self.tournament)
        return self._elite[int(drawn.max())][-1]

    def _candidate(self) -> Architecture:
        if len(self._elite) < self.size:
            return self.space.sample(self.rng)
        child = self._parent()
        if self.rng.random() < self.crossover:
            child = self.space.crossover(child, self._parent(), self.rng)
        return self.space.mutate(child, self.rng)

    def _observe(self, trial: Trial) -> None:
        if trial.evaluation is None:
            return
        self._arrived += 1
        insort(self._elite, (trial.evaluation.values, -self._arrived, trial.arch))
        if self.goals:
            order = best_first([values for values, *_ in self._elite], self.goals)
            self._elite = [self._elite[i] for i in order[::-1].tolist()]
        if len(self._elite) > self.size:
            del self._elite[0]
