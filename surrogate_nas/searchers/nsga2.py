"""NSGA-II: evolution towards a front."""

from __future__ import annotations

import numpy as np

from surrogate_nas.searchers.genetic import GeneticAlgorithm
from surrogate_nas.spaces.base import SearchSpace


class NSGA2(GeneticAlgorithm):
    """Crossover and mutation of a population that is kept wide along the front.

    Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Transactions
    on Evolutionary Computation, 2002: individuals are ordered by the number of their front, and in
    a front by their crowding distance; those that violate a limit come after all others, by their
    violation. This is the steady-state form: every finished trial competes with the population at
    once, so any number of evaluations may be pending (Durillo et al., "On the effect of the
    steady-state selection scheme in multi-objective genetic algorithms", EMO 2009). With one goal
    it is a genetic algorithm.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        population: int = 20,
        tournament: int = 2,
        crossover: float = 0.9,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            population: Number of individuals that are kept.
            tournament: Number of individuals, drawn with repetition, that compete to be a parent.
            crossover: Probability that a child has two parents. Every child is mutated.
        """
        super().__init__(
            space, seed=seed, population=population, tournament=tournament, crossover=crossover
        )
