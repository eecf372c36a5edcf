"""Types of all signatures: arrays, whose shape stands in the docstring, and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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


Progress = Callable[[str, int], AbstractContextManager[OnStep]]
"""Shows work in so many parts under a label: its context gives what is called at each part."""


@contextmanager
def no_progress(label: str, total: int) -> Iterator[OnStep]:
    """Show nothing."""
    yield silent
