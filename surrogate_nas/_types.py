"""Types of all signatures: arrays, whose shape stands in the docstring, and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

OnStep = Callable[[str], None]
"""Called with a text for each finished part of long work."""


def silent(text: str) -> None:
    """Tell nobody; unlike a lambda, it can be pickled with what holds it."""
