"""The noise of a task, against a search by scipy and made-up tasks of known noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal, norm

from surrogate_nas._types import FloatArray
from surrogate_nas.predictors.meta.noise import likely_noise, likely_scale


def task(n: int, noise: float, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """A covariance, and scores with noise of a variance."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    covariance = np.exp(-((x[:, None] - x) ** 2).sum(axis=2) / 2)
    smooth = np.linalg.cholesky(covariance + 1e-9 * np.eye(n)) @ rng.normal(size=n)
    return covariance, smooth + np.sqrt(noise) * rng.normal(size=n)


def test_the_scale_is_the_likeliest_of_many_scores() -> None:
    covariance, scores = task(200, 0.1)
    covariance += 0.1 * np.eye(200)
    expected = 0.5 * scores + np.random.default_rng(1).normal(size=200)

    def unlikely(scale: float) -> float:
        density = multivariate_normal.logpdf(scale * scores, expected, covariance)
        return -float(density) - 200 * float(np.log(scale))

    best = minimize_scalar(unlikely, bounds=(0.01, 10), method="bounded").x
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    given, known = whiten @ scores, whiten @ expected
    found = likely_scale(np.array(given @ known), np.array(given @ given), 200)
    assert float(found) == pytest.approx(best, rel=0.01)


def test_the_posterior_mean_is_that_of_densities_by_scipy() -> None:
    covariance, scores = task(12, 0.3)
    priors = np.random.default_rng(2).normal(size=(12, 2))
    logarithms = np.linspace(-1.6, 2.4, 11)
    weights = []
    for logarithm in logarithms:
        noisy = covariance + 0.1 * np.exp(logarithm) * np.eye(12)
        whiten = np.linalg.inv(np.linalg.cholesky(noisy))
        likelihood = 0.0
        for prior in priors.T:
            given, known = whiten @ scores, whiten @ prior
            scale = float(likely_scale(np.array(given @ known), np.array(given @ given), 12))
            density = multivariate_normal.logpdf(scale * scores, prior, noisy)
            likelihood += np.exp(density + 12 * np.log(scale))
        weights.append(likelihood * norm.pdf(logarithm, 0, 0.8))
    expected = 0.1 * np.exp(np.average(logarithms, weights=weights))
    assert likely_noise(covariance, priors, scores, 0.1) == pytest.approx(expected, rel=1e-9)


def test_many_scores_tell_a_noisy_task_from_another() -> None:
    zero = np.zeros((150, 1))
    quiet = likely_noise(task(150, 0.03)[0], zero, task(150, 0.03)[1], 0.1)
    noisy = likely_noise(task(150, 0.5)[0], zero, task(150, 0.5)[1], 0.1)
    assert quiet < 0.06
    assert noisy > 0.25


def test_few_scores_leave_the_noise_nearly_as_it_is() -> None:
    covariance, scores = task(2, 0.5)
    found = likely_noise(covariance, np.zeros((2, 1)), scores, 0.1)
    assert found == pytest.approx(0.1, rel=0.5)
    assert likely_noise(covariance, np.zeros((2, 1)), np.zeros(2), 0.1) == 0.1
