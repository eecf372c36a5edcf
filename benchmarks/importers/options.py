"""Finds the option that a text means: by name, by number in any form, or as true or false."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from surrogate_nas.errors import UnknownNameError
from surrogate_nas.spaces.base import Decision

UNKNOWN, ABSENT = -1, -2

_ABSENT = ("", "-", "none", "null", "nan", "na", "n/a")
_TRUTH = {"1": "true", "1.0": "true", "yes": "true", "0": "false", "0.0": "false", "no": "false"}
_ROUNDED = 1e-5  # numbers that agree in five digits are the same


class OptionReader:
    """Finds the option of a decision that a text means.

    An exact name takes precedence. Else ``4.0`` is the option ``4`` and ``1e-3`` is ``0.001``;
    ``True``, ``1`` and ``yes`` are ``true``. Upper and lower case make no difference unless two
    options differ in case only.
    """

    def __init__(
        self, decision: Decision, *, nearest: bool = False, decimal_comma: bool = False
    ) -> None:
        """Prepare for one decision.

        Args:
            decision: The decision.
            nearest: Whether a number between two options means the nearer one.
            decimal_comma: Whether ``0,5`` means 0.5.
        """
        options = decision.options
        self.decision = decision
        self._nearest = nearest
        self._decimal_comma = decimal_comma
        self._found: dict[str, int] = {option: i for i, option in enumerate(options)}
        self._lower: dict[str, int] = {}
        for i, option in enumerate(options):
            low = option.lower()
            self._lower[low] = UNKNOWN if low in self._lower else i
        self._truth = set(self._lower) == {"true", "false"}
        self._numbers = np.array([_number(option) for option in options])

    def numbers(self, texts: Sequence[str]) -> list[int]:
        """The number of the option of each text, `UNKNOWN`, or `ABSENT` where a text is empty."""
        found = self._found
        try:
            return [found[text] for text in texts]
        except KeyError:
            return [self.number(text) for text in texts]

    def number(self, text: str) -> int:
        """As `numbers`, of one text."""
        if text not in self._found:
            self._found[text] = self._read(text)
        return self._found[text]

    def _read(self, text: str) -> int:
        low = text.strip().lower()
        if low in self._lower:
            return self._lower[low]
        if low in _ABSENT:
            return ABSENT
        if self._truth:
            return self._lower.get(_TRUTH.get(low, low), UNKNOWN)
        number = _number(low.replace(",", ".", 1) if self._decimal_comma else low)
        if math.isnan(number) or np.isnan(self._numbers).all():
            return UNKNOWN
        return self._near(number)

    def _near(self, number: float) -> int:
        away = np.abs(self._numbers - number)
        equal = np.flatnonzero(away <= _ROUNDED * abs(number))
        if equal.size:
            return int(equal[np.argmin(away[equal])])
        low, high = np.nanmin(self._numbers), np.nanmax(self._numbers)
        if not self._nearest or self.decision.values is None or not low <= number <= high:
            return UNKNOWN
        values = np.array(self.decision.values)
        if self._numbers.min() > 0 and np.allclose(values, np.log(self._numbers)):
            number = math.log(number)
        return int(np.argmin(np.abs(values - number)))

    def unknown(self, text: str) -> UnknownNameError:
        """The error for a text that means no option."""
        return UnknownNameError(f"{self.decision.name} option", text, self.decision.options)


def _number(text: str) -> float:
    """The number in a text, NaN if it is no finite number."""
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
