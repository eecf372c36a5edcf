"""Checks of encodings that a user gives, in a fraction of the time of `SearchSpace.check_all`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.spaces.base import SearchSpace


def checked_choices(space: SearchSpace, choices: IntArray) -> IntArray:
    """Encodings as an array (n, decisions), each number below its decision's number of options.

    Raises:
        InvalidArgumentError: If the shape, the type or a number is another.
    """
    choices = np.asarray(choices)
    sizes = space.sizes
    if choices.ndim != 2 or choices.shape[1] != len(sizes):
        raise InvalidArgumentError(
            f"choices must have the shape (n, {len(sizes)}), a column for each decision of "
            f"{space.name!r}, got the shape {choices.shape}"
        )
    if choices.dtype.kind not in "iu":
        raise InvalidArgumentError(f"choices must be integers, got {choices.dtype}")
    if not choices.size or (choices.min() >= 0 and choices.max() < min(sizes)):
        return choices
    wrong = (choices < 0) | (choices >= np.array(sizes))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise InvalidArgumentError(
            f"choices of the decision {space.decisions[column].name!r} must be between 0 and "
            f"{sizes[column] - 1}, got {choices[row, column]} in row {row}"
        )
    return choices
