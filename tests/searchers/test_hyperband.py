from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TRAINING_LOSS, Evaluation, Prediction, Proposal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.run import search
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.hyperband import Hyperband
from surrogate_nas.searchers.lower_budget import LowerBudget
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from tests.searchers.toys import Linear, ToySpace, additive
from tests.tables import toy_task

SPACE = ToySpace((5,) * 5)
BUDGETS = (3, 10, 30)
VALUE = additive(SPACE, 0)


def answer(proposal: Proposal, error: bool = False) -> Trial:
    if error:
        return Trial(proposal, error="OOM")
    return Trial(proposal, Evaluation((VALUE(proposal.arch),), budget=proposal.budget or 30))


def play(searcher: Hyperband, steps: int, *, failing: int = 0, batch: int = 4) -> list[Trial]:
    done: list[Trial] = []
    while len(done) < steps:
        trials = [
            answer(p, error=bool(failing) and p.number % failing == 0) for p in searcher.ask(batch)
        ]
        searcher.tell(trials)
        done += trials
    return done


@pytest.mark.parametrize(
    ("budgets", "rungs"),
    [
        ((12, 200), (12, 200)),
        (range(1, 101), (1, 3, 11, 33, 100)),
        ((90, 100), (None,)),
        ((50,), (None,)),
        ((), (None,)),
    ],
)
def test_budgets_grow_geometrically(budgets: tuple[int, ...], rungs: tuple[int, ...]) -> None:
    assert Hyperband(SPACE, budgets=budgets).rungs == rungs


@pytest.mark.parametrize("failing", [0, 3])
def test_no_architecture_comes_twice_at_one_budget(failing: int) -> None:
    done = play(Hyperband(SPACE, seed=1, budgets=BUDGETS), 300, failing=failing)
    asked = [(t.arch, t.proposal.budget) for t in done]
    assert len(set(asked)) == len(asked)
    assert {budget for _, budget in asked} == set(BUDGETS)


def test_brackets_cost_the_same_and_a_failure_ends_an_architecture() -> None:
    done = play(Hyperband(SPACE, seed=1, budgets=BUDGETS), 300, failing=3)
    cost: dict[int, int] = defaultdict(int)
    first: dict[Architecture, int] = {}
    failed: set[Architecture] = set()
    for trial in done:
        assert trial.arch not in failed
        budget = trial.proposal.budget or 0
        cost[first.setdefault(trial.arch, budget)] += budget
        if trial.error:
            failed.add(trial.arch)
    assert sorted(cost) == list(BUDGETS)
    assert max(cost.values()) - min(cost.values()) <= 2 * max(BUDGETS)


def test_the_best_go_on_and_each_budget_costs_the_same() -> None:
    searcher = Hyperband(SPACE, seed=2, budgets=(10, 100))
    done = play(searcher, 400, batch=1)
    small = [t for t in done if t.proposal.budget == 10]
    started = {t.arch for t in small}
    promoted = [t.arch for t in done if t.proposal.budget == 100 and t.arch in started]
    assert len(promoted) == pytest.approx(len(small) / 10, rel=0.2)
    best = sorted(started, key=VALUE, reverse=True)
    assert set(best[: len(promoted) // 2]) <= set(promoted)
    assert min(map(VALUE, promoted)) > np.median([VALUE(a) for a in started])


def test_results_may_be_late_missing_or_unasked() -> None:
    searcher = Hyperband(SPACE, seed=3, budgets=BUDGETS)
    rng = np.random.default_rng(0)
    strangers = [SPACE.sample(rng) for _ in range(6)]
    for number, arch in enumerate(
        strangers
    ):  # without a budget of their proposal, or a strange one
        evaluation = Evaluation((VALUE(arch),), budget=(3, 30, 7)[number % 3])
        searcher.tell([Trial(Proposal(100 + number, arch), evaluation)])
    asked: list[tuple[Architecture, int | None]] = []
    pending: list[Proposal] = []
    for _ in range(150):
        proposals = searcher.ask(2)
        asked += [(p.arch, p.budget) for p in proposals]
        pending += proposals
        rng.shuffle(pending)
        searcher.tell([answer(p) for p in pending[:1]])
        pending = pending[1:]
    assert len(set(asked)) == len(asked)
    # Those at 3 may go on, and none starts again.
    assert not {(arch, 3) for arch in strangers} & set(asked)
    assert (max(strangers[::3], key=VALUE), 10) in asked


@pytest.mark.parametrize("guide", [None, "linear"])
def test_inner_searchers_are_named_after_a_colon(guide: str | None) -> None:
    predictor = Linear() if guide else None
    searcher = make_searcher(
        "hyperband:evolution", SPACE, seed=0, predictor=predictor, budgets=BUDGETS
    )
    assert isinstance(searcher, Hyperband)
    guided = [inner for inner in searcher.inner if isinstance(inner, Guided)]
    assert len(guided) == (3 if guide else 0)
    assert len({id(inner.predictor) for inner in guided}) == len(guided), "each learns alone"
    plain = [inner.inner if isinstance(inner, Guided) else inner for inner in searcher.inner]
    assert all(isinstance(inner, RegularizedEvolution) for inner in plain)
    play(searcher, 150)


@pytest.mark.parametrize("arguments", [{"eta": 1.0}, {"budgets": (0, 3)}])
def test_bad_settings(arguments: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        Hyperband(SPACE, **arguments)  # type: ignore[arg-type]


# In the loop ----------------------------------------------------------------------------------


def whole(task: TabularTask, trials: int, batch: int, workers: int = 1) -> SearchResult:
    searcher = make_searcher("hyperband", task.space, seed=5, budgets=task.budgets)
    return search(searcher, task, trials=trials, batch=batch, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_trials_are_a_cost(workers: int) -> None:
    result = whole(toy_task(budgets=(10, 100)), 12, batch=4, workers=workers)
    assert 1200 - 100 < result.costs[-1] <= 1200
    assert len(result.trials) > 30
    assert result.best is not None
    assert result.best.evaluation is not None
    assert result.best.evaluation.budget == 100


def test_it_finds_more_at_the_same_cost() -> None:
    ranks: dict[str, list[int]] = {"hyperband": [], "random": []}
    for task in map(toy_task, ("easy", "hard", "third")):
        for seed in range(15):
            for method, found in ranks.items():
                searcher = make_searcher(method, task.space, seed=seed, budgets=task.budgets)
                value = search(searcher, task, trials=15).value
                found.append(len(task) if value is None else task.rank(value))
    assert np.mean(ranks["hyperband"]) < 0.7 * np.mean(ranks["random"])


def test_a_stored_search_goes_on(tmp_path: Path) -> None:
    task = toy_task()
    expected = [(t.arch, t.evaluation) for t in whole(task, 15, batch=3).trials]
    for trials in (4, 9, 15):
        storage = open_storage(str(tmp_path / "run.journal"))
        stored = Stored(task, storage, name="hyperband", settings={})
        before = len(stored.known)
        searcher = make_searcher("hyperband", task.space, seed=5, budgets=task.budgets)
        result = search(searcher, stored, trials=trials, batch=3)
        assert before < len(result.trials)
    assert [(t.arch, t.evaluation) for t in result.trials] == expected


# Guides that learn from smaller budgets ----------------------------------------------------------


def _guided(seed: int) -> Hyperband:
    searcher = make_searcher(
        "hyperband:random", SPACE, seed=seed, budgets=(3, 30), predictor=Linear()
    )
    assert isinstance(searcher, Hyperband)
    return searcher


def test_a_larger_budget_learns_from_the_smaller_one() -> None:
    """What is learnt of 30 epochs after one such training is the order of many short ones."""
    searcher = _guided(0)
    low, high = searcher.inner
    assert isinstance(low, Guided)
    assert isinstance(high, Guided)
    number = 0

    def tell(arch: Architecture, budget: int) -> None:
        nonlocal number
        found = Evaluation((VALUE(arch),), budget=budget)
        searcher.tell([Trial(Proposal(number, arch, budget), found)])
        number += 1

    rng = np.random.default_rng(0)
    archs = [SPACE.sample(rng) for _ in range(90)]
    for arch in archs[:60]:
        tell(arch, 3)
    low.ask(1)
    trusted = [high.trusted]
    tell(archs[60], 30)
    assert [*trusted, high.trusted] == [False, True]
    expected = high.expected(archs)
    assert np.corrcoef(expected, [VALUE(arch) for arch in archs])[0, 1] > 0.9
    best = max(dict.fromkeys(archs[:60]), key=VALUE)
    results: dict[Architecture, tuple[float, ...]] = {a: (VALUE(a),) for a in archs[:60]}
    assert searcher._promoted_next(0, results, due=1) == best
    searcher._promoted.add((1, best))  # no other is due
    assert searcher._promoted_next(0, results, due=1) is None
    assert searcher._promoted_next(0, results, due=2) not in (None, best)


def test_two_budgets_are_joined_by_their_precisions() -> None:
    """Without pairs that disagree, the mean is that of two Gaussians, and so is the deviation."""

    class Lower(Linear):
        def predict(self, choices: IntArray) -> Prediction:
            return Prediction(choices[:, 0] * 1.0, np.ones(len(choices)))

    guide = Guided(RegularizedEvolution(SPACE, seed=0), Lower())
    choices = np.array([[0, 0, 0, 0, 0], [4, 0, 0, 0, 0]])
    scores = np.array([-1.4, 1.4])  # on the line that is expected, through the origin at 2
    own = Prediction(np.array([3.0, 3.0]), np.array([0.5, 2.0]))
    joined = LowerBudget(guide).joined(own, choices, choices, scores)
    variance = 4 * 0.6 / 6
    line = -0.7 * 2 * 2 / 6 + 0.7 * choices[:, 0]
    weight = own.std**-2
    expected = (weight * 3 + line / variance) / (weight + 1 / variance)
    np.testing.assert_allclose(joined.mean, expected)
    np.testing.assert_allclose(joined.std, (weight + 1 / variance) ** -0.5)


def test_short_trainings_are_judged_by_their_loss() -> None:
    searcher = _guided(1)
    rng = np.random.default_rng(1)
    archs = list(dict.fromkeys(SPACE.sample(rng) for _ in range(12)))
    for number, arch in enumerate(archs):  # the accuracy is the wrong way round
        metrics = {TRAINING_LOSS: -VALUE(arch)}
        found = Evaluation((-VALUE(arch),), budget=3, metrics=metrics)
        searcher.tell([Trial(Proposal(number, arch, 3), found)])
    proposals = searcher.ask(3)
    promoted = [proposal.arch for proposal in proposals if proposal.arch in archs]
    assert promoted == [max(archs, key=VALUE)]
