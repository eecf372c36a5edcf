"""Measures searches of weighted means of several tasks; run by ``scripts/weighted-tasks``.

For each group of tasks, weights are drawn at random. The method learns from the other tasks of the
table, and predicts each task of the mean; the baseline learns from the search alone. It prints the
regret in the mean over all draws, and the number of trials after which the method's mean regret is
that of the baseline at the end:

    scripts/weighted-tasks --benchmark nas-bench-graph --group cora,citeseer --group cs,physics

``--one-task`` also tries the method with the mean as if it were one task.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.combined import combined, weighted_metrics
from surrogate_nas.cli.console import names, natural, note, positive
from surrogate_nas.parallel import one_thread
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.transfer import PredictorChoice, choose_predictor

_AT = (5, 10, 20, 25, 50, 100)


def main() -> None:
    """Print mean regrets after some trials."""
    parser = argparse.ArgumentParser(
        prog="scripts/weighted-tasks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--benchmark", required=True)
    option("--group", type=names, action="append", required=True, metavar="T1,T2")
    option("--searcher", default="evolution")
    option("--predictor", default="meta-gnn")
    option("--baseline", default="gp")
    option("--weights", type=positive, default=10, help="draws for each group")
    option("--trials", type=positive, default=50)
    option("--seed", type=natural, default=0)
    option("--one-task", action="store_true", help="also with the mean as one task")
    given = parser.parse_args()
    found: dict[str, list[FloatArray]] = {}
    with one_thread():
        for number, group in enumerate(given.group):
            _group(given, number, group, found)
    _report(found, given.trials)


def _group(
    given: argparse.Namespace, number: int, group: list[str], found: dict[str, list[FloatArray]]
) -> None:
    tasks = [open_benchmark(given.benchmark).task(name) for name in group]
    rng = np.random.default_rng([given.seed, number])
    guide: PredictorChoice | None = None
    for draw in range(given.weights):
        task = combined(tasks, rng.dirichlet(np.ones(len(tasks))).tolist())
        if guide is None:
            guide = choose_predictor(given.predictor, task, leave_one_out=True)
        methods = {
            given.baseline: choose_predictor(given.baseline, task),
            given.predictor: replace(guide, parts=weighted_metrics(task)),
        }
        if given.one_task:
            methods[f"{given.predictor}, the mean as one task"] = replace(guide, parts=())
        for name, choice in methods.items():
            found.setdefault(name, []).append(_regrets(given, task, choice, draw))
        note(f"{'+'.join(group)}, draw {draw + 1}/{given.weights}")


def _regrets(
    given: argparse.Namespace, task: TabularTask, choice: PredictorChoice, seed: int
) -> FloatArray:
    searcher = make_searcher(given.searcher, task.space, seed=seed, predictor=choice.make)
    result = search(searcher, task, trials=given.trials)
    return np.asarray(task.optimum - result.curve)


def _report(found: dict[str, list[FloatArray]], trials: int) -> None:
    curves = {name: np.array(rows) for name, rows in found.items()}
    goal = next(iter(curves.values()))[:, -1].mean()
    for name, rows in curves.items():
        mean = rows.mean(axis=0)
        shown = "  ".join(f"@{n} {mean[n - 1]:.4f}" for n in _AT if n <= trials)
        reached = np.flatnonzero(mean <= goal)
        when = f"after {reached[0] + 1} trials" if reached.size else "not reached"
        print(f"{name}: regret {shown}; the baseline's last {goal:.4f}: {when}")


if __name__ == "__main__":
    main()
