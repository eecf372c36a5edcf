"""Numbers that describe tasks, such as the size of a data set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surrogate_nas.errors import InvalidArgumentError

Descriptor = Mapping[str, float]
"""Numbers by name that describe a task."""


def checked_descriptor(numbers: Descriptor) -> dict[str, float]:
    """Numbers by name that describe a task, in alphabetical order.

    Raises:
        InvalidArgumentError: If they are something else, or not finite.
    """
    if not isinstance(numbers, Mapping):
        raise InvalidArgumentError(f"a descriptor must be numbers by name, got {numbers!r}")
    for name, number in numbers.items():
        fits = isinstance(name, str) and isinstance(number, int | float | np.number)
        if not (fits and np.isfinite(number)):
            raise InvalidArgumentError(
                f"a descriptor must consist of finite numbers, got {number!r} for {name!r}"
            )
    return {name: float(numbers[name]) for name in sorted(numbers)}
