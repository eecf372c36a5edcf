"""Linear regressions of costs: of a source with many rows, and a mixture for a new device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import stdtrit

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.calibration import Z90

# A source's own regression ----------------------------------------------------------------------

_PENALTIES = 10.0 ** np.arange(-3, 5)
_LANDMARKS = 256
_MOST = 20_000  # rows that a regression learns from
_FLAT = 1e-8  # share of the largest eigenvalue


class Smoother:
    """Ridge regression on columns, and on their products where these predict better.

    Costs add up along a graph, so a regression of many measurements is more exact than each of
    them. Penalty and products are chosen by generalised cross-validation (Golub, Heath and Wahba,
    Technometrics 1979). Products are those of a kernel ``(x·y)²`` on 256 rows (Williams and
    Seeger, "Using the Nystroem Method to Speed Up Kernel Machines", NeurIPS 2000).
    """

    def __init__(self, x: FloatArray, y: FloatArray) -> None:
        """Learn columns y (n, t) from x (n, k), n >= 1."""
        rng = np.random.default_rng(0)
        rows = np.sort(rng.permutation(len(x))[:_MOST])
        x, y = x[rows], y[rows]
        self._marks = x[np.sort(rng.permutation(len(x))[:_LANDMARKS])]
        values, vectors = np.linalg.eigh(self._products(self._marks))
        kept = values > _FLAT * max(float(values[-1]), 1e-300)
        self._whiten = vectors[:, kept] / np.sqrt(values[kept])
        found = [_ridges(self._design(x, p), y) for p in (False, True)]
        better = found[1][1] < found[0][1]
        width = found[0][0].shape[0]
        self._weights = np.where(better, found[1][0], 0.0)
        self._weights[:width] += np.where(better, 0.0, found[0][0])

    def __call__(self, x: FloatArray) -> FloatArray:
        """What is expected of rows (m, k): float64 (m, t)."""
        return np.asarray(self._design(x, True) @ self._weights)

    def _products(self, x: FloatArray) -> FloatArray:
        return np.asarray((x @ self._marks.T / max(x.shape[1], 1)) ** 2)

    def _design(self, x: FloatArray, products: bool) -> FloatArray:
        parts = [np.ones((len(x), 1)), x]
        if products:
            parts.append(self._products(x) @ self._whiten)
        return np.concatenate(parts, axis=1)


def _ridges(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (k, t) with the best penalty of each column, and its cross-validated error (t,)."""
    n = len(x)
    values, vectors = np.linalg.eigh(x.T @ x)
    values = values.clip(0)
    turned = vectors.T @ (x.T @ y)
    square = (y * y).sum(axis=0)
    errors, weights = [], []
    for penalty in _PENALTIES:
        w = turned / (values + penalty)[:, None]
        rest = square - 2 * (w * turned).sum(axis=0) + (values[:, None] * w * w).sum(axis=0)
        free = n - float((values / (values + penalty)).sum())
        errors.append(rest.clip(0) / max(free, 1e-3) ** 2)
        weights.append(vectors @ w)
    best = np.argmin(errors, axis=0)
    columns = np.arange(y.shape[1])
    return np.array(weights)[best, :, columns].T, np.array(errors)[best, columns]


# The mixture ------------------------------------------------------------------------------------

_FREEDOM = 4.0  # of the Student distribution of a device's scale
_TOGETHER = (3.0, 1.0, 0.3, 0.1)  # how far a device departs from the sources
_NOISES = (0.02, 0.06, 0.2, 0.4)
_SLOPE = 0.3  # standard deviation of the slope on the expected cost, whose mean is 1
_OFFSET = 0.5
_OUTLIER, _TIMES, _EXTRA = 0.05, 5.0, 1.0  # odds of a wrong measurement, and its deviation
_FEW = 32  # labels up to which a single wrong measurement is looked for
_COMPARED = 200  # labels by which hypotheses are compared
_HYPOTHESES = 12
_CHOSEN = 3.0  # how much, over the number of labels, the choice of hypotheses adds to the variance


@dataclass(frozen=True, slots=True)
class CostMixture:
    """The posterior of a new device's costs, a mixture of Bayesian linear regressions.

    In units of the expected standard deviation, a hypothesis says that costs are ::

        y(a) = offset + slope e(a) + s Σ_c w_c x_c(a) + noise

    with normal coefficients, where e(a) is what one of the sources expects, or the sources in the
    mean. Hypotheses differ in e, in the scale s, in the noise, and in whether one of the labels is
    wrong. They are weighed by their marginal likelihood, in which a common scale of all deviations
    is unknown (Student's t).

    Attributes:
        shares: (h,), probabilities of the hypotheses.
        coefficients: (1 + e + k, h), of the offset, the expectations and the columns.
        factors: (h, 1 + 1 + k, 1 + 1 + k), by which a row is multiplied so that its square is the
            variance of what is expected.
        chosen: int (h,), which expectation.
        noises: (h,), variances of a measurement.
    """

    shares: FloatArray
    coefficients: FloatArray
    factors: FloatArray
    chosen: IntArray
    noises: FloatArray

    @classmethod
    def of(cls, expected: FloatArray, x: FloatArray, y: FloatArray) -> Self:
        """From expectations (n, e), weighted columns (n, k) and scores (n,), n >= 1."""
        rows = np.arange(len(y))
        if len(y) > _COMPARED:
            rows = np.random.default_rng(0).permutation(rows)[:_COMPARED]
        guesses, logarithms = _weighed(expected[rows], x[rows], y[rows])
        order = np.argsort(-logarithms, kind="stable")[:_HYPOTHESES]
        shares = np.exp(logarithms[order] - logarithms[order[0]])
        kept = order[shares > 1e-3]
        shares = np.exp(logarithms[kept] - logarithms[kept[0]])
        parts = [_conditioned(guesses[i], expected, x, y) for i in kept.tolist()]
        return cls(
            shares / shares.sum(),
            np.stack([part[0] for part in parts], axis=1),
            np.stack([part[1] for part in parts]),
            np.array([guesses[i].source for i in kept.tolist()]),
            np.array([part[2] for part in parts]),
        )

    def predict(self, expected: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of what is expected of rows, without noise: (m,) each."""
        one = np.ones((len(x), 1))
        means = np.concatenate([one, expected, x], axis=1) @ self.coefficients
        mean = means @ self.shares
        variance = ((means - mean[:, None]) ** 2) @ self.shares
        for share, source, factor in zip(
            self.shares.tolist(), self.chosen.tolist(), self.factors, strict=True
        ):
            known = one * 0 if not expected.shape[1] else expected[:, source, None]
            seen = np.concatenate([one, known, x], axis=1) @ factor
            variance += share * np.einsum("ij,ij->i", seen, seen)
        return mean, variance

    @property
    def noise(self) -> float:
        """Variance of a measurement."""
        return float(self.shares @ self.noises)


@dataclass(frozen=True, slots=True)
class _Guess:
    """A hypothesis: an expectation, the scale s, the noise, and the wrong label or -1."""

    source: int
    together: float
    noise: float
    wrong: int

    def noises(self, n: int) -> FloatArray:
        """Variance of each label: (n,)."""
        found = np.full(n, self.noise**2)
        if self.wrong >= 0:
            found[self.wrong] += (_TIMES * self.noise) ** 2 + _EXTRA
        return found


def _weighed(expected: FloatArray, x: FloatArray, y: FloatArray) -> tuple[list[_Guess], FloatArray]:
    """All hypotheses, and the logarithms of their weights."""
    n, own, guesses, found = len(y), x @ x.T, [], []
    mean = expected if expected.shape[1] else np.zeros((n, 1))
    slopes = _OFFSET**2 + _SLOPE**2 * np.einsum("ij,kj->jik", mean, mean)
    rest = (y[:, None] - mean).T
    wrongs = range(-1, n if n <= _FEW else 0)
    for together in _TOGETHER:
        for noise in _NOISES:
            for wrong in wrongs:
                some = [_Guess(j, together, noise, wrong) for j in range(len(rest))]
                covariance = slopes + together**2 * own
                covariance[:, range(n), range(n)] += some[0].noises(n)
                factor = np.linalg.cholesky(covariance)
                white = np.linalg.solve(factor, rest[:, :, None])[:, :, 0]
                square = (white * white).sum(axis=1)
                size = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
                likelihood = -size - (_FREEDOM + n) / 2 * np.log1p(square / _FREEDOM)
                found.append(likelihood + (np.log(_OUTLIER) if wrong >= 0 else 0.0))
                guesses += some
    return guesses, np.concatenate(found)


def _conditioned(
    guess: _Guess, expected: FloatArray, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Coefficients (1 + e + k,), the factor of the variance, and that of the noise."""
    n, sources = len(y), expected.shape[1]
    mean = expected[:, guess.source] if sources else np.zeros(n)
    scales = np.concatenate([[_OFFSET, _SLOPE], np.full(x.shape[1], guess.together)])
    seen = np.concatenate([np.ones((n, 1)), mean[:, None], x], axis=1) * scales
    noises = guess.noises(n)
    precision = (seen.T / noises) @ seen
    precision[np.diag_indices(len(precision))] += 1.0
    factor = cho_factor(precision, lower=True)
    rest = (y - mean) / noises
    weights = cho_solve(factor, seen.T @ rest)
    square = float((y - mean) @ rest - (seen.T @ rest) @ weights)
    spread = (_FREEDOM + max(square, 0.0)) / (_FREEDOM + n)
    spread *= (stdtrit(_FREEDOM + n, 0.95) / Z90) ** 2  # its central 90 % interval is wider
    spread *= 1 + _CHOSEN / n
    inverse = solve_triangular(np.tril(factor[0]), np.eye(len(precision)), lower=True)
    weights = weights * scales
    coefficients = np.zeros(1 + sources + x.shape[1])
    coefficients[0] = weights[0]
    if sources:
        coefficients[1 + guess.source] = 1.0 + weights[1]
    coefficients[1 + sources :] = weights[2:]
    return coefficients, scales[:, None] * inverse.T * np.sqrt(spread), guess.noise**2 * spread
