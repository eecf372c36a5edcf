"""Surrogates of complete tables against the tables; run by ``scripts/check-surrogates``.

A surrogate is fitted to 1,000 rows of each table, 500 drawn at random and 500 where searches go,
and checked by `surrogate-nas check-surrogate`. The same rows teach each single predictor, whose
order of all other rows is compared with the surrogate's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks import open_benchmark
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.registry import load
from surrogate_nas.workflows.check_surrogate import check_surrogate
from surrogate_nas.workflows.measurements import sampled_from
from surrogate_nas.workflows.surrogates import build_surrogate

TABLES = (
    "nas-bench-graph:cora,arxiv,proteins",
    "nasbench201:cifar10,cifar100,ImageNet16-120",
    "transnas-micro:class_scene,class_object,jigsaw",
)
PREDICTORS = ("gp", "xgboost", "blend", "forest")


def single(table: str, task: str, choices: IntArray) -> dict[str, float]:
    """Kendall's τ of all other rows, of each predictor that learns from some encodings."""
    opened = open_benchmark(table).task(task)
    known = np.unique(opened.rows(choices))
    rest = np.setdiff1d(np.arange(len(opened)), known)
    found = {}
    for name in PREDICTORS:
        predictor = load("predictor", name)(seed=0).fit(opened.data(known))
        said = predictor.predict(opened.choices[rest]).mean
        found[name] = kendall_tau(said, opened.values[rest])
    return found


def measure(table: str, tasks: Sequence[str], arguments: argparse.Namespace) -> None:
    """Print a line for each task, and keep all in a file."""
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "surrogate.h5")
            rows = sampled_from(table, [task], how="both", count=arguments.rows)
            card = build_surrogate(rows, path).card
            record = check_surrogate(
                path,
                table,
                seeds=arguments.seeds,
                trials=arguments.trials,
                workers=arguments.workers,
            )
        check = record.tasks[0]
        alone = single(table, task, rows.choices)
        best = max(alone, key=lambda name: alone[name])
        print(
            f"{table} {task}: order of searchers τ {check.searchers_tau:.3f} (half of the seeds "
            f"{check.ceiling or float('nan'):.3f}), regret {check.regret:.4g} (one seed "
            f"{check.seed_deviation or float('nan'):.3g}), τ {check.tau:.4f} ({best} alone "
            f"{alone[best]:.4f}), of the good {check.tau_good:.3f}, coverage {check.coverage:.3f}, "
            f"{record.seconds:.0f} s",
            flush=True,
        )
        if arguments.out is not None:
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**record.to_json(), "alone": alone, "card": card}) + "\n")


def main() -> None:
    """Measure all tables."""
    parser = argparse.ArgumentParser(
        prog="scripts/check-surrogates",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--table", action="append", metavar="NAME:TASK,…", help="repeats; default: all")
    option("--rows", type=int, default=1_000)
    option("--seeds", type=int, default=20)
    option("--trials", type=int, default=100)
    option("--workers", type=int, default=1)
    option("--out", type=Path, help="a file of JSON lines that results are added to")
    arguments = parser.parse_args()
    with one_thread():
        for text in arguments.table or TABLES:
            table, _, tasks = text.rpartition(":")
            measure(table, tasks.split(","), arguments)


if __name__ == "__main__":
    main()
