"""An architecture: the name of its space and a number for each decision."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_nas._types import IntArray


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One architecture: the name of its space and the number of an option for each decision.

    Example:
        >>> arch = Architecture("nats-size", (0, 1, 2, 3, 4))
        >>> arch.choices[-1]
        4
    """

    space: str
    choices: tuple[int, ...]


def frozen(array: IntArray) -> IntArray:
    """Make an array read-only, because it will be returned many times; the same array."""
    array.setflags(write=False)
    return array
