"""``surrogate-nas verify``: a search's winners are really trained."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.cluster_options import add_cluster_options, cluster_options
from surrogate_nas.cli.console import (
    add_limit_options,
    natural,
    note,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.network_options import (
    add_checkpoints_option,
    add_data_dir_option,
    add_network_options,
    planned,
    trial_limits,
)
from surrogate_nas.training.options import VERIFICATION_SEEDS

if TYPE_CHECKING:
    from surrogate_nas.workflows.verify import Verification

SUMMARY = "train a search's winners"
DESCRIPTION = """\
Really train the best architectures of a search that --store kept, with seeds that the search never
saw, and compare what was predicted, what the table says, and what came out. The trainings are kept
in the same store, so that a run that was stopped goes on, and `import optuna` makes a table of
them. What a table or a search by training notes of its trainings is repeated, unless options say
otherwise."""
EXAMPLE = """\
surrogate-nas search --benchmark cell-bench --task digits --store run.journal
  surrogate-nas verify run.journal --top 3 --seeds 3"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("store", metavar="STORE", help="FILE.journal, or a database (sqlite:///run.db)")
    option("--study", metavar="NAME", help="the search, where the store holds several")
    option("--top", type=positive, default=5, metavar="K", help="default: %(default)s")
    option(
        "--seeds",
        type=positive,
        default=VERIFICATION_SEEDS,
        metavar="N",
        help="default: %(default)s",
    )
    option(
        "--seed",
        type=natural,
        metavar="I",
        help="the first seed (default: the first that the search did not see)",
    )
    option("--space", metavar="S", help="where it is neither registered nor a noted TOML file")
    option("--dataset", metavar="D", help="default: the recorded one")
    add_data_dir_option(option)
    option("--epochs", type=positive, metavar="E", help="default: the recorded number")
    add_network_options(parser, later=True)
    add_checkpoints_option(option)
    option(
        "--workers",
        type=positive,
        metavar="W",
        help="processes of one thread (default: one a GPU, or else a core)",
    )
    add_limit_options(parser)
    add_cluster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, and report."""
    cluster = cluster_options(arguments)
    with only_json(arguments.json):
        from surrogate_nas.store import open_storage, read_study
        from surrogate_nas.training.plan import recorded_training
        from surrogate_nas.workflows.goals import stored_goals
        from surrogate_nas.workflows.verify import VerificationPlan, verify_trials

        storage = open_storage(arguments.store, new=False)
        study = read_study(storage, arguments.study, space=arguments.space)
        training, noted = planned(arguments, study.space, recorded_training(study.settings))
        first = noted["seeds"] if arguments.seed is None else arguments.seed
        seeds = range(first, first + arguments.seeds)
        plan = VerificationPlan(arguments.top, training, noted, seeds)
        checked = verify_trials(
            study.trials,
            plan,
            goals=stored_goals(study),
            store=storage,
            workers=arguments.workers,
            cluster=cluster,
            limits=trial_limits(arguments),
            progress=progress,
        )
    record = checked.record()
    if arguments.json:
        write_json(record)
    else:
        from surrogate_nas.reporting.terminal import print_verification

        print_verification(
            record,
            title=f"{study.name}, trained: {plan}",
            tabulated="benchmark" in study.settings,
        )
    return finished(checked)


def finished(checked: Verification) -> int:
    """Print the failures, and return the exit code.

    Raises:
        KeyboardInterrupt: If one ended the trainings.
    """
    for error in checked.errors:
        note(f"failed: {error}")
    if checked.interrupted:
        raise KeyboardInterrupt
    return 0 if any(value is not None for row in checked.trained for value in row) else 1
