"""How long guided searches take, and whether late steps take longer; part of ``scripts/bench``."""

from __future__ import annotations

import time

import numpy as np

_GUIDES = ("gp", "meta-gnn")
_TRIALS = 200
_STEPS = 1_000
_AROUND = 5  # neighbouring steps on each side, over which the median is taken


def guided() -> dict[str, float]:
    """Searches of 26,206 architectures, one trial at a time, after loading.

    200 trials may take 3 s, and the last of 1,000 steps twice as long as the tenth.
    """
    found: dict[str, float] = {}
    for guide in _GUIDES:
        _steps(guide, 12)  # encodes all architectures
        found[f"{guide}_seconds"] = min(sum(_steps(guide, _TRIALS)) for _ in range(2))
        seconds = _steps(guide, _STEPS)
        tenth = np.median(seconds[9 - _AROUND : 10 + _AROUND])
        found[f"{guide}_last_to_tenth"] = float(np.median(seconds[-2 * _AROUND :]) / tenth)
    return found | {"seconds_limit": 3, "last_to_tenth_limit": 2}


def _steps(guide: str, trials: int) -> list[float]:
    """Seconds of each step of a search."""
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.run import search
    from surrogate_nas.searchers.factory import make_searcher
    from surrogate_nas.transfer import choose_predictor

    task = open_benchmark("nas-bench-graph").task("cora")
    predictor = choose_predictor(guide, task).make
    searcher = make_searcher("evolution", task.space, seed=0, predictor=predictor)
    times = [time.perf_counter()]
    search(
        searcher,
        task,
        trials=trials,
        callbacks=[lambda trial: times.append(time.perf_counter())],
    )
    return np.diff(times).tolist()
