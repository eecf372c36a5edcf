"""The process on decisions beside a guide, against scikit-learn's."""

from __future__ import annotations

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from surrogate_nas.evaluation import Prediction
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.spaces.base import Decision
from surrogate_nas.spaces.custom import define_space
from tests.searchers.toys import ToySpace


def test_it_is_the_posterior_of_two_gaussian_kernels() -> None:
    space, rng = ToySpace((4,) * 6), np.random.default_rng(0)
    known, other = space.sample_choices(rng, 30), space.sample_choices(rng, 50)
    scores = rng.normal(size=30)
    process = DecisionProcess(space)
    process.fit(known, scores)
    zeros = np.zeros(50)
    found = process.joined(Prediction(zeros, zeros + 9), other)
    one_hot = [
        np.eye(4)[choices].reshape(len(choices), -1) / np.sqrt(2) for choices in (known, other)
    ]
    sample = space.sample_choices(np.random.default_rng(0), 200)
    wide = 2 * (np.eye(4)[sample].reshape(200, -1) / np.sqrt(2)).var(axis=0).sum()
    kernel = ConstantKernel(0.5) * RBF(np.sqrt(wide / 2))
    kernel += ConstantKernel(0.5) * RBF(np.sqrt(0.15 * wide / 2))
    oracle = GaussianProcessRegressor(kernel, alpha=0.15, optimizer=None)
    oracle.fit(one_hot[0], scores - scores.mean())
    mean, std = oracle.predict(one_hot[1], return_std=True)
    np.testing.assert_allclose(found.mean, (mean + scores.mean()) / 2, atol=1e-9)
    np.testing.assert_allclose(found.std, scores.std() * std, atol=1e-9)


def test_near_options_of_an_order_are_near() -> None:
    decisions = [Decision.real("x", 0, 1, levels=9), Decision.categorical("y", range(9))]
    process = DecisionProcess(define_space("two", decisions))
    process.fit(np.zeros((1, 2), dtype=np.int16), np.array([1.0]))
    process._std = 1.0  # of a single score it is 0
    asked = np.array([[0, 0], [1, 0], [8, 0], [0, 1], [0, 8]], dtype=np.int16)
    std = process.joined(Prediction(np.zeros(5), np.ones(5)), asked).std
    assert std[0] < std[1] < std[2]
    assert std[3] == std[4]


def test_of_many_rows_the_best_and_the_last_remain() -> None:
    space, rng = ToySpace((9,) * 6), np.random.default_rng(0)
    known = space.sample_choices(rng, 1_000)
    scores = rng.normal(size=1_000)
    process, other = DecisionProcess(space), DecisionProcess(space)
    process.fit(known, scores)
    kept = np.append(np.sort(np.argsort(-scores[:800])[:200]), np.arange(800, 1_000))
    other.fit(known[kept], scores[kept])
    asked = space.sample_choices(rng, 20)
    flat = Prediction(np.zeros(20), np.ones(20))
    np.testing.assert_array_equal(process.joined(flat, asked).mean, other.joined(flat, asked).mean)
