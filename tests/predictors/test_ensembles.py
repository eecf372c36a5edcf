from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.base import DifferentiablePredictor
from surrogate_nas.predictors.blend import Blend
from surrogate_nas.predictors.calibration import Z90, constant_std, folds
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.predictors.mlp import MLP
from surrogate_nas.predictors.scores import normal_scores, warped
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace


def data(n: int) -> TaskData:
    space = NASBenchGraphSpace()
    rng = np.random.default_rng(0)
    choices = space.unique()[rng.permutation(26_206)[:n]]
    values = 0.7 + 0.02 * (choices == 1).sum(axis=1) - 0.03 * (choices == 4).sum(axis=1)
    return TaskData("task", space, choices, values + 0.002 * rng.normal(size=n))


def test_folds_are_as_large_as_each_other() -> None:
    assert sorted(np.bincount(folds(23, 5, 0))) == [4, 4, 5, 5, 5]
    assert sorted(folds(3, 5, 0)) == [0, 1, 2]
    assert not np.array_equal(folds(23, 5, 0), folds(23, 5, 1))


def test_spread_and_constant_cover_90_per_cent() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4_000)
    common = 0.5 * rng.normal(size=4_000)
    members = truth + common + rng.normal(size=(5, 4_000))
    disagreement = members.var(axis=0)
    std = np.sqrt(disagreement + constant_std(truth - members[0], disagreement) ** 2)
    inside = np.abs(truth - members.mean(axis=0)) < Z90 * std
    assert np.mean(inside) == pytest.approx(0.9, abs=0.04)


def test_relaxed_predictions_at_single_options_are_the_predictions() -> None:
    task = data(60)
    fitted = MLP(steps=50).fit(task)
    assert isinstance(fitted, DifferentiablePredictor)
    p = one_hot(task)
    found = fitted.relaxed(p).detach().numpy()
    np.testing.assert_allclose(found, fitted.predict(task.choices).mean, rtol=1e-5)


def test_gradients_of_relaxed_predictions_against_finite_differences() -> None:
    fitted = MLP(steps=50).fit(data(60))
    p = torch.softmax(torch.randn(1, 5, 9, generator=torch.Generator().manual_seed(0)), dim=2)
    p.requires_grad_()
    (gradient,) = torch.autograd.grad(fitted.relaxed(p).sum(), p)
    step = 0.01 * torch.sign(gradient)
    with torch.no_grad():
        change = fitted.relaxed(p + step).item() - fitted.relaxed(p - step).item()
    assert change == pytest.approx(2 * (gradient * step).sum().item(), rel=0.1)
    assert change > 0


def one_hot(task: TaskData) -> Tensor:
    return torch.from_numpy(np.eye(9, dtype=np.float32)[task.choices])


@pytest.mark.parametrize("shape", [np.exp, np.tanh])
def test_warped_values_keep_the_order_and_ignore_the_unit(shape: np.ufunc) -> None:
    values: FloatArray = shape(2 * np.random.default_rng(0).normal(size=50)).round(3)
    scores = warped(values)
    assert stats.kendalltau(scores, values).statistic == pytest.approx(1)
    assert len(np.unique(scores)) == len(np.unique(values))
    np.testing.assert_allclose(warped(7 - 1e4 * values), warped(-values), atol=1e-8)
    np.testing.assert_array_equal(warped(np.full(4, 0.1)), np.zeros(4))


def test_warped_values_know_how_bad_the_bad_are() -> None:
    values = np.append(np.linspace(0.9, 0.95, 30), [0.1, 0.5])
    gaps = [np.diff(np.sort(f(values)))[0] for f in (warped, normal_scores)]
    assert gaps[0] > 1.2 * gaps[1]


def test_a_blend_orders_better_than_its_parts_in_the_mean() -> None:
    task = data(300)
    fitted = Blend().fit(task.take(np.arange(100)))
    rest = task.choices[100:]
    blended = kendall_tau(fitted.predict(rest).mean, task.values[100:])
    alone = [kendall_tau(part.predict(rest).mean, task.values[100:]) for part in fitted._parts]
    assert blended > np.mean(alone)
