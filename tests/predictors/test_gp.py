from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process.kernels import RationalQuadratic

from surrogate_nas.predictors.gp import QuantileMap, normal_scores
from surrogate_nas.predictors.kernels import FamilyKernel

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
    assert kernel.objective(theta, X, Y)[0] == pytest.approx(
        -log_likelihood - constant + 0.5 * z @ z, rel=1e-8
    )


def test_gradient_against_finite_differences() -> None:
    kernel = FamilyKernel(GROUPS)
    for scale in (0.0, 0.5):
        theta = kernel.prior_mean + scale * RNG.normal(size=len(kernel.prior_mean))
        _, gradient = kernel.objective(theta, X, Y)
        numeric = approx_fprime(theta, lambda t: kernel.objective(t, X, Y)[0], 1e-6)
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
