"""The process on decisions beside a guide, against scikit-learn's."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from surrogate_nas.evaluation import Prediction
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.spaces.base import Decision, SearchSpace
from surrogate_nas.spaces.custom import define_space
from tests.searchers.toys import Linear, ToySpace


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


def test_the_more_effects_there_are_the_wider_it_explores() -> None:
    assert DecisionProcess(ToySpace((8,) * 20)).exploration == pytest.approx(np.sqrt(140) / 2)
    decisions = [Decision.real(f"x{i}", 0, 1, levels=9) for i in range(3)]
    decisions.append(Decision.categorical("y", range(2)))
    assert DecisionProcess(define_space("few", decisions)).exploration == 1
    assert DecisionProcess(define_space("few", decisions), 0.3).exploration == 0.3


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


UNEVEN = ToySpace((8, 3, 9, 8, 2, 8, 7, 6))
NUMBERS = define_space("numbers", [Decision.real(f"x{i}", -1, 1, levels=7) for i in range(4)])


@pytest.mark.parametrize("space", [UNEVEN, NUMBERS])
def test_relaxed_means_are_those_of_single_options_and_have_their_slope(
    space: SearchSpace,
) -> None:
    rng = np.random.default_rng(0)
    process = DecisionProcess(space)
    process.fit(space.sample_choices(rng, 30), rng.normal(size=30))
    mean = process.relaxation(Linear())
    asked = space.sample_choices(rng, 10).astype(np.int64)
    corners = torch.nn.functional.one_hot(torch.from_numpy(asked), max(space.sizes)).double()
    own = process.joined(Prediction(np.zeros(10), np.ones(10)), asked)
    np.testing.assert_allclose(mean(corners), 2 * own.mean, rtol=1e-6)  # joined with 0
    p = (0.7 * corners + 0.3 * corners.roll(1, 0)).requires_grad_()
    torch.autograd.gradcheck(mean, p)


def test_a_predictor_with_gradients_has_half_of_the_relaxed_mean() -> None:
    class Flat(Linear):
        def relaxed(self, p: torch.Tensor) -> torch.Tensor:
            return torch.full((len(p),), 3.0)

    rng = np.random.default_rng(0)
    process = DecisionProcess(UNEVEN)
    process.fit(UNEVEN.sample_choices(rng, 30), rng.normal(size=30))
    p = torch.rand((5, 8, 9), generator=torch.Generator().manual_seed(0))
    alone, both = process.relaxation(Linear())(p), process.relaxation(Flat())(p)
    torch.testing.assert_close(both, (alone + 3) / 2)


def test_who_does_not_ascend_needs_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    process = DecisionProcess(UNEVEN)
    process.fit(UNEVEN.sample_choices(np.random.default_rng(0), 9), np.arange(9.0))
    monkeypatch.setitem(sys.modules, "torch", None)
    mean = process.relaxation(Linear())
    with pytest.raises(ImportError):
        mean(torch.ones((1, 8, 9)))
