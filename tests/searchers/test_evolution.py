from __future__ import annotations

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, Proposal, Trial
from surrogate_nas.searchers.evolution import RegularizedEvolution
from tests.searchers.toys import ToySpace, additive, run, succeed

SPACE = ToySpace((6,) * 5)
FUNCTION = additive(SPACE, 2)


def test_the_oldest_dies_not_the_worst() -> None:
    searcher = RegularizedEvolution(SPACE, population=4, sample=2)
    archs = [SPACE.architecture(np.array([i, 1, 0, 0, 0])) for i in range(6)]
    for number, (arch, value) in enumerate(zip(archs, [9.0, 1.0, 2.0, 3.0, 4.0, 0.0], strict=True)):
        searcher.tell([Trial(Proposal(number, arch), Evaluation((value,)))])
        assert searcher.population == tuple(archs[max(0, number - 3) : number + 1])
    assert archs[0] not in searcher.population, "the best one died of age"
    assert archs[5] in searcher.population, "the worst one is young"


def test_random_until_the_population_is_full_then_mutants_of_it() -> None:
    searcher = RegularizedEvolution(SPACE, seed=3, population=6, sample=3)
    run(searcher, FUNCTION, 6)
    for _ in range(40):
        alive = [arch.choices for arch in searcher.population]
        (proposal,) = searcher.ask()
        distance = (np.array(alive) != np.array(proposal.arch.choices)).sum(axis=1).min()
        assert distance == 1
        searcher.tell([succeed(proposal, FUNCTION)])


def test_the_best_of_the_sample_is_the_parent() -> None:
    # A sample far larger than the population nearly always holds its best.
    searcher = RegularizedEvolution(SPACE, seed=0, population=5, sample=100)
    run(searcher, FUNCTION, 5)
    best = max(searcher.population, key=FUNCTION)
    for proposal in searcher.ask(10):
        assert sum(a != b for a, b in zip(proposal.arch.choices, best.choices, strict=True)) == 1


def test_failed_trials_do_not_join() -> None:
    searcher = RegularizedEvolution(SPACE, population=3)
    searcher.tell([Trial(p, error="OOM") for p in searcher.ask(5)])
    assert searcher.population == ()


@pytest.mark.parametrize("arguments", [{"population": 0}, {"sample": 0}])
def test_bad_settings(arguments: dict[str, int]) -> None:
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        RegularizedEvolution(SPACE, **arguments)
