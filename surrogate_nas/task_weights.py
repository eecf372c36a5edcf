"""The weights of several tasks for which one architecture is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surrogate_nas.errors import InvalidArgumentError

MEAN = "weighted mean"
"""Name of the metric of several tasks together."""

_ROUNDING = 1e-12  # of a sum of shares


def shares(names: Sequence[str], weights: Sequence[float] | None) -> tuple[float, ...]:
    """Weights with the sum 1.

    Args:
        names: Of the tasks.
        weights: One for each, not negative; None for equal ones.

    Raises:
        InvalidArgumentError: If they are of another number, negative, or all 0.

    Example:
        >>> shares(["cora", "citeseer"], [3, 1])
        (0.75, 0.25)
    """
    if weights is None:
        return (1 / len(names),) * len(names)
    if len(weights) != len(names):
        raise InvalidArgumentError(
            f"weights must be one for each of the {len(names)} tasks ({', '.join(names)}), got "
            f"{len(weights)}"
        )
    if math.isinf(sum(weights)):
        raise InvalidArgumentError(
            f"weights must have a finite sum, got {', '.join(map(str, weights))}"
        )
    total = math.fsum(weights)
    if not all(math.isfinite(w) and w >= 0 for w in weights) or total <= 0:
        raise InvalidArgumentError(
            f"weights must not be negative, and not all 0, got {', '.join(map(str, weights))}"
        )
    if abs(total - 1) < _ROUNDING:  # shares stay the same digits, such as those of a store
        return tuple(weights)
    return tuple(weight / total for weight in weights)
