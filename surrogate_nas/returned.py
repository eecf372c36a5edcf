"""What a user's function returned."""

from __future__ import annotations

import reprlib
from typing import Any

from surrogate_nas.errors import WrongValueError


def returned_number(value: Any) -> float:
    """The number that a user's function returned; scalars of numpy and torch are numbers, too.

    Raises:
        WrongValueError: If it is something else, such as a text, a truth value or an array.
    """
    plain = value
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        plain = value.item()
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        shown = reprlib.repr(value)
        raise WrongValueError(
            f"a function that is optimised must return one number, got {shown} "
            f"({type(value).__name__}); return float(...) of the goal's metric"
        )
    return float(plain)
