"""``surrogate-nas meta-train``."""

from __future__ import annotations

import argparse

from surrogate_nas.cli.console import names, natural, note, only_json, positive, write_json

SUMMARY = "train a predictor across tasks"
DESCRIPTION = """\
Meta-train a predictor on the tasks of one or more tables, and keep its weights in a file, which
--predictor takes. A run that was stopped goes on where it was."""
EXAMPLE = (
    "surrogate-nas meta-train --suite nas-bench-graph:cora,citeseer,pubmed --holdout cora \\\n"
    "    --out planetoid.safetensors\n"
    "  surrogate-nas search --task cora --predictor planetoid.safetensors"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "--suite",
        required=True,
        metavar="B[:T,…][;B2…]",
        help="what to learn from: benchmarks, each with all of its tasks or with those named",
    )
    option(
        "--holdout",
        type=names,
        default=[],
        metavar="T,…",
        help="tasks of the suite's benchmarks, T or B/T, that are measured and not learnt from",
    )
    option("--predictor", default="meta-gnn", metavar="P", help="default: %(default)s")
    option("--out", required=True, metavar="FILE.safetensors", help="the file of weights")
    option("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")


def run(arguments: argparse.Namespace) -> int:
    """Train, and report."""
    with only_json(arguments.json):
        from surrogate_nas.transfer import held_out_tasks, meta_train, suite_tasks

        record = meta_train(
            suite_tasks(arguments.suite),
            predictor=arguments.predictor,
            holdout=held_out_tasks(arguments.suite, arguments.holdout),
            out=arguments.out,
            seed=arguments.seed,
            workers=arguments.workers,
            on_step=note,
        )
    if arguments.json:
        write_json(record)
    else:
        from surrogate_nas.reporting.terminal import print_meta_training

        print_meta_training(record, arguments.out)
    return 0
