from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Goal, Trial
from surrogate_nas.result import SearchResult, standing
from surrogate_nas.run import search
from surrogate_nas.search.factory import make_searcher
from surrogate_nas.search.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from tests.search.toys import ToySpace, additive

SPACE = ToySpace((3, 4, 3))
VALUE = additive(SPACE, 0)
CHOICES = SPACE.all_choices()
VALUES = np.array([VALUE(SPACE.architecture(row)) for row in CHOICES])
TASK = TabularTask("toy", SPACE, CHOICES, VALUES, test=VALUES - 1)


class Spy(RandomSearch):
    def tell(self, trials: Iterable[Trial]) -> None:
        trials = list(trials)
        for trial in trials:
            assert trial.evaluation is None or not trial.evaluation.hidden
        super().tell(trials)


def test_the_searcher_never_sees_the_test_metric() -> None:
    result = search(Spy(SPACE, seed=0), TASK, trials=10, batch=3)
    assert len(result.trials) == 10
    for trial in result.trials:
        assert trial.evaluation is not None
        assert trial.evaluation.hidden["value"] == pytest.approx(trial.evaluation.value - 1)


def test_the_whole_space_holds_the_optimum() -> None:
    result = search(RandomSearch(SPACE, seed=1), TASK, trials=len(CHOICES))
    assert result.value == VALUES.max()
    place = standing(TASK, result.best)
    assert (place.rank, place.regret) == (1, 0.0)
    assert place.test == pytest.approx(VALUES.max() - 1)
    np.testing.assert_array_equal(
        result.curve, np.maximum.accumulate([t.value for t in result.trials])
    )
    assert result.costs[-1] == len(CHOICES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": 5, "batch": 0}, "batch must be at least 1"),
        ({"trials": 5, "workers": 0}, "workers must be at least 1"),
        ({"trials": len(CHOICES) + 1}, f"trials must be at most {len(CHOICES)}"),
        ({"trials": 5, "budget": 7}, "budget must be one of those recorded"),
    ],
)
def test_bad_arguments_are_refused_before_the_start(
    arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        search(RandomSearch(SPACE, seed=0), TASK, **arguments)  # type: ignore[arg-type]


def test_a_failure_is_a_trial() -> None:
    def fragile(arch: Architecture) -> float:
        if arch.choices[0] == 1:
            raise RuntimeError("diverged")
        return VALUE(arch)

    objective = FunctionObjective(SPACE, fragile, goal=Goal("loss", maximise=False))
    result = search(make_searcher("evolution", SPACE, seed=0), objective, trials=30)
    failed = [t for t in result.trials if t.error is not None]
    assert failed
    assert all(t.arch.choices[0] == 1 and t.error == "RuntimeError: diverged" for t in failed)
    done = [VALUE(t.arch) for t in result.trials if t.error is None]
    assert result.value == -min(done)


def test_nothing_but_strictly_better_changes_the_incumbent() -> None:
    archs = [SPACE.architecture(row) for row in CHOICES[:5]]
    from surrogate_nas.evaluation import Proposal

    values = [1.0, 3.0, 3.0, 2.0, 4.0]
    budgets = [9, 9, 9, 9, 3]
    trials = tuple(
        Trial(Proposal(i, a), Evaluation((v,), budget=b))
        for i, (a, v, b) in enumerate(zip(archs, values, budgets, strict=True))
    )
    assert SearchResult(trials, (Goal("value"),)).incumbents == (0, 1, 1, 1, 1)


def test_an_interrupt_keeps_what_is_there() -> None:
    seen = []

    def interrupt(trial: Trial) -> None:
        seen.append(trial)
        if len(seen) == 4:
            raise KeyboardInterrupt

    result = search(RandomSearch(SPACE, seed=0), TASK, trials=20, callbacks=[interrupt])
    assert result.stopped == "interrupted"
    assert list(result.trials) == seen


def test_processes_evaluate_all_and_nothing_twice() -> None:
    result = search(RandomSearch(SPACE, seed=0), TASK, trials=25, workers=2)
    assert len({t.arch for t in result.trials}) == 25
    for trial in result.trials:
        assert trial.value == VALUE(trial.arch)
