"""How the measurements of ``scripts/bench`` take time."""

from __future__ import annotations

import time
from collections.abc import Callable


def alternate(*functions: Callable[[], object], repetitions: int = 5) -> list[float]:
    """Best seconds of each function; they take turns, so that load falls on all alike."""
    best = [float("inf")] * len(functions)
    for _ in range(repetitions):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best
