"""Hypervolumes of searches of two goals, as shares of the true front's; run by ``scripts/pareto``.

Reads tables of one row an architecture, such as

    scripts/pareto --accuracy nasbench201.csv.gz:cifar10_val200
        --cost nasbench201_devices.csv.gz:edgegpu_latency --searcher nsga2,nsga2+gp --seeds 20

``--known`` lets the searches read the cost of all architectures. Runs that the file of ``--out``
holds already are not repeated. With several searchers each is tested against each other, paired
over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surrogate_nas import make_searcher, search
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import Goal
from surrogate_nas.records.front import Box
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.spaces import open_space

AT = (20, 50, 100, 200)


def column(where: str) -> dict[str, float]:
    """A column ``FILE:NAME`` of a CSV file, by the architecture's text."""
    path, _, name = where.rpartition(":")
    with gzip.open(path, "rt") if path.endswith(".gz") else Path(path).open() as file:
        return {row["arch_str"]: float(row[name] or "nan") for row in csv.DictReader(file)}


def task(space: str, accuracy: str, cost: str, *, known: bool) -> TabularTask:
    """The task of maximising one column and minimising another."""
    opened = open_space(space)
    values, costs = column(accuracy), column(cost)
    texts = list(values)
    choices = np.array([opened.parse(text).choices for text in texts])
    one = TabularTask(
        accuracy.rpartition(":")[2],
        opened,
        choices,
        np.array([values[text] for text in texts]),
        goal=Goal("accuracy"),
        metrics={"cost": np.array([costs.get(text, np.nan) for text in texts])},
    )
    goals = ["accuracy", Goal("cost", maximise=False)]
    return one.with_goals(goals, known=["cost"] if known else [])


def shares(of: TabularTask, name: str, seed: int, trials: int, batch: int) -> list[float]:
    """The share of the true front's hypervolume after each trial."""
    box = Box.of_task(of)
    if box is None:
        raise ValueError("a hypervolume is of two to four goals")
    searcher = make_searcher(name, of.space, seed=seed)
    result = search(searcher, of, trials=trials, batch=batch)
    found: list[float] = box.curve(result).tolist()
    return found


def main() -> None:
    """Run what is missing, and print means, and tests between the searchers."""
    parser = argparse.ArgumentParser(
        prog="scripts/pareto",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--space", default="nasbench201")
    option("--accuracy", required=True, metavar="FILE:COLUMN")
    option("--cost", required=True, metavar="FILE:COLUMN")
    option("--known", action="store_true", help="the searches may read all costs")
    option("--searcher", required=True, metavar="S,…")
    option("--seeds", type=int, default=20)
    option("--first", type=int, default=0, help="the first seed")
    option("--trials", type=int, default=100)
    option("--batch", type=int, default=1)
    option("--out", type=Path, help="a file of JSON lines, which is continued")
    given = parser.parse_args()
    of = task(given.space, given.accuracy, given.cost, known=given.known)
    runs = _kept(given.out)
    where = f"{given.accuracy} {given.cost} known={given.known} batch={given.batch}"
    names, seeds = given.searcher.split(","), range(given.first, given.first + given.seeds)
    for seed, name in itertools.product(seeds, names):
        key = f"{where} {name} {seed}"
        if len(runs.get(key, ())) >= given.trials:
            continue
        start = time.perf_counter()
        runs[key] = shares(of, name, seed, given.trials, given.batch)
        line = {"run": key, "shares": runs[key], "seconds": time.perf_counter() - start}
        if given.out is not None:
            with given.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
    report(where, names, {n: [runs[f"{where} {n} {s}"] for s in seeds] for n in names})


def _kept(out: Path | None) -> dict[str, list[float]]:
    if out is None or not out.exists():
        return {}
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return {line["run"]: line["shares"] for line in lines}


def report(where: str, names: Sequence[str], runs: dict[str, list[list[float]]]) -> None:
    """Print means over the seeds, and one-sided p-values of each pair."""
    shortest = min(len(run) for found in runs.values() for run in found)
    at = [n for n in AT if n <= shortest]
    print(where, f"{len(runs[names[0]])} seeds")
    table = {name: np.array([[run[n - 1] for n in at] for run in runs[name]]) for name in names}
    for name, found in table.items():
        cells = [f"@{n} {m:.4f} (least {w:.3f})" for n, m, w in zip(at, *_ends(found), strict=True)]
        print(f"  {name:24}", "  ".join(cells))
    for better, worse in itertools.permutations(names, 2):
        tests = [
            signed_rank(-a, -b, "less")
            for a, b in zip(table[better].T, table[worse].T, strict=True)
        ]
        if all(p < 0.5 for p in tests):
            print(
                f"  {better} > {worse}: p",
                "  ".join(f"@{n} {p:.2g}" for n, p in zip(at, tests, strict=True)),
            )


def _ends(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return found.mean(axis=0), found.min(axis=0)


if __name__ == "__main__":
    main()
