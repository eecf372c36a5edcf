"""How noisy the scores of a new task are, and how they are scaled."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh

from surrogate_nas._types import FloatArray

_TYPICAL = 1  # labels at which the estimated scale of the scores has weight one half
_FACTORS = np.exp(np.linspace(-1.6, 2.4, 11))  # of the sources' noise
_SPREAD = 0.8  # standard deviation, between tasks, of the logarithm of the noise


def likely_scale(product: FloatArray, square: FloatArray, n: int) -> FloatArray:
    """The factor by which n scores fit a prior best, drawn towards 1.

    Args:
        product: Of the scores and what is expected of them, both whitened.
        square: Of the whitened scores, positive.
        n: Number of scores.
    """
    likeliest = (product + np.sqrt(product**2 + 4 * square * n)) / (2 * square)
    return np.asarray(likeliest ** (n / (n + _TYPICAL)))


def likely_noise(
    covariance: FloatArray,
    priors: FloatArray,
    scores: FloatArray,
    noise: float,
    chances: FloatArray | float = 0.0,
) -> float:
    """Variance of the noise of a task's scores: its geometric posterior mean on a grid.

    Tasks differ much in their noise, and less in the rest of the covariance. The prior is
    log-normal around the sources' noise.

    Args:
        covariance: float64 (n, n), of the scores without noise.
        priors: float64 (n, h), prior means, relative to their means.
        scores: float64 (n,).
        noise: That of the sources.
        chances: float64 (h,), logarithms of the probabilities of the prior means, up to a constant.
    """
    if not scores.any():  # all are equal
        return noise
    n = len(scores)
    values, vectors = eigh(covariance)
    given, expected = vectors.T @ scores, vectors.T @ priors
    variances = values.clip(0)[:, None] + noise * _FACTORS
    square = (given[:, None] ** 2 / variances).sum(axis=0)[:, None]
    product = (given[:, None] / variances).T @ expected
    scale = likely_scale(product, square, n)  # (factors, h)
    rest = scale[:, :, None] * given - expected.T
    evidence = n * np.log(scale) - 0.5 * (rest**2 / variances.T[:, None, :]).sum(axis=2)
    evidence -= 0.5 * np.log(variances).sum(axis=0)[:, None]
    departure = np.log(_FACTORS)
    logarithms = np.logaddexp.reduce(evidence + chances, axis=1) - 0.5 * (departure / _SPREAD) ** 2
    weights = np.exp(logarithms - logarithms.max())
    return float(noise * np.exp(weights @ departure / weights.sum()))
