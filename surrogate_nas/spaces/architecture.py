"""What an architecture is to all of this program: a space's name and numbers of options."""

from __future__ import annotations

from dataclasses import dataclass

from surrogate_nas._types import IntArray


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One architecture: its space's name and one option number a decision.

    Example:
        >>> arch = Architecture("nats-size", (0, 1, 2, 3, 4))
        >>> arch.choices[-1]
        4
    """

    space: str
    choices: tuple[int, ...]


def frozen(array: IntArray) -> IntArray:
    """The same array, made read-only: for arrays that are handed out again and again."""
    array.setflags(write=False)
    return array
