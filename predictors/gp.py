"""A Gaussian process on structural features, exact and fitted in milliseconds."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.stats import norm, rankdata

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import interval_std, least_std
from surrogate_nas.predictors.features import FAMILIES, StructuralFeatures
from surrogate_nas.predictors.kernels import FamilyKernel, Hyperparameters

_FIT_ROWS = 400  # beyond it the hyperparameters change little, and the time grows cubically
_CHUNK = 2_000  # rows predicted at once, so that they stay in the processor's cache
_SQUEEZE = 1.1  # ranks fill the central 1 / 1.1 of a Gaussian
_REACH = 4.0
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


class GaussianProcess(Predictor):
    """Gaussian-process regression of rank-Gaussian values on structural features.

    Values are replaced by normal scores of their ranks, so that outliers and units do not
    matter; predictions are mapped back through the empirical quantiles, beyond the best value
    along a straight line. Hyperparameters maximise the marginal likelihood times weak priors
    (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapter 5). The
    standard deviation includes the noise of one measurement and is calibrated on leave-one-out
    residuals, which are closed-form (ibid., equation 5.12).
    """

    def __init__(self, *, seed: int = 0, max_iterations: int = 50) -> None:
        """Store the arguments.

        Args:
            seed: Which rows the hyperparameters are fitted to where there are more than 400.
            max_iterations: Steps of the optimiser.
        """
        self.seed = seed
        self.max_iterations = max_iterations
        self._posterior: _Posterior | None = None

    def fit(self, data: TaskData) -> Self:
        """Fit the hyperparameters and condition on all rows."""
        require_rows(data)
        self._inputs = _Inputs(StructuralFeatures.of(data.space))
        x = self._inputs(data.choices).astype(np.float64)
        values = np.asarray(data.values, dtype=np.float64)
        scores = normal_scores(values)
        kernel = FamilyKernel(self._inputs.groups)
        rows = np.arange(len(values))
        if len(rows) > _FIT_ROWS:
            rows = np.random.default_rng(self.seed).permutation(rows)[:_FIT_ROWS]
        hyper = fit_hyperparameters(kernel, x[rows], scores[rows], self.max_iterations)
        self._posterior = posterior = _Posterior(kernel, hyper, x, scores)
        self._map = QuantileMap(scores, values)
        self._factor = 1.0
        if np.ptp(values) > 0:
            mean, std = self._map.moments(*posterior.left_out())
            # The hyperparameters saw the row that is left out: a correction by their number.
            freedom = math.sqrt(1 + kernel.shared / len(values))
            self._factor = freedom * interval_std((values - mean) / std)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if self._posterior is None:
            raise not_fitted(self)
        mean, std = self._map.moments(*self._posterior.predict(self._inputs(choices)))
        return Prediction(mean, std * self._factor)


class _Inputs:
    """The process's columns, standardised over the space and ordered by family."""

    def __init__(self, features: StructuralFeatures) -> None:
        self._features = features
        columns = features.columns(FAMILIES)
        groups = np.array([FAMILIES.index(features.families[i]) for i in columns], dtype=np.int64)
        order = np.argsort(groups, kind="stable")
        self._columns, self.groups = columns[order], groups[order]
        self._centre = features.centre[self._columns]
        self._scale = features.scale[self._columns]

    def __call__(self, choices: IntArray) -> FloatArray:
        columns = self._features.transform(choices)[:, self._columns]
        return np.asarray((columns - self._centre) / self._scale)


def fit_hyperparameters(
    kernel: FamilyKernel, x: FloatArray, y: FloatArray, max_iterations: int
) -> Hyperparameters:
    """Maximum of the marginal likelihood times the priors, by L-BFGS from the priors' modes."""
    found = minimize(
        kernel.objective,
        kernel.prior_mean,
        args=(x, y),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations},
    )
    return kernel.unpack(found.x if np.isfinite(found.fun) else kernel.prior_mean)


class _Posterior:
    """The process conditioned on scores (n,) at x (n, d)."""

    def __init__(
        self, kernel: FamilyKernel, hyper: Hyperparameters, x: FloatArray, scores: FloatArray
    ) -> None:
        self._kernel, self._hyper, self._scores = kernel, hyper, scores
        covariance = kernel(x, x, hyper)
        covariance[np.diag_indices(len(x))] += hyper.noise
        factor = cholesky(covariance, lower=True)
        self._whiten = solve_triangular(factor, np.eye(len(x)), lower=True)
        self._alpha = self._whiten.T @ (self._whiten @ scores)
        self._x = x.astype(np.float32)
        self._white32 = self._whiten.T.astype(np.float32)

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of each score given all others, each float64 (n,)."""
        variance = 1 / (self._whiten * self._whiten).sum(axis=0)
        return self._scores - self._alpha * variance, np.sqrt(variance)

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of a measured score at float32 x (n, d), each float64."""
        mean, explained = np.empty(len(x)), np.empty(len(x))
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            cross = self._kernel(x[part], self._x, self._hyper)
            mean[part] = cross @ self._alpha
            white = cross @ self._white32
            explained[part] = np.einsum("ij,ij->i", white, white)
        noise = self._hyper.noise
        prior = self._kernel.diagonal(x, self._hyper).astype(np.float64)
        return mean, np.sqrt(np.maximum(prior - explained, 0.0) + noise)


def normal_scores(values: FloatArray) -> FloatArray:
    """Normal scores of the ranks of values (n,), a little squeezed; equal values share one."""
    n = len(values)
    share = (rankdata(values) - 0.5) / n
    return np.asarray(norm.ppf(0.5 + (share - 0.5) / _SQUEEZE))


class QuantileMap:
    """The piecewise linear map from normal scores back to values, increasing.

    Beyond the best and the worst value it goes on with the mean slope of the outer fifth of the
    scores, so an architecture may be predicted better than all that were measured.
    """

    def __init__(self, scores: FloatArray, values: FloatArray) -> None:
        """Learn from the scores (n,) of values (n,)."""
        value, first = np.unique(values, return_index=True)
        score = scores[first]
        low = _outer_slope(score, value)
        high = _outer_slope(-score[::-1], -value[::-1])
        self._score = np.concatenate([[score[0] - _REACH], score, [score[-1] + _REACH]])
        self._value = np.concatenate(
            [[value[0] - _REACH * low], value, [value[-1] + _REACH * high]]
        )

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Values at scores of any shape."""
        return np.asarray(np.interp(scores, self._score, self._value))

    def moments(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the values of Gaussian scores, each float64 (n,)."""
        values = self(mean[:, None] + std[:, None] * _NODES)
        weights = _WEIGHTS / _WEIGHTS.sum()
        centre = values @ weights
        return centre, np.sqrt(((values - centre[:, None]) ** 2) @ weights)


def _outer_slope(score: FloatArray, value: FloatArray) -> float:
    """Mean slope of the first fifth of the scores; negligible where there is but one value."""
    if len(value) == 1:
        return least_std(value)
    fifth = int(np.searchsorted(score, norm.ppf(0.2), side="right"))
    inner = min(max(fifth, 1), len(score) - 1)
    return float((value[inner] - value[0]) / (score[inner] - score[0]))
