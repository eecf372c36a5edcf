from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.local import LocalSearch, Rule
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import ToySpace, additive, run, succeed

SPACE = ToySpace((4,) * 4)
FUNCTION = additive(SPACE, 5, pairs=2.0)  # rugged: several optima
RULES: list[Rule] = ["first", "steepest"]


def brute_neighbours(choices: tuple[int, ...]) -> list[tuple[int, ...]]:
    everything = product(range(4), repeat=4)
    return [c for c in everything if any(c) and sum(map(int.__ne__, c, choices)) == 1]


def value(choices: tuple[int, ...]) -> float:
    return FUNCTION(Architecture("toy", choices))


def is_optimum(choices: tuple[int, ...]) -> bool:
    return all(value(n) <= value(choices) for n in brute_neighbours(choices))


def test_steepest_ends_where_brute_force_does() -> None:
    for seed in range(20):
        searcher = LocalSearch(SPACE, seed=seed, rule="steepest")
        at = run(searcher, FUNCTION, 1)[0].choices
        path = [at]
        while not is_optimum(at):
            at = max(brute_neighbours(at), key=value)
            path.append(at)
        spent = len({c for step in path for c in [step, *brute_neighbours(step)]})
        run(searcher, FUNCTION, spent)  # one more than needed, which begins the next climb
        assert [arch.choices for arch in searcher.optima] == [at]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch", [1, 5])
def test_what_it_calls_an_optimum_is_one_and_climbs_start_anew(rule: Rule, batch: int) -> None:
    searcher = LocalSearch(SPACE, seed=1, rule=rule)
    run(searcher, FUNCTION, 240, batch=batch)  # of 255
    assert len(searcher.optima) >= 2
    assert len(set(searcher.optima)) == len(searcher.optima)
    assert all(is_optimum(arch.choices) for arch in searcher.optima)


def test_first_improvement_moves_at_once() -> None:
    searcher = LocalSearch(SPACE, seed=0, rule="first")
    steepest = LocalSearch(SPACE, seed=0, rule="steepest")
    (start,) = run(searcher, FUNCTION, 1)
    run(steepest, FUNCTION, 1)
    moved = False
    while not moved:
        (proposal,) = searcher.ask()
        assert steepest.ask()[0].arch == proposal.arch
        assert searcher.incumbent == start
        for each in (searcher, steepest):
            each.tell([succeed(proposal, FUNCTION)])
        moved = FUNCTION(proposal.arch) > FUNCTION(start)
    searcher.ask()
    steepest.ask()
    assert searcher.incumbent == proposal.arch
    assert steepest.incumbent == start


def test_neighbours_that_never_return_do_not_stop_it() -> None:
    searcher = LocalSearch(SPACE, seed=2, rule="steepest")
    (start,) = run(searcher, FUNCTION, 1)
    near = len(brute_neighbours(start.choices))
    searcher.ask(near)  # lost, all of them
    run(searcher, FUNCTION, near)
    assert searcher.incumbent == start, "it waits while starts are tried"
    run(searcher, FUNCTION, 1)
    assert searcher.incumbent not in (start, None)


def test_a_warm_start_begins_at_its_best() -> None:
    other = LocalSearch(SPACE, seed=9)
    warm = [succeed(p, FUNCTION) for p in other.ask(20)]
    searcher = LocalSearch(SPACE, seed=2)
    searcher.tell(warm)
    searcher.ask()
    best = max(warm, key=lambda t: t.value or 0.0)
    # Known neighbours are climbed for free, so it may stand even higher.
    assert searcher.incumbent is not None
    assert FUNCTION(searcher.incumbent) >= (best.value or np.inf)


def test_failed_neighbours_are_no_improvement() -> None:
    searcher = LocalSearch(SPACE, seed=2)
    (start,) = run(searcher, FUNCTION, 1)
    near = len(brute_neighbours(start.choices))
    for _ in range(near):
        searcher.tell([Trial(p, error="OOM") for p in searcher.ask()])
    searcher.ask()
    assert searcher.optima == [start]


def test_bad_rule() -> None:
    with pytest.raises(InvalidArgumentError, match="'first' or 'steepest', got 'best'"):
        LocalSearch(SPACE, rule="best")  # type: ignore[arg-type]
