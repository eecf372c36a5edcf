"""``surrogate-nas evaluate``."""

from __future__ import annotations

import argparse

from surrogate_nas.cli.console import numbers, only_json, progress, write_json
from surrogate_nas.cli.experiment_options import add_experiment_options, experiment

_AGAINST = "gp"

SUMMARY = "measure a predictor"
DESCRIPTION = """\
Fit a predictor to some random architectures of a table, and measure how well it predicts all the
others. With the same seed, every predictor learns from the same architectures."""
EXAMPLE = "surrogate-nas evaluate --predictor gp --task cora,arxiv --train-sizes 20,50 --seeds 5"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "--predictor",
        metavar="P",
        help="gp, blend, xgboost, forest, mlp or gnn; meta-gnn, transfer-ridge or meta-cost (of "
        "latency and other costs), which learn from "
        "other tasks; auto: meta-gnn where weights fit that never saw the task, else gp; or a file "
        "of weights (default: auto, or gp with --proxies)",
    )
    option(
        "--train-sizes",
        type=numbers,
        default=[20, 50, 100],
        metavar="N,…",
        help="how many architectures it learns from; 0 needs a predictor that has learnt from "
        "other tasks (default: 20,50,100)",
    )
    option(
        "--against",
        default=_AGAINST,
        metavar="P",
        help="a predictor that learns from the same architectures, to tell the tasks on which the "
        "other one is worse, or none (default: %(default)s)",
    )
    add_experiment_options(parser, seeds=5, repetitions="repetitions with other architectures")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and report."""
    with only_json(arguments.json):
        from surrogate_nas.workflows.evaluate import evaluate

        wanted = experiment(arguments)
        predictor = arguments.predictor or ("auto" if arguments.proxies is None else "gp")
        record = evaluate(
            predictor,
            wanted,
            train_sizes=arguments.train_sizes,
            against=None if arguments.against == "none" else arguments.against,
            progress=progress,
        )
    if arguments.json:
        write_json(record)
    else:
        from surrogate_nas.reporting.terminal import print_evaluation

        print_evaluation(predictor, record)
    return 0
