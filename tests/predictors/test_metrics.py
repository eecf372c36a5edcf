from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors import metrics


def test_kendall_tau_is_tau_b_by_counting_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, size=40).astype(float), rng.integers(0, 4, size=40).astype(float)
    i, j = np.triu_indices(40, 1)
    da, db = np.sign(a[i] - a[j]), np.sign(b[i] - b[j])
    expected = (da * db).sum() / np.sqrt((da != 0).sum() * (db != 0).sum())
    assert metrics.kendall_tau(a, b) == pytest.approx(expected)


def test_constant_predictions_have_no_order() -> None:
    constant, values = np.ones(5), np.arange(5.0)
    assert metrics.kendall_tau(constant, values) == 0
    assert metrics.spearman(constant, values) == 0


def test_spearman_is_the_correlation_of_ranks() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=30), rng.normal(size=30)
    expected = np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1]
    assert metrics.spearman(a, b) == pytest.approx(expected)


def test_the_best_ten() -> None:
    true = np.arange(100.0)
    predicted = true.copy()
    predicted[[99, 98, 97]] = -1  # three of the ten best are missed
    assert metrics.precision_at_10(predicted, true) == pytest.approx(0.7)
    assert metrics.regret_at_10(predicted, true) == pytest.approx(3.0)
    assert metrics.regret_at_10(true, true) == 0


def test_nll_is_the_log_of_a_density() -> None:
    prediction = Prediction(np.array([2.0]), np.array([0.5]))

    def density(x: float) -> float:
        return float(np.exp(-metrics.nll(prediction, np.array([x]))))

    assert integrate.quad(density, -5, 9)[0] == pytest.approx(1, abs=1e-6)
    assert density(2.0) > density(2.4)


def test_coverage_of_true_gaussians() -> None:
    rng = np.random.default_rng(2)
    mean, std = rng.normal(size=20_000), rng.uniform(0.1, 3, size=20_000)
    true = rng.normal(mean, std)
    assert metrics.coverage_90(Prediction(mean, std), true) == pytest.approx(0.9, abs=0.01)
