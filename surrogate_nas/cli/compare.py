"""``surrogate-nas compare``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import (
    add_trial_options,
    check_file,
    names,
    note,
    only_json,
    progress,
    write_json,
    write_page,
)
from surrogate_nas.cli.experiment_options import add_experiment_options, experiment
from surrogate_nas.cli.goal_options import add_goal_options, wanted_goals

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.base import TabularTask
    from surrogate_nas.records import ComparisonRecord

SUMMARY = "run search methods side by side"
DESCRIPTION = """\
Run every searcher on every task with every seed, on all cores. The folder gets runs.csv with
every trial, summary.csv, compare.json, and pictures. A finished run is not repeated: the same
command again goes on where it was stopped. Nothing is trained: the trials are those of tables."""
EXAMPLE = """\
surrogate-nas compare --task cora,arxiv --searcher random,evolution,evolution+gp \\
      --trials 100 --seeds 10 --out comparison"""

_METHODS = ("random", "evolution", "evolution+auto")
_METHODS_WITH_PROXIES = ("random", "evolution", "evolution+gp")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "--searcher",
        type=names,
        metavar="S,…",
        help="with its predictor, if it has one: random,evolution+gp,evolution+auto (default: "
        f"{','.join(_METHODS)}; with --proxies {','.join(_METHODS_WITH_PROXIES)})",
    )
    add_trial_options(parser)
    option(
        "--against-unguided",
        action="store_true",
        help="test on each task whether guided methods end behind their searchers alone, which "
        "run too",
    )
    option("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    option(
        "--plot-format",
        choices=("png", "pdf", "svg"),
        default="png",
        help="of the pictures (default: %(default)s)",
    )
    option(
        "--latex",
        type=Path,
        metavar="FILE.tex",
        help="write a table for a paper: mean and standard error, the best in bold, and marks of "
        "significance",
    )
    option("--report", type=Path, metavar="FILE.html", help="make a page about the comparison")
    add_experiment_options(parser, seeds=10, repetitions="runs of each searcher on each task")
    add_goal_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and report."""
    for option, path in (("--report", arguments.report), ("--latex", arguments.latex)):
        # The comparison makes the folder of its results.
        if path is not None and path.absolute().parent != arguments.out.absolute():
            check_file(option, path)
    with only_json(arguments.json):
        from surrogate_nas.reporting.plots import draw_comparison
        from surrogate_nas.workflows.compare import compare

        wanted = replace(experiment(arguments), goals=wanted_goals(arguments))
        methods = arguments.searcher or (
            _METHODS if arguments.proxies is None else _METHODS_WITH_PROXIES
        )
        record = compare(
            wanted,
            searchers=methods,
            trials=arguments.trials,
            out=arguments.out,
            batch=arguments.batch,
            candidates=arguments.candidates,
            unguided=arguments.against_unguided,
            progress=progress,
        )
        _, tasks = wanted.open()
        sizes = {name: len(task) for name, task in zip(wanted.names, tasks, strict=True)}
        form = arguments.plot_format
        pictures = draw_comparison(arguments.out, record, sizes, form=form)
    if arguments.latex is not None:
        _write_latex(arguments.latex, record, tasks)
    if arguments.json:
        write_json(record)
    else:
        from surrogate_nas.reporting.terminal import print_comparison

        print_comparison(record)
    listed = ", ".join(path.name for path in pictures)
    note(f"in {arguments.out}: runs.csv, summary.csv, compare.json, {listed}")
    if arguments.report is not None:
        write_page(arguments.out, arguments.report, arguments.command_line)
    return 0


def _write_latex(path: Path, record: ComparisonRecord, tasks: Sequence[TabularTask]) -> None:
    from surrogate_nas.files import cannot_write, write_text
    from surrogate_nas.reporting.latex import latex_table

    text = latex_table(record, {task.name: task.goal.maximise for task in tasks})
    try:
        write_text(path, text)
    except OSError as error:
        raise cannot_write(path, error, "the table") from error
    note(f"the table is in {path}")
