"""That guides notice when they stall, and when they repeat a measurement."""

from __future__ import annotations

import itertools
from typing import Self

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.evaluation import Prediction, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.stalls import RepeatedNetworks, Stall
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.custom import define_space
from tests.searchers.toys import run

CELLS = open_space("transnas-micro").with_isomorphs("separate")
OWN = define_space("own", [Decision.categorical(f"d{i}", "abcde") for i in range(4)])


def _factors(stall: Stall) -> tuple[float, float]:
    """Of the next two plans, the wider last."""
    stall.next_plan()
    first = stall.factor
    stall.next_plan()
    return min(first, stall.factor), max(first, stall.factor)


def test_every_other_plan_explores_wider_until_there_is_a_gain() -> None:
    stall = Stall()
    assert _factors(stall) == (1, 1)
    stall.observe(2.0, guided=True)
    wide = []
    for value in [1.0, None, 2.0] + [0.0] * 100:
        stall.propose()
        stall.observe(value, guided=True)
        usual, wider = _factors(stall)
        assert usual == 1
        wide.append(wider)
    assert wide[:22] == pytest.approx([1.0] * 20 + [1.1, 1.2])
    assert wide == sorted(wide)
    assert wide[-1] == wide[-2] == 4
    stall.observe(1.0, guided=False)
    assert _factors(stall) == (1, 4)
    stall.observe(2.5, guided=False)
    assert _factors(stall) == (1, 1)


def test_a_batch_counts_once() -> None:
    one, batches = Stall(), Stall()
    for _ in range(30):
        one.propose()
        one.observe(0.0, guided=True)
        for _ in range(5):
            batches.propose()
        for _ in range(5):
            batches.observe(0.0, guided=True)
    assert batches.without_gain == one.without_gain == 29


def test_only_proposals_of_the_guide_count() -> None:
    stall = Stall()
    for value in [5.0, 4.0, None, 3.0] * 20:
        stall.observe(value, guided=False)
    assert _factors(stall) == (1, 1)


def _groups() -> list[list[Architecture]]:
    """Encodings of equal networks, by brute force; the largest groups first."""
    found: dict[Architecture, list[Architecture]] = {}
    for row in CELLS.unique()[:1500]:
        arch = CELLS.architecture(row)
        found.setdefault(CELLS.canonical(arch), []).append(arch)
    return sorted(found.values(), key=len, reverse=True)


def test_encodings_of_measured_networks_are_found_once_repetitions_were_equal() -> None:
    first, second, third, *_ = _groups()
    repeats = RepeatedNetworks(CELLS)

    def found() -> set[tuple[int, ...]]:
        choices = CELLS.unique()
        return set(map(tuple, choices[repeats.among(choices)].tolist()))

    repeats.observe(first[0], 1.0)
    repeats.observe(first[0], 1.0)  # the same one told again is no repetition
    repeats.observe(first[1], 1.0)
    repeats.observe(third[0], 5.0)
    assert not found(), "one repetition may be equal by luck"
    repeats.observe(second[0], 3.0)
    repeats.observe(second[1], 3.0)
    networks = {CELLS.canonical(group[0]) for group in (first, second, third)}
    every = [CELLS.architecture(row) for row in CELLS.unique()]
    assert found() == {arch.choices for arch in every if CELLS.canonical(arch) in networks}
    repeats.observe(third[1], 5.5)
    assert not found(), "trainings differ here, so another one may be better"
    repeats.observe(third[1], 5.0)  # a corrected value
    assert found()


def test_where_isomorphs_are_merged_nothing_is_a_repetition() -> None:
    merged = CELLS.with_isomorphs("merged")
    repeats = RepeatedNetworks(merged)
    for row in merged.unique()[:20]:
        repeats.observe(merged.architecture(row), 1.0)
    assert not repeats.among(merged.unique()).any()


def test_a_guide_measures_no_network_again_whose_repetitions_were_equal() -> None:
    def value(arch: Architecture) -> float:
        return float(sum(3**-i * c for i, c in enumerate(CELLS.canonical(arch).choices)))

    searcher = Guided(RegularizedEvolution(CELLS, seed=0), GaussianProcess(), seed=1)
    networks = [CELLS.canonical(arch) for arch in run(searcher, value, 60)]
    repeated = [i for i, network in enumerate(networks) if network in networks[:i]]
    assert len(repeated) <= 2


def test_encodings_of_measured_networks_are_proposed_where_nothing_else_is_left() -> None:
    group = _groups()[0]
    rest = CELLS.restricted(np.array([arch.choices for arch in group]))
    searcher = Guided(RegularizedEvolution(rest, seed=0), GaussianProcess(), seed=1)
    assert len(set(run(searcher, lambda arch: 1.0, len(group)))) == len(group)


def _trap(space: SearchSpace, seed: int) -> dict[Architecture, float]:
    """A wide slope that leads away from a high, narrow peak."""
    rng = np.random.default_rng(seed)
    rows = space.unique()
    peak, weights = rows[rng.integers(len(rows))], rng.uniform(0.5, 1.5, rows.shape[1])
    away = (np.abs(rows - peak) * weights).sum(axis=1)
    values = away + np.where((rows != peak).sum(axis=1) <= 1, 60.0, 0.0)
    return dict(zip(map(space.architecture, rows), values.tolist(), strict=True))


class Mistaken(Predictor):
    """Is sure that the sum of the choices counts, but not where the first choice is 0."""

    conditions = True

    def fit(self, data: TaskData) -> Self:
        return self

    def update(self, data: TaskData) -> Self:
        return self

    def predict(self, choices: IntArray) -> Prediction:
        rows = np.asarray(choices)
        return Prediction(rows.sum(axis=1) * 1.0, np.where(rows[:, 0] == 0, 4.0, 0.0))


class MistakenProcess(Mistaken, GaussianProcess):
    """The same, which needs no second process."""


@pytest.mark.parametrize("gains", [False, True])
def test_a_guide_without_gain_goes_where_it_knows_least(gains: bool) -> None:
    count = itertools.count()
    searcher = Guided(RegularizedEvolution(OWN, seed=0), MistakenProcess(), initial=2)
    found = run(searcher, lambda arch: float(next(count)) if gains else 0.0, 120)
    prediction = Mistaken().predict(OWN.unique())
    left = {tuple(row): i for i, row in enumerate(OWN.unique().tolist())}
    for number, arch in enumerate(found):
        since = 0 if gains or number % 2 else number - 2
        widened = min(1 + max(0, since - 20) / 10, 4.0)
        bound = prediction.mean + widened * prediction.std
        if number >= 2:
            assert bound[left[arch.choices]] == max(bound[i] for i in left.values())
        del left[arch.choices]


class Knowing(Mistaken):
    has_prior = True


@pytest.mark.parametrize("gains", [False, True])
def test_every_other_proposal_is_that_of_a_prior_and_all_until_it_stalls(gains: bool) -> None:
    count = itertools.count()
    searcher = Guided(RegularizedEvolution(OWN, seed=0), Knowing(), acquisition="ucb")
    found = run(searcher, lambda arch: float(next(count)) if gains else 0.0, 70)
    prediction = Knowing().predict(OWN.unique())
    left = {tuple(row): i for i, row in enumerate(OWN.unique().tolist())}
    bound = prediction.mean + 1.25 * prediction.std
    of_prior = []
    for arch in found:
        of_prior.append(bound[left[arch.choices]] == max(bound[i] for i in left.values()))
        del left[arch.choices]
    usual = 70 if gains else 52
    assert all(of_prior[1:usual])  # before the first result its mean decides
    assert all(of_prior[usual:][::2]) or all(of_prior[usual:][1::2])
    assert gains or sum(of_prior[usual:]) < 14


class Certain(Knowing):
    def predict(self, choices: IntArray) -> Prediction:
        return Prediction(super().predict(choices).mean, np.full(len(choices), 0.1))


class CertainAnew(Certain):
    has_prior = False


@pytest.mark.parametrize(("certain", "patience"), [(Certain, 50), (CertainAnew, 20)])
def test_a_predictor_that_is_wrong_does_not_stall(certain: type[Certain], patience: int) -> None:
    def against(arch: Architecture) -> float:
        return float(arch.choices.count(0))

    wrong = Guided(RegularizedEvolution(OWN, seed=0), certain(), initial=2)
    found = [arch.choices for arch in run(wrong, against, 120)]
    assert sum(row.count(0) for row in found[:patience]) < 20
    order = np.argsort(-Certain().predict(OWN.unique()).mean, kind="stable")
    assert order.tolist().index(0) > 600, "the prior alone would come to the best last"
    assert (0, 0, 0, 0) in found


def test_a_gain_ends_a_stall_if_it_is_of_a_usual_plan() -> None:
    for turned in (False, True):
        stall = Stall(5)
        for value in [1.0] + [0.0] * 8:
            stall.propose()
            stall.observe(value, guided=True)
        plans = []
        for _ in range(2):
            stall.next_plan()
            plans.append(stall.turned)
        assert sorted(plans) == [False, True]
        stall.observe(2.0, guided=True, turned=turned)
        plans = []
        for _ in range(4):
            stall.next_plan()
            plans.append(stall.turned)
        assert sum(plans) == (2 if turned else 0)
        assert stall.factor == 1


def test_a_prior_goes_on_alone_where_all_trials_fail() -> None:
    searcher = Guided(RegularizedEvolution(OWN, seed=0), Certain())
    searcher._stall.patience = 3
    for _ in range(12):
        (proposal,) = searcher.ask()
        searcher.tell([Trial(proposal, error="out of memory")])
    assert searcher._stall.without_gain > 6
    assert searcher._opinions.second is None


def test_a_fork_asks_its_own_second_opinion() -> None:
    def made() -> Guided:
        searcher = Guided(RegularizedEvolution(OWN, seed=0), Knowing(), acquisition="ucb")
        searcher._stall.patience = 4
        run(searcher, lambda arch: 0.0, 14)
        return searcher

    searcher, other = made(), made()
    fork = searcher.fork()
    assert searcher._opinions.second is not None
    assert fork._opinions.second is not None
    assert fork._opinions.second.predictor is not searcher._opinions.second.predictor
    run(fork, lambda arch: 1.0, 6)
    other.fork()
    assert run(other, lambda arch: 0.0, 8) == run(searcher, lambda arch: 0.0, 8)


def test_a_search_that_is_told_what_another_did_goes_on_as_it_does() -> None:
    values = _trap(OWN, 0)

    def made() -> Guided:
        return Guided(RegularizedEvolution(OWN, seed=2), GaussianProcess(), seed=3)

    first, again = made(), made()
    archs = run(first, values.__getitem__, 60, batch=3)
    assert run(again, values.__getitem__, 30, batch=3) == archs[:30]
    run(again.fork(), values.__getitem__, 9, batch=3)
    assert run(again, values.__getitem__, 30, batch=3) == archs[30:]
