"""What predictors learn from decisions, where the vocabulary knows nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.kernels import FamilyKernel
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.predictors.mlp import MLP
from surrogate_nas.registry import load
from surrogate_nas.spaces.base import SearchSpace
from tests.predictors.spaces_of_decisions import unknown_space, with_numbers

SIZES = (4, 3, 5, 2, 3)
DECISIONS = {f"d{i}": [f"o{i}x{j}" for j in range(size)] for i, size in enumerate(SIZES)}
OPERATIONS = ("conv", "gcn", "linear", "max_pool", "gat", "sage")


def values_of(choices: IntArray) -> FloatArray:
    """Effects of options, of pairs of them, and noise."""
    rng = np.random.default_rng(1)
    total = 0.3 * rng.normal(size=len(choices))
    for i, size in enumerate(SIZES):
        total += rng.normal(size=size)[choices[:, i]]
    return total + 0.7 * rng.normal(size=SIZES[:2])[choices[:, 0], choices[:, 1]]


def tau(name: str, space: SearchSpace, n: int = 60) -> float:
    pool = space.unique()
    values = values_of(pool)
    found = []
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(pool))
        rows, rest = order[:n], order[n:]
        predictor = load("predictor", name)(seed=seed)
        predictor.fit(TaskData("t", space, pool[rows], values[rows]))
        found.append(kendall_tau(predictor.predict(pool[rest]).mean, values[rest]))
    return float(np.mean(found))


@pytest.mark.parametrize("name", ["gp", "xgboost", "forest"])
def test_options_that_the_vocabulary_does_not_know_are_told_apart(name: str) -> None:
    assert tau(name, unknown_space(DECISIONS)) > 0.55


@pytest.mark.parametrize("name", ["gp", "xgboost"])
def test_known_options_do_not_hide_the_unknown_ones(name: str) -> None:
    some = {o: OPERATIONS[i] for i, o in enumerate(DECISIONS["d2"][:3])}
    assert tau(name, unknown_space(DECISIONS, some)) > 0.55


def test_which_operations_stand_for_options_hardly_matters() -> None:
    rng = np.random.default_rng(0)
    options = [o for names in DECISIONS.values() for o in names]
    blind = tau("gp", unknown_space(DECISIONS))
    for _ in range(2):
        drawn = dict(zip(options, rng.choice(OPERATIONS, len(options)).tolist(), strict=True))
        assert tau("gp", unknown_space(DECISIONS, drawn)) == pytest.approx(blind, abs=0.04)


def test_names_do_not_matter() -> None:
    renamed = {f"name{i}": [f"z{i}{j}" for j in range(size)] for i, size in enumerate(SIZES)}
    first, second = unknown_space(DECISIONS), unknown_space(renamed)
    assert tau("gp", first) == tau("gp", second)


def test_numbers_are_learnt_at_least_as_well_as_by_a_plain_process_on_them() -> None:
    names = {f"d{i}": [f"o{i}x{j}" for j in range(3)] for i in range(12)}
    values = {name: [3.0, 5.0, 7.0] for name in names}
    space = with_numbers(unknown_space(names), values)
    ours, theirs = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rows = space.sample_choices(rng, 600)
        x = (rows - 1) / np.sqrt(2 / 3)
        pairs = x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3]
        target = np.tanh(0.3 * (x @ rng.gamma(0.7, 1.0, 12)) + 0.4 * pairs - 0.3 * x[:, 2] ** 2)
        target = target + 0.3 * rng.normal(size=600)
        gp = load("predictor", "gp")().fit(TaskData("t", space, rows[:50], target[:50]))
        kernel = ConstantKernel() * RBF(5.0) + ConstantKernel() * DotProduct() + WhiteKernel(0.1)
        plain = GaussianProcessRegressor(kernel, normalize_y=True).fit(x[:50], target[:50])
        ours.append(kendall_tau(gp.predict(rows[50:]).mean, target[50:]))
        theirs.append(kendall_tau(plain.predict(x[50:]), target[50:]))
    assert np.mean(ours) > np.mean(theirs)


def test_structure_and_decisions_share_the_variance() -> None:
    kernel = FamilyKernel(np.array([0, 0, 1, 2, 3, 3]), decisions=(2, 3, 4))
    families = kernel.unpack(kernel.prior_mean).families
    np.testing.assert_allclose(families, [0.5, 0.5, 0.5, 0.5])
    without = FamilyKernel(np.array([0, 0, 1, 2, 3, 3]), decisions=(4, 5))
    np.testing.assert_allclose(without.unpack(without.prior_mean).families, [0.25] * 4)


def test_relaxed_numbers_are_predicted_as_whole_ones_are() -> None:
    space = with_numbers(unknown_space(DECISIONS), {"d2": [1.0, 2.0, 4.0, 8.0, 16.0]})
    pool = space.unique()
    mlp = MLP(steps=20).fit(TaskData("t", space, pool[:40], values_of(pool[:40])))
    p = torch.zeros(len(pool), len(SIZES), max(SIZES))
    p[torch.arange(len(pool))[:, None], torch.arange(len(SIZES)), torch.tensor(pool).long()] = 1
    np.testing.assert_allclose(mlp.relaxed(p).detach(), mlp.predict(pool).mean, rtol=1e-4)
