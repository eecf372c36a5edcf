"""Updating what was adapted is conditioning anew, only quicker."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.meta import process
from surrogate_nas.transfer import choose_predictor


@pytest.fixture(scope="module")
def data() -> TaskData:
    task = open_benchmark("nas-bench-graph").task("proteins")
    return task.data(np.random.default_rng(0).permutation(len(task))[:40])


def test_an_update_is_exact_where_the_noise_is_the_same(
    data: TaskData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "likely_noise", lambda *_: 0.05)
    task = open_benchmark("nas-bench-graph").task("proteins")
    choice = choose_predictor("meta-gnn", task)
    pool = task.space.unique()
    step_by_step = choice.make(task.space, 0).fit(data.take(np.arange(20)))
    for n in (20, 21, 25, 25, 40):
        step_by_step.update(data.take(np.arange(n))).predict(pool)
    at_once = choice.make(task.space, 0).fit(data)
    found, expected = step_by_step.predict(pool), at_once.predict(pool)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.std, expected.std, rtol=1e-3)


def test_a_copy_is_not_updated_with_the_original(data: TaskData) -> None:
    task = open_benchmark("nas-bench-graph").task("proteins")
    original = choose_predictor("meta-gnn", task).make(task.space, 0)
    original.fit(data.take(np.arange(20)))
    kept = copy.copy(original)
    expected = kept.predict(data.choices).mean
    original.update(data)
    np.testing.assert_array_equal(kept.predict(data.choices).mean, expected)


def test_all_architectures_are_predicted_as_some_of_them(data: TaskData) -> None:
    task = open_benchmark("nas-bench-graph").task("proteins")
    predictor = choose_predictor("meta-gnn", task).make(task.space, 0).fit(data)
    every = task.space.unique()
    some = np.arange(0, len(every), 100)
    found, expected = predictor.predict(every), predictor.predict(every[some])
    np.testing.assert_allclose(found.mean[some], expected.mean, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.std[some], expected.std, rtol=1e-3)


def test_labels_take_what_is_not_known_and_leave_the_noise(data: TaskData) -> None:
    task = open_benchmark("nas-bench-graph").task("proteins")
    predictor = choose_predictor("meta-gnn", task).make(task.space, 0).fit(data)

    def share(prediction: Prediction) -> float:
        assert prediction.epistemic is not None
        return float(np.median(prediction.epistemic / prediction.std))

    assert share(predictor.predict(data.choices)) < 0.9 * share(predictor.predict(task.choices))
