"""Timing for the measurements of ``scripts/bench``."""

from __future__ import annotations

import time
from collections.abc import Callable


def alternate(*functions: Callable[[], object], repetitions: int = 5) -> list[float]:
    """Best time of each function in seconds; they alternate, so that load affects all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(repetitions):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best
