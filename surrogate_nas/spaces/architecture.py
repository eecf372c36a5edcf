"""One architecture, and the decisions that it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surrogate_nas._types import IntArray

Kind = Literal["categorical", "ordinal", "number"]


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One architecture: its space's name and one option number a decision."""

    space: str
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and the names of its options.

    Attributes:
        name: Its name, unique in its space.
        options: Names of the options.
        kind: ``"categorical"``: options are only equal or different; ``"ordinal"``: their order
            counts; ``"number"``: so do their values.
        values: The number that each option stands for, on the scale on which equal steps mean
            equally much; None where the options are no numbers.
    """

    name: str
    options: tuple[str, ...]
    kind: Kind = "categorical"
    values: tuple[float, ...] | None = None


def frozen(array: IntArray) -> IntArray:
    """The same array, made read-only: for arrays that are handed out again and again."""
    array.setflags(write=False)
    return array
