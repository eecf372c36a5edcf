"""Screening: short trainings by one searcher, whole ones of the best."""

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import TRAINING_LOSS, Evaluation, Trial
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.screening import Screening
from tests.searchers.toys import Linear, ToySpace, additive

SPACE = ToySpace((5,) * 4)
VALUE = additive(SPACE, 0)
BUDGETS = range(1, 6)


def play(searcher: Screening, steps: int, *, failing: int = 0) -> list[Trial]:
    """Trials whose values of short trainings are noise, and whose losses are not."""
    done: list[Trial] = []
    for number in range(steps):
        try:
            proposal = searcher.ask(1)[0]
        except SpaceExhaustedError:
            break
        if failing and number % failing == 0:
            trial = Trial(proposal, error="OOM")
        else:
            metrics = {TRAINING_LOSS: -VALUE(proposal.arch)} if proposal.budget == 1 else {}
            value = float(hash(proposal.arch) % 97) if proposal.budget == 1 else 0.0
            trial = Trial(
                proposal, Evaluation((value,), budget=proposal.budget or 5, metrics=metrics)
            )
        searcher.tell([trial])
        done.append(trial)
    return done


@pytest.mark.parametrize("guide", [None, Linear()])
def test_the_best_fifth_by_loss_is_trained_wholly(
    guide: Linear | None,
) -> None:
    searcher = make_searcher("screening:evolution", SPACE, seed=3, predictor=guide, budgets=BUDGETS)
    assert isinstance(searcher, Screening)
    done = play(searcher, 120)
    short = [t.arch for t in done if t.proposal.budget == 1]
    whole = [t.arch for t in done if t.proposal.budget == 5]
    assert len(short) + len(whole) == len(done)
    assert len(set(short)) == len(short)
    assert len(set(whole)) == len(whole)
    assert len(short) // 5 <= len(whole) < len(short) / 2
    for at, trial in enumerate(done):
        if trial.proposal.budget == 5:
            seen = [t.arch for t in done[:at] if t.proposal.budget == 1]
            due = sorted(map(VALUE, seen), reverse=True)[len(seen) // 5 - 1]
            assert VALUE(trial.arch) >= due


def test_all_are_trained_wholly_once_all_are_known() -> None:
    small = ToySpace((2,) * 4)
    done = play(Screening(small, seed=0, budgets=(1, 5)), 100, failing=7)
    failed = {t.arch for t in done if t.error}
    whole = {t.arch for t in done if t.proposal.budget == 5}
    assert {t.arch for t in done if t.proposal.budget == 1} == whole | failed
    assert len(whole | failed) == len(small.unique())


def test_a_guide_finds_more_than_random_search() -> None:
    def best(guide: Linear | None) -> float:
        found = []
        for seed in range(4):
            searcher = make_searcher(
                "screening:evolution", SPACE, seed=seed, predictor=guide, budgets=BUDGETS
            )
            assert isinstance(searcher, Screening)
            whole = [t.arch for t in play(searcher, 60) if t.proposal.budget == 5]
            found.append(max(map(VALUE, whole)))
        return float(np.mean(found))

    assert best(Linear()) > best(None)


def test_one_budget_is_that_of_the_inner_searcher() -> None:
    searcher = Screening(SPACE, seed=1, budgets=(5,))
    assert {trial.proposal.budget for trial in play(searcher, 10)} == {None}
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        Screening(SPACE, budgets=(0, 3))
