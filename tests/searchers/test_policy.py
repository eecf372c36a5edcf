"""What policies learn from predictions, and that their trials do not depend on it."""

from __future__ import annotations

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.evaluation import TaskData
from surrogate_nas.searchers.gradient import GradientSearch
from surrogate_nas.searchers.optuna import OptunaSearch
from surrogate_nas.searchers.policy import PolicySearch
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.reinforce import Reinforce
from tests.searchers.toys import Linear, ToySpace, additive, run

LARGE = ToySpace((8,) * 8)
FUNCTION = additive(LARGE, 5, pairs=0)


def _predicted(sign: float = 1.0) -> PredictedObjective:
    choices = LARGE.sample_choices(np.random.default_rng(0), 100)
    values = np.array([sign * FUNCTION(LARGE.architecture(row)) for row in choices])
    return PredictedObjective(LARGE, Linear().fit(TaskData("t", LARGE, choices, values)))


def _worth(rows: IntArray) -> float:
    return float(np.mean([FUNCTION(LARGE.architecture(row)) for row in rows]))


def _made(kind: type[PolicySearch]) -> PolicySearch:
    return kind(LARGE, seed=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", [GradientSearch, Reinforce])
def test_a_visit_goes_on_where_the_last_one_ended(kind: type[PolicySearch]) -> None:
    searcher, objective = _made(kind), _predicted()
    run(searcher, FUNCTION, 20)
    reached = [_worth(searcher.visit(objective, 100)) for _ in range(4)]
    anew = []
    for _ in range(3):
        searcher._visited = None
        anew.append(_worth(searcher.visit(objective, 100)))
    assert np.mean(reached[2:]) > np.mean(anew) + np.std(anew)


def test_trials_correct_what_predictions_taught() -> None:
    told, left = _made(GradientSearch), _made(GradientSearch)
    for searcher in (told, left):
        run(searcher, FUNCTION, 10)
        for _ in range(2):
            searcher.visit(_predicted(-1.0), 100)  # which is wrong
    run(told, FUNCTION, 100)
    for searcher in (told, left):  # predictions that say nothing
        searcher.visit(_predicted(0.0), 20)
    corrected, wrong = (
        np.mean([_worth(s._visited._draw(100)) for _ in range(3)])
        for s in (told, left)
        if s._visited is not None
    )
    assert corrected > wrong


@pytest.mark.parametrize("kind", [GradientSearch, Reinforce, OptunaSearch])
def test_visits_do_not_change_the_trials(kind: type[PolicySearch]) -> None:
    used, unused = _made(kind), _made(kind)
    for searcher in (used, unused):
        run(searcher, FUNCTION, 20)
    for _ in range(2):
        used.visit(_predicted(), 60)
    for _ in range(2):
        unused.fork()  # which counts in the generator
    assert run(used, FUNCTION, 12) == run(unused, FUNCTION, 12)
    assert used.fork()._visited in (None, used._visited)


def test_a_sampler_is_told_what_is_now_thought_of_its_last_visits() -> None:
    searcher = OptunaSearch(LARGE, seed=0)
    run(searcher, FUNCTION, 12)
    first = searcher.visit(_predicted(-1.0), 160)
    again = searcher.visit(_predicted(), 160)
    worth = [FUNCTION(LARGE.architecture(row)) for row in first]
    best = {tuple(row) for row in first[np.argsort(worth)[::-1][:30]].tolist()}
    assert best <= set(map(tuple, again.tolist()))
    assert len(set(map(tuple, again.tolist()))) == len(again) > len(first)
