"""What every registered predictor promises."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, NotFittedError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.registry import PREDICTORS, load
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from tests.predictors.spaces_of_decisions import unknown_space

SPACE = NASBench201Space()
CELLS = SPACE.all_choices()[::7]


QUICK: dict[str, dict[str, int]] = {
    "gnn": {"members": 2, "hidden": 16, "steps": 50},
    "mlp": {"steps": 100},
}


def make(name: str, seed: int = 0) -> Predictor:
    predictor: Predictor = load("predictor", name)(seed=seed, **QUICK.get(name, {}))
    return predictor


def values_of(choices: IntArray, noise: float) -> FloatArray:
    """Accuracy-like numbers: convolutions help, `none` on the direct edge hurts."""
    rng = np.random.default_rng(5)
    clean = (choices == 3).sum(axis=1) + 0.5 * (choices == 2).sum(axis=1)
    clean = clean - 1.5 * (choices[:, 3] == 0) - 0.3 * (choices == 4).sum(axis=1)
    return np.asarray(80 + 2 * clean + noise * rng.normal(size=len(choices)))


def task(n: int, *, seed: int = 0, noise: float = 0.5) -> tuple[TaskData, TaskData]:
    """A support set of n cells, and the rest."""
    data = TaskData("task", SPACE, CELLS, values_of(CELLS, noise))
    order = np.random.default_rng(seed).permutation(len(CELLS))
    return data.take(order[:n]), data.take(order[n:])


@pytest.fixture(params=list(PREDICTORS))
def name(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if not issubclass(load("predictor", name), Predictor):
        pytest.skip("learns across tasks, and has its own tests")
    return name


def test_it_learns_and_its_intervals_hold(name: str) -> None:
    taus, covered = [], []
    for seed in range(4):
        support, rest = task(80, seed=seed)
        prediction = make(name, seed).fit(support).predict(rest.choices)
        assert prediction.mean.shape == prediction.std.shape == (len(rest),)
        assert (prediction.std > 0).all()
        assert np.isfinite(prediction.mean).all()
        taus.append(kendall_tau(prediction.mean, rest.values))
        covered.append(coverage_90(prediction, rest.values))
    assert np.mean(taus) > 0.55
    assert 0.8 < np.mean(covered) < 0.98


def test_what_it_does_not_know_is_less_than_what_a_measurement_may_be(name: str) -> None:
    covered = []
    for seed in range(4):
        support, rest = task(150, seed=seed, noise=1.0)
        prediction = make(name, seed).fit(support).predict(rest.choices)
        if prediction.epistemic is None:
            pytest.skip("does not tell the noise of a measurement from what it does not know")
        assert np.median(prediction.epistemic / prediction.std) < 0.8
        known = dataclasses.replace(prediction, std=prediction.epistemic)
        covered.append(coverage_90(known, values_of(rest.choices, noise=0.0)))
    assert 0.7 < np.mean(covered) < 0.99


def test_more_labels_are_better(name: str) -> None:
    def tau(n: int) -> float:
        support, rest = task(n, seed=1)
        return kendall_tau(make(name).fit(support).predict(rest.choices).mean, rest.values)

    assert tau(300) > tau(15)


_FRESH = """
from tests.contracts.test_predictors import CELLS, make, task
print(make({name!r}, 3).fit(task(30)[0]).predict(CELLS[:50]).mean.tobytes().hex())
"""


def test_same_seed_same_predictions_in_a_fresh_process(name: str) -> None:
    here = make(name, 3).fit(task(30)[0]).predict(CELLS[:50]).mean.tobytes().hex()
    again = make(name, 3).fit(task(30)[0]).predict(CELLS[:50]).mean.tobytes().hex()
    there = subprocess.check_output([sys.executable, "-c", _FRESH.format(name=name)], text=True)
    assert here == again == there.strip()


def test_no_rows_and_lists_of_rows(name: str) -> None:
    fitted = make(name).fit(task(10)[0])
    nothing = fitted.predict(CELLS[:0])
    assert nothing.mean.shape == nothing.std.shape == (0,)
    found = fitted.predict(CELLS[:3].tolist()).mean
    np.testing.assert_allclose(found, fitted.predict(CELLS[:3]).mean)


def test_fit_forgets(name: str) -> None:
    support, _ = task(30)
    other, _ = task(50, seed=9)
    once = make(name).fit(support).predict(CELLS[:40])
    twice = make(name).fit(other).fit(support).predict(CELLS[:40])
    np.testing.assert_array_equal(once.mean, twice.mean)
    np.testing.assert_array_equal(once.std, twice.std)


def test_each_architecture_is_predicted_alone(name: str) -> None:
    fitted = make(name).fit(task(40)[0])
    whole = fitted.predict(CELLS[:60])
    order = np.random.default_rng(0).permutation(60)[:20]
    part = fitted.predict(CELLS[:60][order])
    np.testing.assert_allclose(part.mean, whole.mean[order], rtol=1e-5)
    np.testing.assert_allclose(part.std, whole.std[order], rtol=1e-5)


def test_predictions_follow_the_unit_of_the_values(name: str) -> None:
    support, rest = task(40)
    scaled = TaskData("task", SPACE, support.choices, 100 * support.values - 7)
    a = make(name).fit(support).predict(rest.choices)
    b = make(name).fit(scaled).predict(rest.choices)
    assert kendall_tau(a.mean, b.mean) > 0.95  # rounding breaks ties between splits
    np.testing.assert_allclose(np.median(b.std / a.std), 100, rtol=0.1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_rows(name: str, n: int) -> None:
    support, rest = task(n)
    prediction = make(name).fit(support).predict(rest.choices)
    assert np.isfinite(prediction.mean).all()
    assert (prediction.std > 0).all()
    if n > 1:
        assert prediction.std.max() <= 20 * np.ptp(support.values)


def test_constant_values(name: str) -> None:
    support, rest = task(20)
    flat = TaskData("flat", SPACE, support.choices, np.full(20, 0.7))
    prediction = make(name).fit(flat).predict(rest.choices)
    np.testing.assert_allclose(prediction.mean, 0.7, rtol=1e-6)
    assert (prediction.std > 0).all()


HOSTILE = {
    "nothing that the vocabulary knows": unknown_space({"a": ["x", "y", "z"], "b": ["u", "v"]}),
    "one option of one decision": unknown_space({"a": ["x"], "b": ["u", "v"]}),
    "one option of each decision": unknown_space({"a": ["x"], "b": ["u"]}),
    "equal nodes": unknown_space({"a": ["x", "y"], "b": ["x", "y"]}, {"x": "conv", "y": "conv"}),
    "constant columns": SPACE.restricted(CELLS[:1]),
    "a constant decision": unknown_space({"a": ["x", "y"], "b": ["u", "v"]}).restricted(
        np.array([[0, 0], [0, 1]])
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("constant", [False, True])
def test_spaces_that_show_little(name: str, case: str, n: int, constant: bool) -> None:
    space = HOSTILE[case]
    pool = space.unique()
    rows = pool[np.arange(n) % len(pool)]
    values = np.full(n, 0.3) if constant else np.arange(n) / 10
    data = TaskData("task", space, rows, values)
    predictor = make(name).fit(data)
    for prediction in (predictor.predict(pool), predictor.update(data).predict(pool)):
        assert np.isfinite(prediction.mean).all()
        assert np.isfinite(prediction.std).all()
        assert (prediction.std > 0).all()


def test_bad_use(name: str) -> None:
    with pytest.raises(NotFittedError, match="fit"):
        make(name).predict(CELLS[:3])
    support, _ = task(5)
    with pytest.raises(InvalidArgumentError, match="at least 1"):
        make(name).fit(support.take(np.arange(0)))


def test_an_update_with_the_same_rows_changes_nothing(name: str) -> None:
    support, rest = task(40)
    once = make(name).fit(support)
    expected = once.predict(rest.choices[:200])
    again = once.update(support).predict(rest.choices[:200])
    np.testing.assert_allclose(again.mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(again.std, expected.std, rtol=1e-5)


class Luck:
    """Features: what decides the values and is in no architecture."""

    names = ("luck",)

    def __call__(self, choices: IntArray) -> FloatArray:
        number = SPACE.index(choices)
        return np.asarray(np.random.default_rng(2).normal(size=SPACE.encodings)[number, None])


def test_features_reach_those_who_read_them(name: str) -> None:
    lucky = values_of(CELLS, 0.1) + 4 * Luck()(CELLS)[:, 0]
    bare = TaskData("task", SPACE, CELLS, lucky)
    order = np.random.default_rng(0).permutation(len(CELLS))
    support, rest = bare.take(order[:60]), bare.take(order[60:])
    without = make(name).fit(support).predict(rest.choices).mean
    features = Luck()
    predictor = make(name).fit(replace(support, features=features))
    found = predictor.predict(rest.choices).mean
    if not predictor.reads_features:
        np.testing.assert_array_equal(found, without)
        return
    assert kendall_tau(found, rest.values) > kendall_tau(without, rest.values) + 0.2
    updated = predictor.update(replace(support, features=features)).predict(rest.choices).mean
    np.testing.assert_allclose(updated, found, rtol=1e-6)
    again = predictor.fit(support).predict(rest.choices).mean
    np.testing.assert_array_equal(again, without)
