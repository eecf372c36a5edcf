"""The kernel of the Gaussian process and its marginal likelihood with gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from surrogate_nas._types import FloatArray, IntArray

_ROOT5 = np.sqrt(5.0)
_JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Variances and relevances.

    Attributes:
        relevance: float64 (d,), squared inverse lengthscale of each column.
        matern: Variance of the Matern part.
        linear: Variance of the linear part.
        noise: Variance of the noise.
    """

    relevance: FloatArray
    matern: float
    linear: float
    noise: float


class Kernel:
    """Matern-5/2 plus linear kernel with relevances that columns of one family share in part.

    With D² = Σ_c w_c (x_c - x'_c)² and L = Σ_c w_c x_c x'_c, ::

        k(x, x') = matern (1 + √5 D + 5/3 D²) exp(-√5 D) + linear L
        w_c = exp(-2 (g_family(c) + h_c)) / columns of the family

    The logarithms g (one a family), h (one a column) and of the standard deviations of the three
    parts are the parameters, with Gaussian priors. A column that departs from its family has to
    pay for it, which keeps hundreds of columns from overfitting twenty labels.
    """

    def __init__(self, groups: IntArray) -> None:
        """Columns x of one number in ``groups`` (d,) are a family."""
        self._groups = np.unique(groups, return_inverse=True)[1]
        self._families = int(self._groups.max(initial=-1)) + 1
        self._sizes = np.bincount(self._groups)[self._groups].astype(np.float64)
        columns = len(groups)
        self.prior_mean = np.concatenate([np.zeros(self._families + columns), [0.0, -1.0, -2.0]])
        self.prior_std = np.concatenate(
            [np.ones(self._families), np.full(columns, 0.5), np.ones(3)]
        )

    def unpack(self, theta: FloatArray) -> Hyperparameters:
        """From the vector of parameters, as in `prior_mean`."""
        families, columns, parts = np.split(theta, [self._families, len(theta) - 3])
        matern, linear, noise = np.exp(2 * parts).tolist()
        relevance = np.exp(-2 * (families[self._groups] + columns)) / self._sizes
        return Hyperparameters(relevance, matern, linear, noise + _JITTER)

    def __call__(self, a: FloatArray, b: FloatArray, hyper: Hyperparameters) -> FloatArray:
        """Covariance without noise of rows (n, d) and (m, d): float64 (n, m)."""
        inner, square = _products(a, b, hyper.relevance)
        return hyper.matern * _matern(square)[0] + hyper.linear * inner

    def diagonal(self, x: FloatArray, hyper: Hyperparameters) -> FloatArray:
        """Variance without noise of each row (n, d): float64 (n,)."""
        return hyper.matern + hyper.linear * ((x * x) @ hyper.relevance)

    def objective(
        self, theta: FloatArray, x: FloatArray, y: FloatArray
    ) -> tuple[float, FloatArray]:
        """Negative logarithm of marginal likelihood times priors, and its gradient.

        Constants are left out. See Rasmussen and Williams (2006), equations 5.8 and 5.9.
        """
        hyper = self.unpack(theta)
        inner, square = _products(x, x, hyper.relevance)
        np.fill_diagonal(square, 0.0)
        shape, slope = _matern(square)
        covariance = hyper.matern * shape + hyper.linear * inner
        covariance[np.diag_indices(len(y))] += hyper.noise
        try:
            factor = cholesky(covariance, lower=True, check_finite=False)
        except LinAlgError:
            return np.inf, np.zeros_like(theta)
        inverse = dpotri(factor, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        alpha = inverse @ y
        whitened = solve_triangular(factor, y, lower=True, check_finite=False)
        value = 0.5 * float(whitened @ whitened) + float(np.log(np.diag(factor)).sum())

        weight = inverse - np.outer(alpha, alpha)  # twice the derivative by the covariance
        by_square = 0.5 * hyper.matern * weight * slope
        by_relevance = 2 * ((x * x).T @ by_square.sum(axis=1) - (x * (by_square @ x)).sum(axis=0))
        by_relevance += 0.5 * hyper.linear * (x * (weight @ x)).sum(axis=0)
        by_column = -2 * by_relevance * hyper.relevance
        gradient = np.concatenate(
            [
                np.bincount(self._groups, by_column, minlength=self._families),
                by_column,
                [
                    hyper.matern * float((weight * shape).sum()),
                    hyper.linear * float((weight * inner).sum()),
                    (hyper.noise - _JITTER) * float(np.trace(weight)),
                ],
            ]
        )
        z = (theta - self.prior_mean) / self.prior_std
        return value + 0.5 * float(z @ z), gradient + z / self.prior_std


def _products(a: FloatArray, b: FloatArray, relevance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted inner products and squared distances of rows: (n, m) each."""
    weighted = a * relevance
    inner = weighted @ b.T
    square = (weighted * a).sum(axis=1)[:, None] + (b * b) @ relevance - 2 * inner
    return inner, np.maximum(square, 0.0)


def _matern(square: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Matern-5/2 at squared scaled distances, and its derivative by them."""
    distance = np.sqrt(square)
    decay = np.exp(-_ROOT5 * distance)
    return (
        (1 + _ROOT5 * distance + 5 / 3 * square) * decay,
        -5 / 6 * (1 + _ROOT5 * distance) * decay,
    )
