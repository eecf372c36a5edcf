from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Goal, Proposal, Trial
from surrogate_nas.records import SearchResult, standing
from surrogate_nas.run import search
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import ToySpace
from tests.tables import SIZES, LoggedTask, toy_task

SPACE = ToySpace(SIZES)


class Listed(Searcher):
    """Proposes every architecture in its order, and keeps what it is told."""

    def __init__(self, space: ToySpace, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self.asked = 0
        self.told: list[Trial] = []
        self.batches: list[int] = []

    def ask(self, n: int = 1) -> list[Proposal]:
        self.batches.append(n)
        return super().ask(n)

    def _candidate(self) -> Architecture:
        rows = self.space.all_choices()
        self.asked += 1
        return self.space.architecture(rows[min(self.asked, len(rows)) - 1])

    def _observe(self, trial: Trial) -> None:
        self.told.append(trial)


def number(arch: Architecture) -> int:
    return int(SPACE.index(np.array([arch.choices]))[0])


class Diverging:
    """Values are the numbers of the architectures; some evaluations fail."""

    space = SPACE
    goals = (Goal("score"),)

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        if number(arch) % 5 == 0:
            raise MemoryError("out of memory")
        value = math.nan if number(arch) % 5 == 1 else float(number(arch))
        return Evaluation((value,), cost=2.0, budget=budget or 7, hidden={"score": -value})


def test_failures_are_trials() -> None:
    searcher = Listed(SPACE)
    result = search(searcher, Diverging(), trials=10)
    assert [number(t.arch) for t in result.trials] == list(range(1, 11))
    failed = {number(t.arch): t.error or "" for t in result.trials if t.error}
    assert sorted(failed) == [1, 5, 6, 10]
    assert failed[5] == "MemoryError: out of memory"
    assert "finite" in failed[1]
    assert len(searcher.told) == 10
    assert np.isnan(result.curve[0])
    assert result.curve[1:].tolist() == [2, 3, 4, 4, 4, 7, 8, 9, 9]
    assert result.costs.tolist() == [0, 2, 4, 6, 6, 6, 8, 10, 12, 12]
    assert result.value == 9


def test_a_mistake_of_the_user_ends_the_search() -> None:
    def lost(arch: Architecture) -> float:
        raise UnknownNameError("task", "x", ["y"])

    with pytest.raises(UnknownNameError):
        search(Listed(SPACE), FunctionObjective(SPACE, lost), trials=3)


@pytest.mark.parametrize("workers", [1, 2])
def test_searchers_never_see_hidden_metrics(workers: int) -> None:
    searcher = Listed(SPACE)
    result = search(searcher, toy_task(), trials=6, workers=workers)
    assert all(t.evaluation is not None and not t.evaluation.hidden for t in searcher.told)
    assert all(t.evaluation is not None and t.evaluation.hidden for t in result.trials)


def test_batches_are_asked_whole_and_told_together() -> None:
    searcher = Listed(SPACE)
    seen: list[int] = []
    search(
        searcher,
        Diverging(),
        trials=7,
        batch=3,
        callbacks=[lambda t: seen.append(len(searcher.told))],
    )
    assert searcher.batches == [3, 3, 3]
    assert seen == [0, 0, 0, 3, 3, 3, 6]
    assert len(searcher.told) == 7


def test_a_used_up_space_ends_the_search() -> None:
    class Tired(Listed):
        def _fresh(self) -> Architecture | None:
            return super()._fresh() if self.asked < 4 else None

    result = search(Tired(SPACE), Diverging(), trials=9, batch=2)
    assert (len(result.trials), result.stopped) == (4, "exhausted")
    whole = search(make_searcher("random", SPACE, seed=0), Diverging(), trials=242, batch=10)
    assert (len({t.arch for t in whole.trials}), whole.stopped) == (242, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"trials": -3}, "trials must be at least 1, got -3"),
        ({"trials": 243}, "trials must be at most 242"),
        ({"trials": 5, "batch": 0}, "batch must be at least 1"),
        ({"trials": 5, "workers": 0}, "workers must be at least 1"),
        ({"trials": 5, "budget": 50}, r"budget must be one of those recorded \(10, 100\), got 50"),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    searcher = Listed(SPACE)
    with pytest.raises(InvalidArgumentError, match=message):
        search(searcher, toy_task(), **arguments)  # type: ignore[arg-type]
    assert searcher.batches == []


def test_an_interrupt_keeps_what_is_there() -> None:
    def interrupt(arch: Architecture) -> float:
        if number(arch) == 5:
            raise KeyboardInterrupt
        return 1.0

    result = search(Listed(SPACE), FunctionObjective(SPACE, interrupt), trials=9)
    assert (len(result.trials), result.stopped) == (4, "interrupted")


def test_the_budget_reaches_the_table() -> None:
    task = toy_task()
    result = search(Listed(SPACE), task, trials=3, budget=10)
    assert [t.evaluation.budget for t in result.trials if t.evaluation] == [10, 10, 10]
    assert result.costs.tolist() == [10, 20, 30]
    # Ranks are those of the largest budget only.
    assert standing(task, result.best).rank is None
    assert standing(task, result.best).test is not None


# Results ----------------------------------------------------------------------------------------


def made(values: Sequence[float | None], budgets: Sequence[int] = ()) -> SearchResult:
    trials = []
    for i, value in enumerate(values):
        proposal = Proposal(i, Architecture("toy", (i,)))
        budget = budgets[i] if budgets else 1
        evaluation = None if value is None else Evaluation((value,), budget=budget)
        trials.append(Trial(proposal, evaluation, "failed" if value is None else None))
    return SearchResult(tuple(trials), (Goal("value"),))


def test_incumbents_change_only_on_strictly_better() -> None:
    assert made([1, 1, None, 2, 2, 0]).incumbents == (0, 0, 0, 3, 3, 3)
    assert made([None, None]).incumbent is None
    assert made([]).value is None


def test_incumbents_are_of_the_largest_budget() -> None:
    assert made([9, 1, 8, 2], [1, 3, 1, 3]).incumbents == (None, 1, 1, 3)


def test_standing_counts_strictly_better_rows() -> None:
    task = toy_task("loss", maximise=False)
    order = np.argsort(-task.values, kind="stable")
    space = task.space
    for place in (0, 1, 40, 241):
        arch = space.architecture(task.choices[order[place]])
        found = standing(task, Trial(Proposal(0, arch), task.evaluate(arch)))
        assert found.rank == place + 1
        assert found.percent == pytest.approx(100 * (place + 1) / 242)
        assert found.regret == pytest.approx(task.values.max() - task.values[order[place]])
    assert standing(task, None).rank is None


# Several processes ------------------------------------------------------------------------------


def test_workers_evaluate_everything_once(tmp_path: Path) -> None:
    objective = LoggedTask(toy_task(), tmp_path / "log", seconds=0.02)
    searcher = make_searcher("evolution", objective.space, seed=1)
    told: list[Trial] = []
    result = search(searcher, objective, trials=30, batch=4, workers=2, callbacks=[told.append])
    assert len(result.trials) == 30 == objective.count()
    assert tuple(told) == result.trials
    assert len({t.arch for t in result.trials}) == 30
    assert {t.error for t in result.trials if t.error} <= {"FloatingPointError: diverged"}
    for trial in result.trials:
        assert trial.error or trial.evaluation == objective.task.evaluate(trial.arch)
    assert result.stopped is None


class Placed:
    """Says where it evaluated: the number of its device, -1 for none."""

    space = SPACE
    goals = (Goal("device"),)

    def __init__(self, device: str = "toy:-1") -> None:
        self.device = device

    def devices(self) -> list[str]:
        return ["toy:0", "toy:1", "toy:2"]

    def on(self, device: str) -> Placed:
        return Placed(device)

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        time.sleep(0.05)
        return Evaluation((float(self.device.partition(":")[2]),))


@pytest.mark.parametrize(("workers", "used"), [(2, {0, 1}), (4, {0, 1, 2}), (1, {-1})])
def test_workers_are_spread_over_devices(workers: int, used: set[int]) -> None:
    result = search(Listed(SPACE), Placed(), trials=12, workers=workers)
    assert {trial.value for trial in result.trials} == used


def test_workers_use_up_a_space() -> None:
    small = toy_task()
    searcher = make_searcher("random", small.space, seed=0)
    result = search(searcher, small, trials=242, batch=10, workers=2)
    assert len({t.arch for t in result.trials}) == 242


class Crashing(Diverging):
    """Kills its process now and then, as a system without memory does."""

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        if number(arch) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return Evaluation((float(number(arch)),))


def test_a_crash_is_one_failed_trial() -> None:
    result = search(Listed(SPACE), Crashing(), trials=6, workers=2)
    failed = [(number(t.arch), t.error) for t in result.trials if t.error]
    died = "BrokenProcessPool: the process that evaluated it was ended by SIGKILL"
    reason = f"{died}, perhaps for want of memory"
    assert failed == [(3, reason)]
    assert len(result.trials) == 6


class Stuck(Diverging):
    """Takes very long from the fifth architecture on."""

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        if number(arch) > 4:
            time.sleep(100)
        return Evaluation((float(number(arch)),))


def test_an_interrupt_ends_the_workers_too() -> None:
    done: list[Trial] = []

    def interrupt(trial: Trial) -> None:
        done.append(trial)
        if len(done) == 4:
            raise KeyboardInterrupt

    start = time.perf_counter()
    result = search(Listed(SPACE), Stuck(), trials=9, workers=2, callbacks=[interrupt])
    assert (len(result.trials), result.stopped) == (4, "interrupted")
    while active_children():
        assert time.perf_counter() - start < 60
        time.sleep(0.05)


def test_what_cannot_be_sent_is_refused() -> None:
    objective = FunctionObjective(SPACE, lambda arch: 1.0)
    with pytest.raises(InvalidArgumentError, match="workers must be 1"):
        search(Listed(SPACE), objective, trials=3, workers=2)
