from __future__ import annotations

import functools
import itertools
import math
from typing import Any, Self

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation, Objective, Prediction, Proposal, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import Linear, ToySpace, additive, run, succeed

SMALL = ToySpace((5,) * 5)
LARGE = ToySpace((8,) * 6)


class Recorder(Predictor):
    """Keeps what it is fitted to; predicts the sum of the choices with one std for all."""

    def __init__(self) -> None:
        self.data: list[TaskData] = []
        self.asked: list[IntArray] = []

    def fit(self, data: TaskData) -> Self:
        self.data.append(data)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        self.asked.append(choices)
        return Prediction(np.asarray(choices).sum(axis=1) * 1.0, np.ones(len(choices)))


def total(arch: Architecture) -> float:
    return float(sum(arch.choices))


@pytest.mark.parametrize("space", [SMALL, LARGE])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_guide_beats_random_search_by_far(space: ToySpace, batch: int) -> None:
    guided, plain = [], []
    for seed in range(5):
        function = additive(space, seed)
        searcher = Guided(RandomSearch(space, seed=seed), Linear(), seed=seed)
        guided.append(max(map(function, run(searcher, function, 50, batch=batch))))
        other = RandomSearch(space, seed=seed)
        plain.append(max(map(function, run(other, function, 500))))
    assert np.median(np.subtract(guided, plain)) >= 0, "it needs ten times as many trials"


def test_the_inner_searcher_proposes_until_enough_is_known() -> None:
    predictor = Recorder()
    searcher = Guided(RandomSearch(SMALL, seed=4), predictor, initial=6)
    plain = RandomSearch(SMALL, seed=4)
    run(searcher, total, 6)
    assert not predictor.data
    assert [p.arch for p in plain.ask(6)] == [
        Architecture("toy", tuple(row)) for row in _fitted(searcher, predictor).choices.tolist()
    ]


def _fitted(searcher: Searcher, predictor: Recorder) -> TaskData:
    searcher.ask()
    return predictor.data[-1]


def test_the_predicted_best_comes_first() -> None:
    searcher = Guided(RandomSearch(SMALL, seed=4), Recorder(), initial=6)
    run(searcher, total, 6)
    assert searcher.ask()[0].arch.choices == (4, 4, 4, 4, 4)


def test_it_is_fitted_once_for_several_proposals() -> None:
    for batch, every in ((1, 5), (5, 5), (3, 4), (20, 10)):
        predictor = Linear()
        searcher = Guided(RandomSearch(SMALL), predictor, initial=10, refit_every=every)
        run(searcher, additive(SMALL, 0), 10)
        run(searcher, additive(SMALL, 0), 60, batch=batch)
        assert 48 / every <= predictor.fits  # 12 are the inner searcher's own
        assert predictor.fits <= 60 / every + 60 / batch


def test_pending_proposals_count_with_their_prediction() -> None:
    predictor = Recorder()
    searcher = Guided(RandomSearch(SMALL, seed=4), predictor, initial=6, refit_every=3)
    run(searcher, total, 6)
    pending = searcher.ask(3)
    searcher.ask()
    data = predictor.data[-1]
    rows = {tuple(c): v for c, v in zip(data.choices.tolist(), data.values, strict=True)}
    assert len(rows) == 9
    for proposal in pending:
        assert rows[proposal.arch.choices] == total(proposal.arch)
    # A result replaces the belief.
    searcher.tell([Trial(p, Evaluation((-7.0,))) for p in pending])
    searcher.ask(3)
    data = predictor.data[-1]
    rows = {tuple(c): v for c, v in zip(data.choices.tolist(), data.values, strict=True)}
    assert len({rows[p.arch.choices] for p in pending}) == 1
    assert rows[pending[0].arch.choices] == min(data.values) < 0


def test_failed_trials_count_as_the_worst_value() -> None:
    predictor = Recorder()
    searcher = Guided(RandomSearch(SMALL, seed=4), predictor, initial=6)
    run(searcher, total, 6)
    strange = SMALL.architecture(np.array([4, 4, 4, 4, 4]))
    searcher.tell([Trial(Proposal(50, strange), error="OOM")])
    data = _fitted(searcher, predictor)
    failed = (data.choices == 4).all(axis=1)
    assert data.values[failed].tolist() == [data.values[~failed].min()]
    searcher.tell([Trial(Proposal(50, strange), Evaluation((total(strange),)))])
    searcher.ask(8)
    data = predictor.data[-1]
    assert data.choices[data.values[:7].argmax()].tolist() == [4] * 5, "it succeeded in the end"


def test_all_architectures_are_compared_where_they_can_be_listed() -> None:
    predictor = Recorder()
    searcher = Guided(RandomSearch(SMALL, seed=4), predictor, initial=6)
    run(searcher, total, 6)
    searcher.ask()
    assert len(predictor.asked[-1]) == SMALL.size


def test_candidates_of_a_large_space_come_from_the_inner_search_and_the_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[IntArray] = []
    predict = DecisionProcess.predict

    def noted(process: DecisionProcess, choices: IntArray) -> Prediction:
        compared.append(choices)
        return predict(process, choices)

    monkeypatch.setattr(DecisionProcess, "predict", noted)
    predictor = Recorder()
    inner = RegularizedEvolution(LARGE, seed=1)
    searcher = Guided(inner, predictor, initial=30, steps=200)
    known = run(searcher, total, 30)
    predictor.asked.clear()
    chosen = searcher.ask()[0].arch
    candidates = {tuple(row) for asked in compared for row in asked.tolist()}
    assert 200 <= len(candidates) < 1000
    best = max(known, key=total)
    near = {tuple(row) for row in LARGE.neighbour_choices(np.array([best.choices])).tolist()}
    assert near - {arch.choices for arch in known} <= candidates
    # The fork climbed on the predictions, and the predictor compared the most promising alone.
    *visited, judged = predictor.asked
    assert sum(map(len, visited)) == 200
    assert max(row.sum() for asked in visited for row in asked) > total(best) + 1
    assert len(judged) == 30
    assert chosen.choices in set(map(tuple, judged.tolist()))


@pytest.mark.parametrize(("every", "fits"), [(1, 30), (4, 8)])
def test_a_process_learns_at_each_proposal_and_its_predictor_every_few(
    every: int, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[int] = []
    fit = DecisionProcess.fit

    def noted(process: DecisionProcess, choices: IntArray, scores: FloatArray) -> None:
        learnt.append(len(choices))
        fit(process, choices, scores)

    monkeypatch.setattr(DecisionProcess, "fit", noted)
    predictor = Counting()
    inner = RandomSearch(LARGE, seed=0)
    searcher = Guided(inner, predictor, initial=10, refit_every=every, inner_every=0, steps=10)
    run(searcher, additive(LARGE, 0), 40)
    assert learnt == list(range(10, 40))
    assert len(predictor.data) == fits
    assert [len(data) for data in predictor.data] == list(range(10, 40, every))


def test_a_fork_of_a_guided_search_does_not_refit_its_guide() -> None:
    searcher = Guided(RandomSearch(SMALL, seed=4), Linear())
    function = additive(SMALL, 1)
    run(searcher, function, 30)
    predictor = searcher.predictor
    assert isinstance(predictor, Linear)
    before = predictor.fits
    expected = predictor.predict(SMALL.unique()).mean
    run(searcher.fork(), lambda arch: -function(arch), 20)
    assert predictor.fits == before
    np.testing.assert_array_equal(predictor.predict(SMALL.unique()).mean, expected)


@pytest.mark.parametrize(
    "arguments", [{"initial": 1}, {"refit_every": 0}, {"steps": 0}, {"labels": 1}]
)
def test_bad_settings(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{next(iter(arguments))} must be"):
        Guided(RandomSearch(SMALL), Linear(), **arguments)


def test_a_predicted_objective_answers_with_the_mean() -> None:
    predictor = Linear().fit(
        TaskData("t", SMALL, SMALL.unique(), np.array([sum(c) for c in SMALL.unique()]) * 1.0)
    )
    objective: Objective = PredictedObjective(SMALL, predictor)
    arch = SMALL.architecture(np.array([1, 2, 3, 0, 4]))
    assert objective.evaluate(arch).value == pytest.approx(10.0, abs=0.1)
    trial = succeed(Proposal(0, arch), lambda a: objective.evaluate(a).value)
    assert trial.evaluation is not None


@pytest.mark.parametrize(("inner_every", "expected"), [(5, 8), (2, 20), (0, 0)])
def test_every_few_proposals_are_the_inner_searchers_own(inner_every: int, expected: int) -> None:
    class Counted(RandomSearch):
        asked = 0

        def ask(self, n: int = 1) -> list[Proposal]:
            self.asked += n
            return super().ask(n)

    inner = Counted(SMALL)
    searcher = Guided(inner, Linear(), initial=10, inner_every=inner_every)
    run(searcher, additive(SMALL, 0), 10)
    before = inner.asked
    run(searcher, additive(SMALL, 0), 40)
    assert inner.asked - before == pytest.approx(expected, abs=1)


class Counting(Recorder):
    """Keeps complete fits and updates apart."""

    def __init__(self) -> None:
        super().__init__()
        self.fitted: list[int] = []
        self.updated: list[TaskData] = []

    def fit(self, data: TaskData) -> Self:
        self.fitted.append(len(data))
        return super().fit(data)

    def update(self, data: TaskData) -> Self:
        self.updated.append(data)
        self.data.append(data)
        return self


def test_it_is_fitted_anew_when_there_is_a_third_more() -> None:
    predictor = Counting()
    searcher = Guided(RandomSearch(SMALL), predictor, initial=9, refit_every=1, inner_every=0)
    run(searcher, total, 40)
    assert predictor.fitted == [9, 12, 16, 22, 30]
    assert [len(data) for data in predictor.data] == list(range(9, 40))
    for before, after in itertools.pairwise(predictor.updated):
        if len(after) == len(before) + 1:  # rows stay where they are, new ones come last
            np.testing.assert_array_equal(after.choices[:-1], before.choices)


def test_of_many_trials_it_learns_from_the_best_and_some_others() -> None:
    predictor = Counting()
    searcher = Guided(
        RandomSearch(SMALL), predictor, initial=9, refit_every=1, inner_every=2, labels=40
    )
    known = run(searcher, total, 300)
    assert max(predictor.fitted) == 40
    assert max(map(len, predictor.data)) <= 54
    rows = {tuple(row) for row in predictor.data[-1].choices.tolist()}
    values = sorted(known[: -len(rows)], key=total, reverse=True)
    assert {arch.choices for arch in values if total(arch) > total(values[19])} <= rows
    assert sum(total(Architecture("toy", row)) < total(values[50]) for row in rows) > 5


def _stretched(scale: float, arch: Architecture) -> float:
    return math.exp(total(arch) / 3) * scale - 5


def test_units_and_outliers_do_not_matter_to_the_predictor() -> None:
    scores = []
    for scale in (1.0, 1e4):
        predictor = Recorder()
        searcher = Guided(RandomSearch(SMALL, seed=4), predictor, initial=20)
        function = functools.partial(_stretched, scale)
        run(searcher, function, 20)
        scores.append(_fitted(searcher, predictor).values)
    np.testing.assert_allclose(scores[0], scores[1])
    assert scores[0].mean() == pytest.approx(0, abs=1e-6)
    assert 0.5 < scores[0].std() <= 1
    assert np.abs(scores[0]).max() < 4


class Split(Recorder):
    """One architecture has the larger mean, all others are in doubt."""

    conditions = True
    sure = (0, 1, 2, 3, 4)

    def predict(self, choices: IntArray) -> Prediction:
        sure = (np.asarray(choices) == self.sure).all(axis=1)
        return Prediction(np.where(sure, 1.0, 0.0), np.where(sure, 1e-9, 1.0))


@pytest.mark.parametrize(("exploration", "explores"), [(1.01, True), (0.99, False)])
def test_it_explores_by_standard_deviations(exploration: float, explores: bool) -> None:
    searcher = Guided(RandomSearch(SMALL, seed=4), Split(), initial=5, exploration=exploration)
    run(searcher, total, 5)
    assert (searcher.ask()[0].arch.choices != Split.sure) == explores


def test_a_predictor_that_conditions_learns_each_result_at_once() -> None:
    class Conditions(Counting):
        conditions = True

    predictor = Conditions()
    searcher = Guided(RandomSearch(SMALL), predictor)
    run(searcher, total, 20)
    sizes = [len(data) for data in predictor.data]
    assert sizes == list(range(5, 20)), "from the sixth trial on, without the inner searcher's"
    searcher.ask(3)
    assert [len(data) for data in predictor.data[-3:]] == [20, 21, 22], "beliefs count"


class Prior(Recorder):
    """Knows the sum before it is told anything; the most doubtful is the worst."""

    has_prior = True
    conditions = True

    def predict(self, choices: IntArray) -> Prediction:
        mean = super().predict(choices).mean
        return Prediction(mean, 20.0 - mean)


def test_a_prior_proposes_first_what_it_finds_best_and_spreads_a_batch() -> None:
    predictor = Prior()
    searcher = Guided(RandomSearch(SMALL, seed=4), predictor)
    first = [proposal.arch.choices for proposal in searcher.ask(5)]
    assert not predictor.data
    assert first[0] == (4, 4, 4, 4, 4)
    assert [sum(choices) for choices in first[1:]] == [18] * 4
    for one, other in itertools.combinations(first, 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) > 1


class Noisy(Prior):
    """Where the first choice is 0, measurements are noisy; where it is 1, little is known."""

    def predict(self, choices: IntArray) -> Prediction:
        first = np.asarray(choices)[:, 0]
        epistemic = np.where(first == 1, 2.0, 1e-3)
        return Prediction(np.zeros(len(first)), np.where(first == 0, 50.0, epistemic), epistemic)


def test_ten_proposals_of_a_prior_are_where_its_knowledge_ends() -> None:
    searcher = Guided(RandomSearch(SMALL, seed=4), Noisy())
    told = run(searcher, total, 20)
    assert {arch.choices[0] for arch in told[1:10]} == {1}
    assert {arch.choices[0] for arch in told[10:]} == {0}


def test_a_wished_acquisition_function_is_used_throughout() -> None:
    searcher = Guided(RandomSearch(SMALL, seed=4), Noisy(), acquisition="ucb")
    assert {arch.choices[0] for arch in run(searcher, total, 20)[1:]} == {0}


@pytest.mark.parametrize("exploration", [-1.0, math.inf, math.nan])
def test_exploration_is_finite(exploration: float) -> None:
    with pytest.raises(InvalidArgumentError, match="exploration must be 0 or larger"):
        Guided(RandomSearch(SMALL), Linear(), exploration=exploration)
