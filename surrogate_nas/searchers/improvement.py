"""Expected hypervolume improvement of independent Gaussian predictions; larger is better."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.fronts import nondominated

MOST_EXACT = 3
"""Number of goals up to which the improvement is computed."""

_ROOT = 1 / math.sqrt(2 * math.pi)


def partial_means(mean: FloatArray, std: FloatArray, levels: FloatArray) -> FloatArray:
    """Expected excess of Gaussian values over levels: float64 (n, levels).

    Args:
        mean: float (n,).
        std: float (n,); 0 where the value is known.
        levels: float (levels,).
    """
    excess = mean[:, None] - levels
    sure = std <= 0
    if sure.all():
        return np.asarray(np.maximum(excess, 0.0))
    spread = np.where(sure, 1.0, std)[:, None]
    z = excess / spread
    density = np.exp(-0.5 * z * z) * _ROOT
    expected = excess * ndtr(z) + spread * density
    return np.asarray(np.where(sure[:, None], np.maximum(excess, 0.0), np.maximum(expected, 0.0)))


def expected_hypervolume_improvement(
    mean: FloatArray, std: FloatArray, front: FloatArray, beyond: FloatArray
) -> FloatArray:
    """How much hypervolume a measurement of each candidate is expected to add, exactly.

    The part of the box that no row of the front dominates is cut into boxes, over each of which
    the expectation is a product of one-dimensional ones (Emmerich et al., "Hypervolume-based
    expected improvement: monotonicity properties and exact computation", CEC 2011). With two
    goals there is a box more than rows; with each further goal the number of boxes grows by about
    this factor.

    Args:
        mean: Of n candidates: float (n, goals).
        std: Likewise; 0 where a goal is known.
        front: What was measured: float (m, goals), dominated rows too.
        beyond: The reference point: float (goals,).

    Returns:
        float64 (n,).

    Raises:
        InvalidArgumentError: If there are more than `MOST_EXACT` goals.
    """
    inside = front[(front > beyond).all(axis=1)]
    inside = np.unique(inside[nondominated(inside)], axis=0)
    goals = mean.shape[1]
    if goals > MOST_EXACT:
        raise InvalidArgumentError(
            f"the expected improvement is of at most {MOST_EXACT} goals, got {goals}"
        )
    levels = [np.append(beyond[j], np.unique(inside[:, j])) for j in range(goals)]
    over = [partial_means(mean[:, j], std[:, j], levels[j]) for j in range(goals)]
    if goals == 1:
        return over[0][:, -1]
    # Expected length inside each step between two levels; the last step has no end.
    steps = [each - np.pad(each[:, 1:], ((0, 0), (0, 1))) for each in over[1:]]
    total = np.zeros(len(mean))
    for k, floor in enumerate(levels[2] if goals == 3 else [None]):
        rows = inside if floor is None else inside[inside[:, 2] > floor]
        reach = rows[:, 1] > levels[1][:, None]
        best = np.where(reach, rows[:, 0], beyond[0]).max(axis=1, initial=beyond[0])
        slab = np.einsum("ns,ns->n", steps[0], over[0][:, np.searchsorted(levels[0], best)])
        total += slab if floor is None else steps[1][:, k] * slab
    return total
