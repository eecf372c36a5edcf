"""Calibration: 90 % of new values shall lie within 1.645 standard deviations of the mean."""

from __future__ import annotations

import math

import numpy as np

from surrogate_nas._types import FloatArray, IntArray

Z90 = 1.6448536269514722
"""Half the width of a Gaussian's central 90 % interval, in standard deviations."""


def interval_std(residuals: FloatArray) -> float:
    """Standard deviation with which mean ± 1.645 std covers 90 % of new values.

    It is the conformal quantile of the residuals, which allows for a small number of them (Lei
    et al., "Distribution-Free Predictive Inference for Regression", 2018).

    Args:
        residuals: float (n,), value minus mean of held-out rows, n >= 1. If they are divided by
            uncalibrated deviations, the result is the factor by which to scale these.
    """
    size = np.sort(np.abs(residuals))
    position = min(math.ceil(0.9 * (size.size + 1)), size.size) - 1
    return float(size[position]) / Z90


def folds(n: int, members: int, seed: int) -> IntArray:
    """The fold of each of n rows, int (n,); there is one fold a member if n allows it."""
    return np.random.default_rng(seed).permutation(n) % min(members, n)


def constant_std(residuals: FloatArray, disagreement: FloatArray) -> float:
    """The constant deviation that an ensemble adds to the disagreement of its members.

    Each member was trained without one fold. Its squared error on that fold exceeds the squared
    error of the ensemble by the disagreement, on average (Krogh and Vedelsby, "Neural Network
    Ensembles, Cross Validation, and Active Learning", NeurIPS 1995). The variance of a
    prediction contains the disagreement as well. So it is subtracted twice.

    Args:
        residuals: float (n,), value minus the prediction of the member that was trained
            without the row.
        disagreement: float (m,), variance of the members' predictions for rows that none of
            them was trained on.
    """
    variance = interval_std(residuals) ** 2 - 2 * float(np.median(disagreement))
    return math.sqrt(max(variance, 0.0))


def least_std(values: FloatArray) -> float:
    """A positive deviation that is negligible at the scale of values (n,)."""
    return max(1e-6 * float(np.ptp(values)), 1e-9 * float(np.abs(values).max()), 1e-12)
