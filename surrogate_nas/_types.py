"""Types used in signatures: arrays, whose shapes are in the docstrings, and callbacks."""

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
    """Do nothing; unlike a lambda, this can be pickled."""


Progress = Callable[[str, int], AbstractContextManager[OnStep]]
"""Makes a context for work of a label and a number of parts, which yields a callback for each part.

The number is 0 if it is not known.
"""


@contextmanager
def no_progress(label: str, total: int) -> Iterator[OnStep]:
    """Show nothing."""
    yield silent
