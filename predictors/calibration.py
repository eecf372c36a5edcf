"""Standard deviations that mean what they say: 90 % of new values within 1.645 of them."""

from __future__ import annotations

import math

import numpy as np

from surrogate_nas._types import FloatArray

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


def least_std(values: FloatArray) -> float:
    """A positive deviation that is negligible at the scale of values (n,)."""
    return max(1e-6 * float(np.ptp(values)), 1e-9 * float(np.abs(values).max()), 1e-12)
