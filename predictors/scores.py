"""Warped values: what predictors learn instead of a metric, and how they are mapped back."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.special import ndtri

from surrogate_nas._types import FloatArray
from surrogate_nas.predictors.calibration import least_std

_SQUEEZE = 1.1  # ranks fill the central 1 / 1.1 of a Gaussian

_QUARTILES = 1.349  # distance of the quartiles of a standard Gaussian

_REACH = 4.0

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)

_WEIGHTS /= _WEIGHTS.sum()

_MEANS, _STDS = 96, 12  # of scores, tabulated

_WIDEST = 2.0  # of these standard deviations


def normal_scores(values: FloatArray) -> FloatArray:
    """Normal scores of the ranks of values (n,), slightly compressed; equal values share one."""
    _, number, count = np.unique(values, return_inverse=True, return_counts=True)
    share = (np.cumsum(count) - count / 2) / len(values)
    return np.asarray(ndtri(0.5 + (share - 0.5) / _SQUEEZE))[number]


def warped(values: FloatArray) -> FloatArray:
    """What the process learns of values (n,): increasing in them, and equal for equal ones.

    The mean of their normal scores and of ``asinh`` of their robust z-scores, each standardised.
    Scores alone lose how bad the bad values are, which helps to order few rows. Z-scores alone
    let the bad values dominate.
    """
    if np.ptp(values) == 0:
        return np.zeros(len(values))
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    scale = (high - low) / _QUARTILES or float(values.std())
    parts = normal_scores(values), np.arcsinh((values - middle) / scale)
    return np.asarray(sum((part - part.mean()) / part.std() for part in parts) / len(parts))


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
        """Mean and standard deviation of the values of Gaussian scores, each float64 (n,).

        Interpolated in a table, which costs less than one quadrature for each score.
        """
        row = (mean - self._score[0]) * ((_MEANS - 1) / (self._score[-1] - self._score[0]))
        row = row.clip(0, _MEANS - 1)
        column = std * ((_STDS - 1) / _WIDEST)
        i = np.minimum(row.astype(np.intp), _MEANS - 2)
        j = np.minimum(column.astype(np.intp), _STDS - 2)
        row -= i
        column -= j
        at = i * _STDS + j
        found = []
        for table in self._table:
            low, high = table.take(at), table.take(at + _STDS)
            low += column * (table.take(at + 1) - low)
            high += column * (table.take(at + _STDS + 1) - high)
            found.append(low + row * (high - low))
        return found[0], found[1]

    def means(self, std: float) -> tuple[FloatArray, FloatArray]:
        """Scores and the means of `moments` there for one deviation, to be interpolated: (m,)."""
        mean = np.linspace(self._score[0], self._score[-1], _MEANS)
        return mean, self.moments(mean, np.full(_MEANS, std))[0]

    @cached_property
    def _table(self) -> tuple[FloatArray, FloatArray]:
        """The moments, by Gauss-Hermite quadrature, at a grid of means and deviations."""
        mean = np.linspace(self._score[0], self._score[-1], _MEANS)
        std = np.linspace(0.0, _WIDEST, _STDS)
        values = self(mean[:, None, None] + std[:, None] * _NODES).reshape(-1, len(_NODES))
        centre = values @ _WEIGHTS
        return centre, np.sqrt(((values - centre[:, None]) ** 2) @ _WEIGHTS)


def _outer_slope(score: FloatArray, value: FloatArray) -> float:
    """Mean slope of the first fifth of the scores; negligible where there is but one value."""
    if len(value) == 1:
        return least_std(value)
    fifth = int(np.searchsorted(score, ndtri(0.2), side="right"))
    inner = min(max(fifth, 1), len(score) - 1)
    return float((value[inner] - value[0]) / (score[inner] - score[0]))
