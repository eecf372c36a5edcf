"""The options that `compare` and `evaluate` share, and the experiment that they describe."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import add_source_options, add_table_options, names, positive
from surrogate_nas.cli.proxy_options import add_image_options, add_proxies_option

if TYPE_CHECKING:
    from surrogate_nas.workflows.experiment import Experiment


def add_experiment_options(
    parser: argparse.ArgumentParser, *, seeds: int, repetitions: str
) -> None:
    """Add the options.

    Args:
        parser: Of the command.
        seeds: The default number of repetitions.
        repetitions: What is repeated.
    """
    add_table_options(parser)
    option = parser.add_argument
    option("--task", type=names, metavar="T,…", help="default: all tasks of the benchmark")
    option(
        "--seeds",
        type=positive,
        default=seeds,
        metavar="K",
        help=f"{repetitions} (default: %(default)s)",
    )
    add_source_options(parser)
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")
    add_proxies_option(parser)
    add_image_options(parser)


def experiment(arguments: argparse.Namespace) -> Experiment:
    """The experiment that the options describe."""
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.workflows.experiment import Experiment

    return Experiment(
        arguments.benchmark,
        tasks=arguments.task or open_benchmark(arguments.benchmark).tasks,
        seeds=arguments.seeds,
        workers=arguments.workers,
        isomorphs=arguments.isomorphs,
        sources=arguments.sources,
        leave_one_out=arguments.leave_one_out,
        proxies=arguments.proxies,
        dataset=arguments.dataset,
        data_dir=arguments.data_dir,
    )
