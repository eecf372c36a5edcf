"""A Gaussian process on structural features, exact and fitted in milliseconds."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import norm, rankdata

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import interval_std
from surrogate_nas.predictors.features import StructuralFeatures
from surrogate_nas.predictors.kernels import Hyperparameters, Kernel

FAMILIES = ("counts", "paths", "weighted", "skip", "depth", "sets")
"""Families of features that the process sees."""

_FIT_ROWS = 400
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


class GaussianProcess(Predictor):
    """Gaussian-process regression of rank-Gaussian values on structural features.

    Values are replaced by normal scores of their ranks, so that outliers and units do not
    matter; predictions are mapped back through the empirical quantiles, beyond the best value
    along a straight line. The kernel is a Matern-5/2 plus a linear one with shared relevances of
    the columns; its hyperparameters maximise the marginal likelihood times weak priors
    (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapter 5). The
    standard deviation includes the noise of one measurement and is calibrated on leave-one-out
    residuals, which are closed-form (ibid., equation 5.12).
    """

    def __init__(self, *, seed: int = 0, max_iterations: int = 60) -> None:
        """Store the arguments.

        Args:
            seed: Which rows the hyperparameters are fitted to where there are very many.
            max_iterations: Steps of the optimiser.
        """
        self.seed = seed
        self.max_iterations = max_iterations
        self._fitted: _Posterior | None = None

    def fit(self, data: TaskData) -> Self:
        """Fit hyperparameters and condition on all rows."""
        require_rows(data)
        features = StructuralFeatures.of(data.space)
        inputs = _Inputs(features)
        x = inputs(data.choices)
        values = np.asarray(data.values, dtype=np.float64)
        scores = normal_scores(values)
        kernel = Kernel(inputs.groups)
        rows = np.arange(len(values))
        if len(rows) > _FIT_ROWS:
            rows = np.random.default_rng(self.seed).permutation(rows)[:_FIT_ROWS]
        hyper = fit_hyperparameters(kernel, x[rows], scores[rows], self.max_iterations)
        self._fitted = _Posterior(inputs, kernel, hyper, x, scores, values)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """Predict; float64 mean and std (n,)."""
        if self._fitted is None:
            raise not_fitted(self)
        return self._fitted.predict(choices)


def fit_hyperparameters(
    kernel: Kernel, x: FloatArray, y: FloatArray, max_iterations: int
) -> Hyperparameters:
    """Maximum of the marginal likelihood times the priors, by L-BFGS from the priors' modes."""
    start = kernel.prior_mean
    if len(y) < 2 or np.ptp(y) == 0:
        return kernel.unpack(start)
    found = minimize(
        kernel.objective,
        start,
        args=(x, y),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations},
    )
    return kernel.unpack(found.x if np.isfinite(found.fun) else start)


class _Inputs:
    """The process's columns, standardised over the space."""

    def __init__(self, features: StructuralFeatures) -> None:
        self._features = features
        self._columns = features.columns(FAMILIES)
        self._centre = features.centre[self._columns]
        self._scale = features.scale[self._columns]
        present = [features.families[i] for i in self._columns]
        self.groups = np.array([FAMILIES.index(name) for name in present], dtype=np.int64)

    def __call__(self, choices: IntArray) -> FloatArray:
        columns = self._features.transform(choices)[:, self._columns]
        return np.asarray((columns - self._centre) / self._scale, dtype=np.float64)


class _Posterior:
    """The process conditioned on measured rows."""

    def __init__(
        self,
        inputs: _Inputs,
        kernel: Kernel,
        hyper: Hyperparameters,
        x: FloatArray,
        scores: FloatArray,
        values: FloatArray,
    ) -> None:
        self._inputs, self._kernel, self._hyper, self._x = inputs, kernel, hyper, x
        covariance = kernel(x, x, hyper)
        covariance[np.diag_indices(len(x))] += hyper.noise
        factor = cho_factor(covariance, lower=True)
        self._precision = cho_solve(factor, np.eye(len(x)))
        self._alpha = cho_solve(factor, scores)
        self._map = QuantileMap(scores, values)
        self._scale = 1.0
        if len(x) > 2:
            variance = 1.0 / np.diag(self._precision)
            mean, std = self._map.moments(scores - self._alpha * variance, np.sqrt(variance))
            self._scale = interval_std((values - mean) / std)

    def predict(self, choices: IntArray) -> Prediction:
        x = self._inputs(choices)
        cross = self._kernel(x, self._x, self._hyper)
        mean = cross @ self._alpha
        explained = np.einsum("ij,ij->i", cross @ self._precision, cross)
        prior = self._kernel.diagonal(x, self._hyper) + self._hyper.noise
        std = np.sqrt(np.maximum(prior - explained, self._hyper.noise))
        mean, std = self._map.moments(mean, std)
        return Prediction(mean, std * self._scale)


def normal_scores(values: FloatArray) -> FloatArray:
    """Standard normal quantiles of the ranks of values (n,); equal values share a score."""
    ranks = rankdata(values, method="average")
    return np.asarray(norm.ppf((ranks - 0.5) / len(values)))


class QuantileMap:
    """The piecewise linear map from normal scores back to values, strictly increasing.

    Beyond the best and the worst value it goes on with the mean slope of the outer fifth of the
    scores, so an architecture may be predicted better than all that were measured.
    """

    def __init__(self, scores: FloatArray, values: FloatArray) -> None:
        """Learn from the scores (n,) of values (n,)."""
        value, first = np.unique(values, return_index=True)
        score = scores[first]
        # Constant values tell nothing of their spread; any tiny width keeps std positive.
        width = max(float(np.ptp(value)), 1e-9 * float(np.abs(value).max()), 1e-12)
        reach = 4.0
        low = _outer_slope(score, value, width)
        high = _outer_slope(-score[::-1], -value[::-1], width)
        self._score = np.concatenate([[score[0] - reach], score, [score[-1] + reach]])
        self._value = np.concatenate([[value[0] - reach * low], value, [value[-1] + reach * high]])

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Values at scores of any shape."""
        return np.asarray(np.interp(scores, self._score, self._value))

    def moments(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the values of Gaussian scores, each float64 (n,)."""
        values = self(mean[:, None] + std[:, None] * _NODES)
        weights = _WEIGHTS / _WEIGHTS.sum()
        centre = values @ weights
        return centre, np.sqrt(((values - centre[:, None]) ** 2) @ weights)


def _outer_slope(score: FloatArray, value: FloatArray, width: float) -> float:
    inner = np.searchsorted(score, norm.ppf(0.2), side="right")
    inner = min(max(int(inner), 1), len(score) - 1)
    if len(score) < 2:
        return width
    return float((value[inner] - value[0]) / (score[inner] - score[0]))
