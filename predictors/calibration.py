"""Standard deviations that mean what they say: 90 % of the values within 1.645 of them."""

from __future__ import annotations

import math

import numpy as np

from surrogate_nas._types import FloatArray

Z90 = 1.6448536269514722
"""Half the width of a Gaussian's central 90 % interval, in standard deviations."""


def interval_scale(residuals: FloatArray, std: FloatArray, *, prior_weight: float = 0.0) -> float:
    """Factor on ``std`` that makes mean ± 1.645 std cover 90 % of values like the held-out ones.

    The conformal quantile (Papadopoulos et al., "Normalized nonconformity measures for
    regression conformal prediction", 2008), which allows for few residuals.

    Args:
        residuals: float (n,), value minus mean of rows that the mean was not fitted to.
        std: float (n,), their uncalibrated standard deviations, positive.
        prior_weight: How many rows the belief weighs that ``std`` is right already.

    Returns:
        The factor, 1 where there is nothing to learn from.
    """
    ratio = np.sort(np.abs(residuals) / std)
    if ratio.size == 0:
        return 1.0
    level = math.ceil(0.9 * (ratio.size + 1)) - 1
    quantile = float(ratio[min(level, ratio.size - 1)])
    if quantile <= 0.0:
        return 1.0
    weight = ratio.size / (ratio.size + prior_weight)
    return float((quantile / Z90) ** weight)
