"""Rank of a supernet's choice in `cell-bench`, beside searches at equal cost; prints JSON.

Cost is the processor time of this process, with one thread. The cost of a supernet is divided by
that of single trainings of some random cells, trained as for the table. Random search and evolution
may have as many trials, and read their values from the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.parallel import one_thread
from surrogate_nas.records import standing
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher

_SEARCHERS = ("random", "evolution")
_REPLAYS = 100  # seeds of a search on the table, which costs milliseconds
_TIMED = 12  # trainings whose seconds are averaged


def main() -> None:
    """Measure each method at each number of epochs."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--benchmark", default="cell-bench")
    option("--task", default="digits")
    option("--method", default="darts,darts2,gdas")
    option("--epochs", default="3,10")
    option("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    task = open_benchmark(arguments.benchmark).task(arguments.task)
    rows = []
    with one_thread():
        for epochs in map(int, arguments.epochs.split(",")):
            for method in arguments.method.split(","):
                rows.append(measured(task, method, epochs, arguments.seeds))
                print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({"task": arguments.task, "cells": len(task), "rows": rows}, indent=1))


def measured(task: TabularTask, method: str, epochs: int, seeds: int) -> dict[str, Any]:
    """Ranks of what a method chooses with some seeds, and what searches find at that cost."""
    from surrogate_nas.training.datasets.base import open_dataset
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.supernet import search_supernet

    how = task.training
    assert how is not None
    dataset = open_dataset(how["dataset"])
    how_to = {"recipe": how["recipe"], "settings": how["settings"], "device": "cpu"}
    objective = TrainingObjective(task.space, dataset, epochs=how["epochs"], **how_to)
    ranks, cells, costs = [], [], []
    for seed in range(seeds):
        choose = partial(
            search_supernet, dataset, method=method, epochs=epochs, seed=seed, **how_to
        )
        found, seconds = timed(choose)
        rng = np.random.default_rng(seed)
        single = [
            timed(partial(objective.evaluate, task.space.sample(rng)))[1] for _ in range(_TIMED)
        ]
        costs.append(seconds / np.mean(single))
        ranks.append(task.rank(task.evaluate(found.architecture).value))
        cells.append(task.space.format(found.architecture))
    trials = max(1, round(float(np.mean(costs))))
    row: dict[str, Any] = {
        "method": method,
        "epochs": epochs,
        "trainings_of_equal_cost": trials,
        "ranks": ranks,
        "rank": summary(ranks),
        "cells": cells,
    }
    for name in _SEARCHERS:
        row[name] = summary([replay(task, name, trials, seed) for seed in range(_REPLAYS)])
    return row


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a function, and its processor time in seconds."""
    start = time.process_time()
    return function(), time.process_time() - start


def replay(task: TabularTask, name: str, trials: int, seed: int) -> int:
    """Rank of the best of a search on the table."""
    found = search(make_searcher(name, task.space, seed=seed), task, trials=min(trials, len(task)))
    rank = standing(task, found.best).rank
    assert rank is not None
    return rank


def summary(ranks: list[int]) -> dict[str, float]:
    """Mean and median."""
    return {"mean": round(float(np.mean(ranks)), 1), "median": float(np.median(ranks))}


if __name__ == "__main__":
    main()
