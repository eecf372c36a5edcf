"""Standard deviations that mean what they say: 90 % of new values within 1.645 of them."""

from __future__ import annotations

import math

import numpy as np

from surrogate_nas._types import FloatArray, IntArray

Z90 = 1.6448536269514722
"""Half the width of a Gaussian's central 90 % interval, in standard deviations."""


def interval_std(residuals: FloatArray) -> float:
    """Standard deviation by which mean ± 1.645 std covers 90 % of values like the held-out ones.

    The conformal quantile, which allows for few residuals (Lei et al., "Distribution-Free
    Predictive Inference for Regression", 2018).

    Args:
        residuals: float (n,), value minus mean of rows that the mean was not fitted to, n >= 1;
            divided by uncalibrated deviations, the result is the factor on these.
    """
    size = np.sort(np.abs(residuals))
    place = min(math.ceil(0.9 * (size.size + 1)), size.size) - 1
    return float(size[place]) / Z90


def folds(n: int, members: int, seed: int) -> IntArray:
    """The fold of each of n rows, as many folds as members if there are enough rows: int (n,)."""
    return np.random.default_rng(seed).permutation(n) % min(members, n)


def constant_std(residuals: FloatArray, apart: FloatArray) -> float:
    """What an ensemble adds to its spread, where each member left out one fold of the rows.

    In the mean square, a member errs more than the mean of all by its distance from that mean
    (Krogh and Vedelsby, "Neural Network Ensembles, Cross Validation, and Active Learning",
    NeurIPS 1995), and the spread of a prediction has this distance already: both go off.

    Args:
        residuals: float (n,), value minus prediction of the member that left the row out.
        apart: float (m,), variance of the members' predictions of rows that none has seen.
    """
    variance = interval_std(residuals) ** 2 - 2 * float(np.median(apart))
    return math.sqrt(max(variance, 0.0))


def least_std(values: FloatArray) -> float:
    """A positive deviation that is negligible at the scale of values (n,)."""
    return max(1e-6 * float(np.ptp(values)), 1e-9 * float(np.abs(values).max()), 1e-12)
