"""Guided and unguided searches of three quarters of tables; run by ``scripts/partial-tables``.

Each repetition leaves out the same architectures as one of ``scripts/repeated-searches``, and has
its number as the seed. Here DIR/compare.json is written as by ``surrogate-nas compare``, so that
``scripts/guidance`` tells whether a guide that draws no random numbers ends behind what it guides.
DIR/runs.jsonl keeps what is done, so that a stopped call goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from repeated_searches import part

from surrogate_nas.benchmarks import open_benchmark
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.records.comparison import Run, Summary
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.method import Method
from surrogate_nas.transfer import choose_predictor

Key = tuple[str, str, int]
"""Task, method and repetition."""


def ranks(task: TabularTask, method: str, repetition: int, trials: int, own: bool) -> list[int]:
    """The rank of the best architecture in the part of the table, after each trial.

    Args:
        task: The whole task.
        method: Name of the method.
        repetition: Which part.
        trials: How many, one at a time.
        own: Whether what learns from other tasks learns from the others of this table.
    """
    parsed = Method.parse(method)
    predictor = None
    if parsed.guide is not None:
        predictor = choose_predictor(parsed.guide, task, leave_one_out=own).make
    some = part(task, repetition)
    searcher = make_searcher(parsed.name, some.space, seed=repetition, predictor=predictor)
    result = search(searcher, some, trials=trials, batch=1)
    values = [trial.value for trial in result.trials if trial.value is not None]  # none fails
    return [some.rank(best) for best in np.maximum.accumulate(values).tolist()]


def measured(
    keys: Sequence[Key], run: Callable[[Key], list[int]], file: Path
) -> dict[Key, list[int]]:
    """Ranks of all runs; those in a file of an earlier call are not repeated."""
    found: dict[Key, list[int]] = {}
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            task, method, repetition, row = json.loads(line)
            found[task, method, repetition] = row
    for key in keys:
        if key not in found:
            found[key] = run(key)
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([*key, found[key]]) + "\n")
            print(*key, found[key][-1], flush=True)
    return {key: found[key] for key in keys}


def record(benchmark: str, found: dict[Key, list[int]]) -> ComparisonRecord:
    """The runs as those of a comparison."""
    runs = []
    for (task, method, repetition), row in found.items():
        searcher, _, guide = method.partition("+")
        of = Run(
            task, searcher, guide or None, guide or None, repetition, 0, (), tuple(row), (), ()
        )
        runs.append(of)
    return ComparisonRecord(benchmark, tuple(runs), Summary((), (), (), ()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all methods on all tasks, and write the comparison."""
    parser = argparse.ArgumentParser(
        prog="scripts/partial-tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("benchmark")
    option("--task", help="T,U; default: all")
    option("--searcher", default="evolution,local,evolution+meta-gnn", help="S,T+PREDICTOR,…")
    option("--leave-one-out", action="store_true", help="learn from the others of these tasks")
    option("--repetitions", type=int, default=12)
    option("--trials", type=int, default=200)
    option("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    benchmark = open_benchmark(options.benchmark)
    names = options.task.split(",") if options.task else benchmark.tasks
    tasks = {name: benchmark.task(name) for name in names}
    keys = [
        (task, method, repetition)
        for task in tasks
        for repetition in range(options.repetitions)
        for method in options.searcher.split(",")
    ]
    options.out.mkdir(parents=True, exist_ok=True)

    def run(key: Key) -> list[int]:
        task, method, repetition = key
        return ranks(tasks[task], method, repetition, options.trials, options.leave_one_out)

    found = measured(keys, run, options.out / "runs.jsonl")
    written = json.dumps(record(benchmark.name, found).to_json())
    (options.out / "compare.json").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
