"""How long work will still take."""

from __future__ import annotations

import time
from collections.abc import Callable

_LONG = 90  # seconds that are worth an estimate
_AT_ONCE = 1  # seconds: what is done in the first was there already, and tells nothing


class TimeLeft:
    """Estimates the rest of some parts of about equal length from the time of those before."""

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock, with ``total`` parts to do."""
        self.total = total
        self.done = 0
        self._clock = clock
        self._started = clock()
        self._there = 0

    def advance(self) -> str:
        """Count a part as done, and return ``", about N min left"``, or nothing for short work."""
        self.done += 1
        seconds = self._clock() - self._started
        if seconds < _AT_ONCE:
            self._there = self.done
            return ""
        return _text(seconds / (self.done - self._there) * (self.total - self.done))


def _text(seconds: float) -> str:
    if seconds < _LONG:
        return ""
    minutes = round(seconds / 60)
    return f", about {minutes} min left" if minutes < 120 else f", about {minutes // 60} h left"
