from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import ndtri
from scipy.stats import multivariate_normal
from sklearn.gaussian_process.kernels import RationalQuadratic

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors import feature_predictor
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.feature_predictor import FeaturePredictor
from surrogate_nas.predictors.gp import GaussianProcess, _Posterior
from surrogate_nas.predictors.kernels import FamilyKernel, negative_log_posterior
from surrogate_nas.predictors.scores import QuantileMap, normal_scores, warped
from surrogate_nas.spaces.base import frozen
from surrogate_nas.spaces.layerwise import LayerwiseSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space

RNG = np.random.default_rng(0)
X = RNG.normal(size=(25, 6))
Y = np.sin(X[:, 0]) + 0.3 * X[:, 1] + 0.1 * RNG.normal(size=25)
GROUPS = np.array([0, 0, 0, 1, 1, 2])


def test_kernel_is_that_of_scikit_learn_and_likelihood_that_of_scipy() -> None:
    kernel = FamilyKernel(GROUPS)
    theta = kernel.prior_mean + 0.3 * RNG.normal(size=len(kernel.prior_mean))
    hyper = kernel.unpack(theta)
    scaled = X * np.sqrt(hyper.relevance)
    rational = RationalQuadratic(alpha=1.0)
    expected = hyper.joint * rational(scaled) + hyper.linear * scaled @ scaled.T
    for family, variance in enumerate(hyper.families):
        expected += variance * rational(scaled[:, family == GROUPS])
    np.testing.assert_allclose(kernel(X, X, hyper), expected, rtol=1e-9)
    np.testing.assert_allclose(kernel.diagonal(X, hyper), np.diag(expected), rtol=1e-9)

    covariance = expected + hyper.noise * np.eye(len(Y))
    log_likelihood = multivariate_normal(np.zeros(len(Y)), covariance).logpdf(Y)
    z = (theta - kernel.prior_mean) / kernel.prior_std
    constant = 0.5 * len(Y) * np.log(2 * np.pi)
    assert negative_log_posterior(kernel, theta, X, Y)[0] == pytest.approx(
        -log_likelihood - constant + 0.5 * z @ z, rel=1e-8
    )


def test_gradient_against_finite_differences() -> None:
    kernel = FamilyKernel(GROUPS)
    for scale in (0.0, 0.5):
        theta = kernel.prior_mean + scale * RNG.normal(size=len(kernel.prior_mean))
        _, gradient = negative_log_posterior(kernel, theta, X, Y)
        numeric = approx_fprime(theta, lambda t: negative_log_posterior(kernel, t, X, Y)[0], 1e-6)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)


def test_normal_scores_share_ties_and_ignore_the_scale() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0])
    scores = normal_scores(values)
    assert scores[0] == scores[2] > scores[3] > scores[1]
    np.testing.assert_allclose(scores, normal_scores(np.exp(values)))


def test_quantile_map_returns_the_values_and_goes_on_beyond() -> None:
    values = np.array([1.0, 2.0, 5.0, 6.0, 6.5])
    scores = normal_scores(values)
    back = QuantileMap(scores, values)
    np.testing.assert_allclose(back(scores), values)
    grid = back(np.linspace(-3, 3, 200))
    assert (np.diff(grid) > 0).all()
    assert grid[-1] > values.max()


@pytest.mark.parametrize("n", [5, 50])
def test_moments_are_those_of_gaussian_scores(n: int) -> None:
    values = np.random.default_rng(n).standard_t(3, size=n)
    back = QuantileMap(warped(values), values)
    mean = np.array([-2.0, -0.5, 0.0, 0.7, 1.9])
    std = np.array([0.2, 0.5, 1.0, 0.4, 1.5])
    found_mean, found_std = back.moments(mean, std)
    quantiles = ndtri((np.arange(20_000) + 0.5) / 20_000)
    drawn = back(mean[:, None] + std[:, None] * quantiles)
    np.testing.assert_allclose(found_mean, drawn.mean(axis=1), atol=0.05 * values.std())
    np.testing.assert_allclose(found_std, drawn.std(axis=1), atol=0.08 * values.std())


@pytest.mark.parametrize("frozen", [False, True])
def test_an_update_conditions_by_the_same_hyperparameters(frozen: bool) -> None:
    space = NASBench201Space()
    every = space.unique()
    pool = every if frozen else every[::50]
    rows = np.random.default_rng(0).permutation(len(every))[:60]
    values = (every[rows] == 3).sum(axis=1) + 0.3 * np.random.default_rng(1).normal(size=60)
    data = TaskData("t", space, every[rows], values)
    updated = GaussianProcess().fit(data.take(np.arange(30)))
    updated.predict(pool)
    # One by one, several at once, none, and other rows instead.
    for part in (range(31), range(31), range(40), range(60), range(5, 60)):
        chosen = data.take(np.array(part))
        found = updated.update(chosen).predict(pool)
        direct = GaussianProcess().fit(data.take(np.arange(30)))
        direct._posterior = replace_rows(direct, chosen)
        direct._calibrate(chosen.values, warped(chosen.values))
        expected = direct.predict(np.array(pool))
        spread = expected.mean.std()
        np.testing.assert_allclose(found.mean, expected.mean, atol=2e-3 * spread)
        np.testing.assert_allclose(found.std, expected.std, atol=2e-3 * spread)


def replace_rows(process: GaussianProcess, data: TaskData) -> _Posterior:
    old, inputs = process._posterior, process._inputs
    assert old is not None
    assert inputs is not None
    x = inputs(data.choices).astype(np.float64)
    return _Posterior(old.kernel, old._hyper, x, warped(data.values))


@pytest.mark.parametrize("kind", [GaussianProcess, XGBoost])
def test_many_rows_are_predicted_in_blocks(
    kind: type[FeaturePredictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = LayerwiseSpace()
    rows = space.sample_choices(np.random.default_rng(0), 60)
    data = TaskData("t", space, rows[:20], rows[:20].sum(axis=1).astype(np.float64))
    predictor = kind().fit(data)
    whole = predictor.predict(rows)
    monkeypatch.setattr(feature_predictor, "ENUMERABLE", 50)
    monkeypatch.setattr(feature_predictor, "_BLOCK", 17)
    parts = predictor.predict(frozen(rows))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-4)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-4)
    assert (parts.epistemic is None) == (whole.epistemic is None)
