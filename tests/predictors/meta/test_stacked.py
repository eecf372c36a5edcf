"""A learner from scratch beside the sources, where these know another space."""

from __future__ import annotations

import copy
import pickle
from functools import cache

import numpy as np
import pytest

from surrogate_nas import open_benchmark
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.stacked import Stacked
from surrogate_nas.predictors.meta.weights import SHIPPED
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.transfer import choose_predictor

RESIDUALS = """
name = "residuals"
graph = "chain"
decisions = 4
options = ["skip", "small", "wide", "large"]
operations.small = {operation = "inverted_residual", kernel = 3, expansion = 3}
operations.wide = {operation = "inverted_residual", kernel = 3, expansion = 6}
operations.large = {operation = "inverted_residual", kernel = 5, expansion = 6}
"""


@cache
def task(name: str) -> TabularTask:
    return open_benchmark("cell-bench").task(name)


def unseen(name: str) -> Predictor:
    """What learnt on NAS-Bench-201."""
    choice = choose_predictor(str(SHIPPED / "cells-nasbench201.safetensors"), task(name))
    return choice.make(task(name).space, 0)


def support(name: str, labels: int, seed: int) -> TaskData:
    return task(name).sample_data(labels, np.random.default_rng(seed))


def tau(predictor: Predictor, name: str) -> float:
    predicted = predictor.predict(task(name).choices)
    return kendall_tau(predicted.mean, task(name).values)


# Alone, the processes of the sources are .09 below on the first and .03 on the second.
@pytest.mark.parametrize("name", ["fashion-mnist-14", "watch"])
def test_many_labels_of_an_unseen_space_are_used_as_well_as_from_scratch(name: str) -> None:
    gains = []
    for seed in range(4):
        data = support(name, 100, seed)
        gains.append(tau(unseen(name).fit(data), name) - tau(GaussianProcess().fit(data), name))
    assert np.mean(gains) > -0.01


def test_few_labels_are_more_with_the_sources() -> None:
    gains = []
    for seed in range(10):
        data = support("digits", 5, seed)
        both = unseen("digits").fit(data), GaussianProcess().fit(data)
        gains.append(tau(both[0], "digits") - tau(both[1], "digits"))
    assert np.mean(gains) > 0.03


def test_intervals_cover() -> None:
    found = []
    for seed in range(4):
        predictor = unseen("digits").fit(support("digits", 50, seed))
        found.append(coverage_90(predictor.predict(task("digits").choices), task("digits").values))
    assert 0.85 < np.mean(found) < 0.95


class Constant(GaussianProcess):
    """Says what it is told to, of rows that are left out and all others."""

    def __init__(self, said: np.ndarray) -> None:
        super().__init__()
        self._said = said

    def fit(self, data: TaskData) -> Constant:
        return self

    def leave_one_out(self) -> tuple[np.ndarray, np.ndarray]:
        return self._said, np.ones(len(self._said))


@pytest.mark.parametrize(("known", "rows"), [(1.0, 10), (0.0, 19)])
@pytest.mark.parametrize("noise", [0.01, 0.7, 3.0])
def test_weights_are_those_of_least_squares(noise: float, known: float, rows: int) -> None:
    data = support("digits", 60, 0)
    rng = np.random.default_rng(1)
    stacked = Stacked(Constant(np.zeros(60)), Constant(np.zeros(60)), known=known)  # type: ignore[arg-type]
    scores = stacked._target(data).values
    first, second = scores + rng.normal(size=60), scores + noise * rng.normal(size=60)
    stacked = Stacked(Constant(first), Constant(second), known=known).fit(data)  # type: ignore[arg-type]
    solution = np.linalg.lstsq((second - first)[:, None], scores - first, rcond=None)[0][0]
    assert stacked._share == pytest.approx((60 * np.clip(solution, 0, 1) + rows) / 80)


def test_without_labels_the_order_is_kept_and_the_width_is_that_of_all_scores() -> None:
    space = CustomSpace(RESIDUALS)
    learner = choose_predictor(str(SHIPPED / "cells.safetensors"), task("digits")).make(space, 0)
    found = learner.predict(space.all_choices())
    transferred = learner._model()._transferred.predict(space.all_choices())  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.argsort(found.mean), np.argsort(transferred.mean))
    # A mixture of what is transferred, a quarter of whose operations the sources know, and of
    # standard normal scores.
    weight = 0.05 + 0.45 / 16
    sampled = np.random.default_rng(0).normal(size=200_000)
    chosen = np.random.default_rng(1).random(200_000) < weight
    for i in (0, 100, 200):
        own = transferred.mean[i] + transferred.std[i] * sampled
        assert found.std[i] == pytest.approx(np.where(chosen, own, sampled).std(), rel=0.01)
        assert found.mean[i] == pytest.approx(weight * transferred.mean[i])


def test_few_labels_of_a_space_with_unknown_operations_are_used_as_well_as_from_scratch() -> None:
    space = CustomSpace(RESIDUALS)
    choices, gains = space.all_choices(), []
    choose = choose_predictor(str(SHIPPED / "cells.safetensors"), task("digits"))
    for seed in range(24):
        rng = np.random.default_rng(seed)
        worth, pairs = rng.normal(size=(4, 4)), rng.normal(size=(3, 4, 4))
        values = worth[np.arange(4), choices].sum(axis=1)
        values += 0.5 * pairs[np.arange(3), choices[:, :-1], choices[:, 1:]].sum(axis=1)
        made_up = TaskData("made up", space, choices, values)
        some = made_up.take(rng.permutation(len(choices))[:5])
        found = [
            p.fit(some).predict(choices).mean for p in (choose.make(space, 0), GaussianProcess())
        ]
        gains.append(kendall_tau(found[0], values) - kendall_tau(found[1], values))
    assert np.mean(gains) > -0.035  # it is -0.052 with weights of one half


def test_equal_values_and_copies() -> None:
    data = support("digits", 12, 0)
    equal = TaskData("equal", data.space, data.choices, np.full(12, 0.5))
    flat = unseen("digits").fit(equal).predict(data.choices)
    assert flat.mean == pytest.approx(0.5, abs=1e-3)
    assert (flat.std > 0).all()
    predictor = unseen("digits").fit(data.take(np.arange(8)))
    before = predictor.predict(data.choices).mean
    other = copy.copy(predictor).update(data)
    assert np.array_equal(predictor.predict(data.choices).mean, before)
    assert not np.array_equal(other.predict(data.choices).mean, before)
    sent = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(sent.predict(data.choices).mean, before)
