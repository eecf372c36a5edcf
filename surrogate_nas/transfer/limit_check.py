"""Measures the best networks of a search under a limit, and learns from each measurement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.transfer.cost_model import CostModel

SURE = 0.95
"""Probability of keeping the limit that the last measurement asks for, if none kept it before."""


def measured_in_turn(
    model: CostModel,
    limit: float,
    choices: IntArray,
    values: FloatArray,
    measure: Callable[[IntArray], float | None],
    *,
    top: int,
    confidence: float,
) -> dict[int, float]:
    """Measure up to ``top`` networks, one after the other.

    The next one is the best that keeps the limit with the given probability, by all measurements so
    far. As long as none has kept it, this probability grows, so that the last one is nearly sure.
    Where none is so sure, the surest is measured.

    Args:
        model: What networks are expected to cost.
        limit: Of the cost, in its own sign; the metric's direction says which side is allowed.
        choices: Candidates, int (n, decisions).
        values: What they are worth, larger is better: float (n,).
        measure: The cost of encodings (decisions,), or None where that failed.
        top: Number of measurements.
        confidence: See above.

    Returns:
        Measured costs by the position of the candidate, in the order in which they were measured.
    """
    sign = model.goal.sign
    found: dict[int, float] = {}
    open_: BoolArray = np.ones(len(choices), dtype=np.bool_)
    growth = max(SURE - confidence, 0.0) / max(top - 1, 1)
    for number in range(min(top, len(choices))):
        kept = any(sign * cost >= sign * limit for cost in found.values())
        asked = confidence if kept else confidence + growth * number
        margin = sign * (model.bound(choices, asked) - limit)
        likely = open_ & (margin >= 0)
        score = (
            np.where(likely, values, -np.inf) if likely.any() else np.where(open_, margin, -np.inf)
        )
        at = int(score.argmax())
        open_[at] = False
        cost = measure(choices[at])
        if cost is None:
            continue
        found[at] = cost
        known = np.array(list(found))
        model = model.with_measured(choices[known], np.array(list(found.values())))
    return found
