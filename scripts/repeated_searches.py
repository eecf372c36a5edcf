"""Guided searches with a random part of a table missing; run by ``scripts/repeated-searches``.

A guide with a prior proposes the same architectures whatever the seed is, so one run says little
about how it searches. Here each repetition leaves a random quarter of the task's architectures out,
the same for all methods. A line is the mean over the repetitions: the best architecture so far, as
a rank in percent of the architectures that are there. The last lines are means over the tasks, with
the standard error over repetitions, and the tasks on which the first method is behind another by
more than two standard errors of the paired logarithms.

With ``--whole`` there is one run on all architectures, and ``found`` is the trial that found the
best one. With ``--test`` searches see the test metric, as in publications that have one only;
without, the test metric of the winner by validation is told, and its rank. Meta-learners have
learned from validation metrics.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.transfer import choose_predictor
from surrogate_nas.transfer.choice import PredictorChoice
from surrogate_nas.transfer.meta_training import learns_from_others

TRIALS = (1, 10, 20, 50, 100)
_MISSING = 4  # one of so many architectures


class Run(NamedTuple):
    """One search.

    Attributes:
        ranks: In percent, after `TRIALS`: (5,).
        found: The trial that found the best architecture, or None.
        test: Test metric of the winner, and its rank in percent; NaN where there is none.
    """

    ranks: FloatArray
    found: int | None
    test: tuple[float, float] = (np.nan, np.nan)


def kept(architectures: int, repetition: int) -> IntArray:
    """The architectures, of so many, that a repetition does not leave out, in order."""
    drawn = np.random.default_rng([repetition, 11]).permutation(architectures)
    return np.sort(drawn[: architectures * (_MISSING - 1) // _MISSING])


def part(task: TabularTask, repetition: int | None, *, test: bool = False) -> TabularTask:
    """The task without a random quarter of its architectures, or with None all of it.

    Args:
        task: The whole task.
        repetition: Which part.
        test: Whether the test metric takes the place of the validation metric.
    """
    rows = np.arange(len(task)) if repetition is None else kept(len(task), repetition)
    tests = None if task.test_values is None else task.test_values[rows] * task.own_goal.sign
    if test and tests is None:
        raise SystemExit(f"{task.name} has no test metric")
    values = tests if test and tests is not None else task.values[rows]
    choices = task.choices[rows]
    return TabularTask(task.name, task.space, choices, values, test=tests, isomorphs=task.isomorphs)


def searched(
    task: TabularTask, guide: PredictorChoice, inner: str, repetition: int | None, *, test: bool
) -> Run:
    """Search a part of a task, or with None all of it."""
    some, seed = part(task, repetition, test=test), repetition or 0
    searcher = make_searcher(inner, some.space, seed=seed, predictor=guide.make(some.space, seed))
    trials = search(searcher, some, trials=max(TRIALS), batch=1).trials
    seen = some.rows(np.array([trial.arch.choices for trial in trials]))
    values = some.values[seen]
    best = np.maximum.accumulate(values)
    ranks = np.array([100 * some.rank(best[n - 1]) / len(some) for n in TRIALS])
    top = np.flatnonzero(values == some.optimum)
    found = int(top[0]) + 1 if len(top) else None
    if some.test_values is None:
        return Run(ranks, found)
    won = float(some.test_values[seen[values.argmax()]])
    rank = 100 * (1 + float((some.test_values > won).sum())) / len(some)
    return Run(ranks, found, (won * task.own_goal.sign, rank))


def _line(label: str, numbers: FloatArray, rest: str = "") -> None:
    print(f"{label:32s} {' '.join(f'{number:8.3f}' for number in numbers)} {rest}", flush=True)


def summary(runs: dict[str, dict[str, list[Run]]], methods: Sequence[str]) -> None:
    """Means over tasks of each method, and where the first one is behind another."""
    ranks = {m: np.array([[r.ranks for r in runs[t][m]] for t in runs]) for m in methods}
    for method, found in ranks.items():
        means = found.mean(axis=0)
        _line(f"mean, {method}", means.mean(axis=0))
        if len(means) > 1:
            _line("  standard error", means.std(axis=0, ddof=1) / np.sqrt(len(means)))
        optima = [run.found is not None for task in runs.values() for run in task[method]]
        _line("  best one found, share", np.array([np.mean(optima)]))
        tests = np.array([run.test[1] for task in runs.values() for run in task[method]])
        if not np.isnan(tests).any():
            _line("  rank by test of the winner", np.array([tests.mean()]))
    for method in methods[1:]:
        ratio = np.log(ranks[methods[0]] / ranks[method])  # (tasks, repetitions, trials)
        if ratio.shape[1] < 2:
            continue
        error = ratio.std(axis=1, ddof=1) / np.sqrt(ratio.shape[1])
        behind = ratio.mean(axis=1) > 2 * error
        for n, column in zip(TRIALS[1:], behind.T[1:], strict=True):
            names = [task for task, worse in zip(runs, column, strict=True) if worse]
            print(f"behind {method} after {n}: {', '.join(names) or 'none'}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each task and method, and the means."""
    parser = argparse.ArgumentParser(description="searches with a part of the table missing")
    parser.add_argument("table")
    parser.add_argument("--task", help="default: all tasks of the table")
    parser.add_argument("--predictors", default="meta-gnn,gp")
    parser.add_argument("--searcher", default="evolution")
    parser.add_argument("--repetitions", type=int, default=8)
    parser.add_argument("--whole", action="store_true", help="one run on all architectures")
    parser.add_argument("--leave-one-out", action="store_true", help="instead of installed weights")
    parser.add_argument("--test", action="store_true", help="searches see the test metric")
    options = parser.parse_args(arguments)
    table = open_benchmark(options.table)
    methods = options.predictors.split(",")
    repetitions = [None] if options.whole else range(options.repetitions)
    _line("rank in % after trial", np.array(TRIALS, dtype=np.float64))
    runs: dict[str, dict[str, list[Run]]] = {}
    for name in options.task.split(",") if options.task else table.tasks:
        task = table.task(name)
        for method in methods:
            others = options.leave_one_out and learns_from_others(method)
            guide = choose_predictor(method, task, leave_one_out=others)
            found = [
                searched(task, guide, options.searcher, r, test=options.test) for r in repetitions
            ]
            runs.setdefault(name, {})[method] = found
            first = found[0]
            rest = f"found {first.found}, test {first.test[0]:.4g}" if options.whole else ""
            _line(f"{name}, {method}", np.mean([run.ranks for run in found], axis=0), rest)
    summary(runs, methods)


if __name__ == "__main__":
    main()
