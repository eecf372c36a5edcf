"""``surrogate-nas compare``."""

from __future__ import annotations

import argparse
from pathlib import Path

from surrogate_nas.cli.console import (
    add_source_options,
    add_table_options,
    add_trial_options,
    names,
    note,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.proxy_options import add_image_options, add_proxies_option

SUMMARY = "run search methods side by side"
DESCRIPTION = """\
Run every searcher on every task with every seed, on all cores. The folder gets runs.csv with
every trial, compare.json, and pictures. A finished run is not repeated: the same command again
goes on where it was stopped."""
EXAMPLE = """\
surrogate-nas compare --task cora,arxiv --searcher random,evolution,evolution+gp \\
      --trials 100 --seeds 10 --out comparison"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_table_options(parser)
    option = parser.add_argument
    option("--task", type=names, metavar="T,…", help="default: all tasks of the benchmark")
    option(
        "--searcher",
        type=names,
        required=True,
        metavar="S,…",
        help="with its predictor, if it has one: random,evolution,evolution+gp,evolution+auto",
    )
    add_trial_options(parser)
    option(
        "--seeds",
        type=positive,
        default=10,
        metavar="K",
        help="runs of each searcher on each task (default: %(default)s)",
    )
    add_source_options(parser)
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")
    option("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    add_proxies_option(parser)
    add_image_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and report."""
    with only_json(arguments.json):
        from surrogate_nas.benchmarks.catalog import open_benchmark
        from surrogate_nas.reporting.plots import draw_comparison
        from surrogate_nas.workflows.compare import compare

        opened = open_benchmark(arguments.benchmark)
        tasks = arguments.task or list(opened.tasks)
        total = len(tasks) * len(arguments.searcher) * arguments.seeds
        with progress(f"compare on {opened.name}", total) as advance:
            result = compare(
                arguments.benchmark,
                tasks=tasks,
                searchers=arguments.searcher,
                trials=arguments.trials,
                seeds=arguments.seeds,
                out=arguments.out,
                batch=arguments.batch,
                workers=arguments.workers,
                isomorphs=arguments.isomorphs,
                sources=arguments.sources,
                leave_one_out=arguments.leave_one_out,
                proxies=arguments.proxies,
                dataset=arguments.dataset,
                data_dir=arguments.data_dir,
                on_run=advance,
                on_step=note,
            )
        sizes = {name: len(opened.task(name, isomorphs=arguments.isomorphs)) for name in tasks}
        pictures = draw_comparison(arguments.out, result, sizes)
    if arguments.json:
        write_json(result)
    else:
        from surrogate_nas.reporting.terminal import print_comparison

        print_comparison(result)
    listed = ", ".join(path.name for path in pictures)
    note(f"in {arguments.out}: runs.csv, compare.json, {listed}")
    return 0
