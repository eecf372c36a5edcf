"""The estimators against scikit-learn's own checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from surrogate_nas.predictors.calibration import Z90
from surrogate_nas.predictors.estimators import (
    ForestRegressor,
    GPRegressor,
    MLPEnsembleRegressor,
    XGBoostRegressor,
)

FAST = [
    ForestRegressor(trees=50),
    XGBoostRegressor(trees=50, members=2),
    GPRegressor(),
    MLPEnsembleRegressor(members=2, hidden=32, steps=100),
]


@parametrize_with_checks(FAST)  # type: ignore[untyped-decorator]
def test_the_checks_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], Any]
) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", FAST, ids=lambda e: type(e).__name__)
def test_intervals_of_any_matrix_hold(estimator: Any) -> None:
    inside = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 4)) * [1, 10, 100, 0.1]
        y = np.sin(X[:, 0]) + X[:, 1] / 10 + 0.3 * rng.normal(size=400)
        mean, std = estimator.fit(X[:100], y[:100]).predict(X[100:], return_std=True)
        assert np.corrcoef(mean, y[100:])[0, 1] > 0.8
        inside.append(np.mean(np.abs(y[100:] - mean) < Z90 * std))
    assert 0.8 < np.mean(inside) < 0.97
