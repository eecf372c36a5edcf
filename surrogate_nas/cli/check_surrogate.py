"""``surrogate-nas check-surrogate``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import names, only_json, positive, progress, write_json
from surrogate_nas.number_text import rounded

if TYPE_CHECKING:
    from surrogate_nas.records.surrogates import SurrogateCheckRecord

SUMMARY = "check a surrogate against a table"
DESCRIPTION = """\
Search a surrogate benchmark and a table of the same space with the same searchers and seeds, and
compare: the order of the searchers at several budgets, how good the surrogate's best architecture
really is, the order of architectures that it was not fitted to, and how often its intervals hold
their values."""
EXAMPLE = """\
surrogate-nas build --surrogate nas-bench-graph --task cora --sample both --count 1000 \\
      --out cora.h5
  surrogate-nas check-surrogate cora.h5 --truth nas-bench-graph"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("surrogate", metavar="FILE", help="a surrogate of `build --surrogate`, or its name")
    option("--truth", required=True, metavar="TABLE", help="a table of the same space")
    option("--task", type=names, metavar="T,…", help="default: all that both have")
    option(
        "--searcher",
        type=names,
        metavar="S,…",
        help="random, evolution+gp, … (default: eight without a predictor)",
    )
    option(
        "--seeds",
        type=positive,
        default=20,
        metavar="K",
        help="searches of each searcher on each side (default: %(default)s)",
    )
    option("--trials", type=positive, default=100, metavar="N", help="default: %(default)s")
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")


def run(arguments: argparse.Namespace) -> int:
    """Check, and report."""
    with only_json(arguments.json):
        from surrogate_nas.workflows.check_surrogate import SEARCHERS, check_surrogate

        record = check_surrogate(
            arguments.surrogate,
            arguments.truth,
            tasks=arguments.task,
            searchers=arguments.searcher or SEARCHERS,
            seeds=arguments.seeds,
            trials=arguments.trials,
            workers=arguments.workers,
            progress=progress,
        )
    if arguments.json:
        write_json(record)
    else:
        _show(record)
    return 0


def _show(record: SurrogateCheckRecord) -> None:
    print(f"{record.path} against {record.against}, {record.seeds} seeds")
    for task in record.tasks:
        ceiling = "" if task.ceiling is None else f" (half of the seeds: {task.ceiling:.2f})"
        seed = task.seed_deviation
        noise = "" if seed is None else f", one seed: {rounded(seed, 3)}"
        regret = rounded(task.regret, 3)
        print(
            f"{task.task}: order of {len(record.searchers)} searchers at {len(task.at)} budgets "
            f"τ {task.searchers_tau:.2f}{ceiling}; regret of the best {regret}{noise}; "
            f"τ {task.tau:.3f}, of the good {task.tau_good:.3f}; 90 % intervals hold "
            f"{100 * task.coverage:.1f} %"
        )
