from __future__ import annotations

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.genetic import GeneticAlgorithm
from tests.searchers.toys import ToySpace, additive, run, succeed

SPACE = ToySpace((6,) * 5)
FUNCTION = additive(SPACE, 2)


def test_the_population_is_the_best_of_all_trials_in_whatever_order_they_come() -> None:
    searcher = GeneticAlgorithm(SPACE, seed=1, population=8)
    found = []
    rng = np.random.default_rng(0)
    for _ in range(12):
        asked = searcher.ask(5)
        found += [proposal.arch for proposal in asked]
        searcher.tell([succeed(asked[i], FUNCTION) for i in rng.permutation(5)])
        best = sorted(found, key=FUNCTION, reverse=True)[:8]
        assert list(searcher.population) == best


def test_children_mix_two_parents_and_differ_in_one_decision() -> None:
    searcher = GeneticAlgorithm(SPACE, seed=1, population=4, crossover=1.0)
    run(searcher, FUNCTION, 4)
    alive = np.array([arch.choices for arch in searcher.population])
    for proposal in searcher.ask(30):
        child = np.array(proposal.arch.choices)
        explained = [
            ((child == a) | (child == b)).sum() for i, a in enumerate(alive) for b in alive[i:]
        ]
        assert max(explained) >= len(child) - 1


def test_without_crossover_children_are_mutants() -> None:
    searcher = GeneticAlgorithm(SPACE, seed=1, population=4, crossover=0.0)
    run(searcher, FUNCTION, 4)
    alive = np.array([arch.choices for arch in searcher.population])
    for proposal in searcher.ask(20):
        assert (alive != np.array(proposal.arch.choices)).sum(axis=1).min() == 1


def test_a_large_tournament_chooses_the_best() -> None:
    searcher = GeneticAlgorithm(SPACE, seed=1, population=4, tournament=100, crossover=0.0)
    run(searcher, FUNCTION, 4)
    best = np.array(max(searcher.population, key=FUNCTION).choices)
    for proposal in searcher.ask(10):
        assert (best != np.array(proposal.arch.choices)).sum() == 1


def test_failed_trials_do_not_join() -> None:
    searcher = GeneticAlgorithm(SPACE, population=3)
    searcher.tell([Trial(p, error="OOM") for p in searcher.ask(5)])
    assert searcher.population == ()


@pytest.mark.parametrize(
    "arguments", [{"population": 0}, {"tournament": 0}, {"crossover": 1.5}, {"crossover": -0.1}]
)
def test_bad_settings(arguments: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"must be|between"):
        GeneticAlgorithm(SPACE, **arguments)  # type: ignore[arg-type]
