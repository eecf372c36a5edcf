"""A Gaussian process on structural features, exact and fitted in milliseconds."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Features, Prediction, TaskData
from surrogate_nas.predictors.base import not_fitted
from surrogate_nas.predictors.calibration import interval_std
from surrogate_nas.predictors.decision_kernel import DecisionKernel
from surrogate_nas.predictors.feature_predictor import FeaturePredictor, with_columns
from surrogate_nas.predictors.kernels import (
    FamilyKernel,
    Kernel,
    KernelParameters,
    KernelRows,
    negative_log_posterior,
)
from surrogate_nas.predictors.scores import QuantileMap, warped
from surrogate_nas.predictors.structure.decision_columns import VALUES, DecisionColumns
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.predictors.whitened import Growth, Whitened, inverse_factor
from surrogate_nas.spaces.base import SearchSpace

_FIT_ROWS = 400  # beyond it the hyperparameters change little, and the time grows cubically
_CHUNK = 2_000  # rows predicted at once, so that they stay in the processor's cache
_CELLS = 100_000  # or more rows, where that many covariances are few


class GaussianProcess(FeaturePredictor):
    """Gaussian-process regression of warped values on structural features.

    Values are warped (see `warped`), so that outliers and units do not matter. Predictions are
    mapped back through the empirical quantiles, and along a straight line beyond the best value.
    Hyperparameters maximise the marginal likelihood times weak priors (Rasmussen and Williams,
    "Gaussian Processes for Machine Learning", 2006, chapter 5). The standard deviation includes
    the noise of one measurement and is calibrated on leave-one-out residuals, which are
    closed-form (ibid., equation 5.12).

    Example:
        >>> from surrogate_nas.predictors.metrics import kendall_tau
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> choices = space.sample_choices(np.random.default_rng(0), 300)
        >>> task = TaskData("widths", space, choices, choices.sum(axis=1) * 1.0)
        >>> rest = np.arange(40, 300)
        >>> prediction = GaussianProcess().fit(task.take(np.arange(40))).predict(choices[rest])
        >>> kendall_tau(prediction.mean, task.values[rest]) > 0.9
        True
    """

    conditions = True
    _posterior: _Posterior | None = None

    def __init__(self, *, seed: int = 0, max_iterations: int = 50) -> None:
        """Store the arguments.

        Args:
            seed: Which rows the hyperparameters are fitted to where there are more than 400.
            max_iterations: Steps of the optimiser.
        """
        self.seed = seed
        self.max_iterations = max_iterations

    def describe(self, space: SearchSpace, features: Features | None) -> ProcessInputs:
        """What the regression sees of the architectures of ``space``."""
        structure, decisions = StructuralFeatures.of(space), DecisionColumns.of(space)
        old = self._inputs
        if (
            isinstance(old, ProcessInputs)
            and old.structure is structure
            and old.decisions is decisions
            and old.features is features
        ):
            return old
        return ProcessInputs(structure, decisions, self.families, features)

    def learn(self, x: FloatArray, values: FloatArray, others: FloatArray) -> Self:
        """Fit the hyperparameters and condition on all rows."""
        scores = warped(values)
        x = np.asarray(x, dtype=np.float64)
        if isinstance(self._inputs, ProcessInputs):
            kernel: Kernel = self._inputs.kernel()
        else:
            kernel = FamilyKernel(np.zeros(x.shape[1], dtype=np.int64))
        rows = np.arange(len(values))
        if len(rows) > _FIT_ROWS:
            rows = np.random.default_rng(self.seed).permutation(rows)[:_FIT_ROWS]
        hyper = fit_hyperparameters(kernel, x[rows], scores[rows], self.max_iterations)
        self._posterior = _Posterior(kernel, hyper, x, scores)
        self._calibrate(values, scores)
        return self

    def update(self, data: TaskData) -> Self:
        """Condition on all rows with the hyperparameters of the last `fit`.

        If the first rows are those of the last time, only the new ones are added.
        """
        if self._posterior is None or self._inputs is None:
            return self.fit(data)
        values = np.asarray(data.values, dtype=np.float64)
        scores = warped(values)
        x = self._inputs(data.choices).astype(np.float64)
        self._posterior = self._posterior.extended(x, scores)
        self._calibrate(values, scores)
        return self

    def _calibrate(self, values: FloatArray, scores: FloatArray) -> None:
        self._map = QuantileMap(scores, values)
        self._factor = 1.0
        if self._posterior is not None and np.ptp(values) > 0:
            mean, std = self.leave_one_out()
            # The hyperparameters were fitted to all rows: a correction by their number.
            freedom = math.sqrt(1 + self._posterior.kernel.shared / len(values))
            self._factor = freedom * interval_std((values - mean) / std)

    def score_weights(self) -> tuple[KernelParameters, FloatArray]:
        """Hyperparameters, and each row's weight in the mean of a score: float64 (n,).

        The mean of the score of an architecture is the sum of its covariances with the rows times
        these weights. The scores are `warped` values.
        """
        if self._posterior is None:
            raise not_fitted(self)
        return self._posterior.weights

    def leave_one_out_scores(self) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out mean and standard deviation of each row's score, float64 (n,)."""
        if self._posterior is None:
            raise not_fitted(self)
        return self._posterior.leave_one_out()

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out mean and uncalibrated std of each row's value, float64 (n,)."""
        if self._posterior is None:
            raise not_fitted(self)
        return self._map.moments(*self._posterior.leave_one_out())

    def infer(self, x: FloatArray) -> Prediction:
        """Mean and standard deviation of a measurement."""
        if self._posterior is None:
            raise not_fitted(self)
        scores, spread = self._posterior.predict(x)
        mean, std = self._map.moments(scores, spread)
        share = without_noise(spread, self._posterior.noise)
        return Prediction(mean, std * self._factor, std * share)


class ProcessInputs:
    """The process's columns, standardised over the space and ordered by family.

    Columns of decisions come after those of the structure. Features of the data are the last
    family. If all decisions are known beside the graph, options have no columns, and a column with
    the state of each decision comes last, see `DecisionKernel`. The columns of a read-only array of
    encodings, such as `SearchSpace.unique`, are kept.

    Attributes:
        columns: int (m,), positions of the columns of the structure.
        groups: int64 (k,), number of the family of each column, without those of states.
    """

    def __init__(
        self,
        structure: StructuralFeatures,
        decisions: DecisionColumns,
        families: tuple[str, ...],
        features: Features | None,
    ) -> None:
        """Choose the columns of some families."""
        self.structure, self.decisions, self.features = structure, decisions, features
        columns = structure.columns(families)
        groups = np.array([families.index(structure.families[i]) for i in columns], dtype=np.int64)
        order = np.argsort(groups, kind="stable")
        self.columns, self.groups = columns[order], groups[order]
        self._centre = structure.centre[self.columns]
        self._scale = structure.scale[self.columns]
        first = len(families)
        self._of_decisions = (first, first + 1)
        of_values = np.array([family == VALUES for family in decisions.families], dtype=np.int64)
        self._chosen = np.flatnonzero(of_values if decisions.states else np.ones_like(of_values))
        self.groups = np.append(self.groups, first + of_values[self._chosen])
        if features is not None:
            self.groups = np.append(self.groups, [first + 2] * len(features.names))
        self._alike = not self.groups.size
        if self._alike:  # all architectures look the same, but for their states
            self.groups = np.zeros(1, dtype=np.int64)
        self._last: tuple[IntArray, FloatArray] | None = None

    def kernel(self) -> Kernel:
        """The kernel of these columns."""
        families = FamilyKernel(self.groups, self._of_decisions)
        if self.decisions.states is None:
            return families
        return DecisionKernel(
            families,
            self.decisions.states,
            structure=len(self.columns) > 0,
            features=self.features is not None,
        )

    def __call__(self, choices: IntArray) -> FloatArray:
        """Columns of encodings (n, decisions): float32 (n, k)."""
        if self._last is not None and choices is self._last[0]:
            return self._last[1]
        x = self.standardised(self.structure.transform(choices, self.columns), choices)
        if not choices.flags.writeable:
            x.setflags(write=False)
            self._last = (choices, x)
        return x

    def standardised(self, structure: FloatArray, choices: IntArray) -> FloatArray:
        """All columns of encodings, given those of the structure at ``columns``: float32 (n, k)."""
        parts = [(structure - self._centre) / self._scale]
        if len(self._chosen):
            found = self.decisions.transform(choices) - self.decisions.centre
            parts.append((found / self.decisions.scale)[:, self._chosen])
        if self.features is not None:
            parts.append(self.features(choices))
        if self.decisions.states is not None:
            if self._alike:
                parts.append(np.zeros((len(choices), 1), dtype=np.float32))
            parts.append(self.decisions.states(choices).astype(np.float32))
        return with_columns(parts)


def fit_hyperparameters(kernel: Kernel, x: FloatArray, y: FloatArray, max_iterations: int) -> Any:
    """Maximum of the marginal likelihood times the priors, by L-BFGS from the priors' modes."""
    found = minimize(
        partial(negative_log_posterior, kernel),
        kernel.prior_mean,
        args=(x, y),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iterations},
    )
    return kernel.unpack(found.x if np.isfinite(found.fun) else kernel.prior_mean)


class _Posterior:
    """The process conditioned on scores (n,) at x (n, d).

    What it computes for a read-only array of inputs is kept, and shared with the posteriors that
    `extended` makes of it.
    """

    def __init__(
        self, kernel: Kernel, hyper: KernelParameters, x: FloatArray, scores: FloatArray
    ) -> None:
        self.kernel, self._hyper = kernel, hyper
        covariance = kernel(x, x, hyper)
        covariance[np.diag_indices(len(x))] += hyper.noise
        self._whiten = inverse_factor(covariance)
        self._x, self._scores = x, scores
        self._pool: _Pool | None = None

    def extended(self, x: FloatArray, scores: FloatArray) -> _Posterior:
        """The process with the same hyperparameters, conditioned on other rows or more of them."""
        n = len(self._x)
        if len(x) < n or not np.array_equal(x[:n], self._x):
            return _Posterior(self.kernel, self._hyper, x, scores)
        other = copy.copy(self)
        other._x, other._scores = x, scores
        fresh = x[n:]
        if len(fresh) == 0:
            return other
        own = self.kernel(fresh, fresh, self._hyper) + self._hyper.noise * np.eye(len(fresh))
        growth = Growth.of(self._whiten, self.kernel(fresh, self._x, self._hyper), own)
        other._whiten = growth.whiten
        if self._pool is not None:
            known = self._pool.known.extended(self._cross(self._pool.scaled, fresh), growth)
            other._pool = replace(self._pool, known=known)
        return other

    @property
    def weights(self) -> tuple[KernelParameters, FloatArray]:
        """Hyperparameters, and the weight of each row in a mean: float64 (n,)."""
        return self._hyper, self._whiten.T @ (self._whiten @ self._scores)

    @property
    def noise(self) -> float:
        """Variance of the noise of a score."""
        return self._hyper.noise

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out mean and standard deviation of each score, each float64 (n,)."""
        variance = 1 / (self._whiten * self._whiten).sum(axis=0)
        alpha = self._whiten.T @ (self._whiten @ self._scores)
        return self._scores - alpha * variance, np.sqrt(variance)

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of a measured score at x (n, d), each float64 (n,).

        The work is done in the precision of x.
        """
        pool = self._pool
        if pool is None or pool.x is not x:
            scaled = self.kernel.scaled(x, self._hyper)
            white = self._whiten.astype(x.dtype) @ self._cross(scaled, self._x)
            prior = self.kernel.diagonal(x, self._hyper)
            pool = _Pool(x, scaled, Whitened.of(white, prior))
            if not x.flags.writeable:
                self._pool = pool
        variance = pool.known.variance.clip(0) + self._hyper.noise
        return pool.known.mean(self._whiten @ self._scores), np.sqrt(variance)

    def _cross(self, x: KernelRows, rows: FloatArray) -> FloatArray:
        """Covariance of rows (n, d) and m scaled ones, in the precision of these: (n, m)."""
        precision = x.dtype
        scaled = self.kernel.scaled(rows.astype(precision), self._hyper)
        cross = np.empty((len(rows), len(x)), dtype=precision)
        step = max(_CHUNK, _CELLS // len(rows))
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            cross[:, part] = self.kernel.between(scaled, x.take(part), self._hyper)
        return cross


@dataclass(frozen=True, slots=True)
class _Pool:
    """Inputs x (m, d), the same scaled for the kernel, and what the rows say about them."""

    x: FloatArray
    scaled: KernelRows
    known: Whitened


def without_noise(std: FloatArray, noise: float) -> FloatArray:
    """Share of standard deviations (n,) that remains without noise of that variance."""
    return np.asarray(np.sqrt((1 - noise / (std * std)).clip(0)))
