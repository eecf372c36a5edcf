"""``surrogate-nas evaluate``."""

from __future__ import annotations

import argparse

from surrogate_nas.cli.console import (
    add_source_options,
    add_table_options,
    names,
    note,
    numbers,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.proxy_options import add_image_options, add_proxies_option

SUMMARY = "measure a predictor"
DESCRIPTION = """\
Fit a predictor to some random architectures of a table, and measure how well it predicts all the
others. With the same seed, every predictor learns from the same architectures."""
EXAMPLE = "surrogate-nas evaluate --predictor gp --task cora,arxiv --train-sizes 20,50 --seeds 5"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    add_table_options(parser)
    option = parser.add_argument
    option(
        "--predictor",
        required=True,
        metavar="P",
        help="gp, blend, xgboost, forest, mlp or gnn; meta-gnn or transfer-ridge, which learn from "
        "other tasks; auto: meta-gnn where weights fit that never saw the task, else gp; or a file "
        "of weights",
    )
    add_source_options(parser)
    option("--task", type=names, metavar="T,…", help="default: all tasks of the benchmark")
    option(
        "--train-sizes",
        type=numbers,
        default=[20, 50, 100],
        metavar="N,…",
        help="how many architectures it learns from; 0 needs a predictor that has learnt from "
        "other tasks (default: 20,50,100)",
    )
    option(
        "--seeds",
        type=positive,
        default=5,
        metavar="K",
        help="repetitions with other architectures (default: %(default)s)",
    )
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")
    add_proxies_option(parser)
    add_image_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and report."""
    with only_json(arguments.json):
        from surrogate_nas.benchmarks.catalog import open_benchmark
        from surrogate_nas.workflows.evaluate import evaluate

        opened = open_benchmark(arguments.benchmark)
        tasks = arguments.task or list(opened.tasks)
        total = len(tasks) * len(arguments.train_sizes) * arguments.seeds
        with progress(f"{arguments.predictor} on {opened.name}", total) as advance:
            results = evaluate(
                arguments.predictor,
                arguments.benchmark,
                tasks=tasks,
                train_sizes=arguments.train_sizes,
                seeds=arguments.seeds,
                workers=arguments.workers,
                isomorphs=arguments.isomorphs,
                sources=arguments.sources,
                leave_one_out=arguments.leave_one_out,
                proxies=arguments.proxies,
                dataset=arguments.dataset,
                data_dir=arguments.data_dir,
                on_result=advance,
                on_step=note,
            )
    if arguments.json:
        write_json({"results": results})
    else:
        from surrogate_nas.reporting.terminal import print_evaluation

        print_evaluation(arguments.predictor, results)
    return 0
