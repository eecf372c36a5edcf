"""``surrogate-nas verify``: a search's winners are really trained."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import natural, note, only_json, positive, progress, write_json
from surrogate_nas.cli.network_options import (
    add_data_dir_option,
    add_network_options,
    planned,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.storages import BaseStorage

    from surrogate_nas.evaluation import Goal, Trial
    from surrogate_nas.training.objective import TrainingObjective
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

SEEDS = 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("store", metavar="STORE", help="FILE.journal, or a database (sqlite:///run.db)")
    option("--study", metavar="NAME", help="the search, where the store holds several")
    option("--top", type=positive, default=5, metavar="K", help="default: %(default)s")
    option("--seeds", type=positive, default=SEEDS, metavar="N", help="default: %(default)s")
    option(
        "--seed",
        type=natural,
        metavar="I",
        help="the first seed (default: the first that the search did not see)",
    )
    option("--space", metavar="S", help="where it is neither registered nor a noted TOML file")
    option("--dataset", metavar="D", help="default: what is noted")
    add_data_dir_option(option)
    option("--epochs", type=positive, metavar="E", help="default: what is noted")
    add_network_options(parser, later=True)
    option(
        "--workers",
        type=positive,
        metavar="W",
        help="processes of one thread (default: one a GPU, or else a core)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and report."""
    with only_json(arguments.json):
        from surrogate_nas.store import open_storage, read_study
        from surrogate_nas.training.plan import recorded_training

        storage = open_storage(arguments.store, new=False)
        study = read_study(storage, arguments.study, space=arguments.space)
        training, plan = planned(arguments, study.space, recorded_training(study.settings))
        first = plan["seeds"] if arguments.seed is None else arguments.seed
        seeds = range(first, first + arguments.seeds)
        checked = verified(
            study.trials,
            arguments.top,
            training,
            plan,
            study.goals[0],
            seeds,
            storage,
            arguments.workers,
        )
    answer = checked.report()
    if arguments.json:
        write_json(answer)
    else:
        from surrogate_nas.reporting.terminal import print_verification

        print_verification(
            answer,
            title=f"{study.name}, trained: {what(plan)}",
            tabulated="benchmark" in study.settings,
        )
    return finished(checked)


# What `search --verify` shares ----------------------------------------------------------------


def verified(
    trials: Sequence[Trial],
    top: int,
    training: TrainingObjective,
    plan: Mapping[str, Any],
    goal: Goal,
    seeds: Sequence[int],
    storage: BaseStorage | None,
    workers: int | None,
) -> Verification:
    """Train the best, with progress; a storage keeps the trainings in a study of their own."""
    from surrogate_nas.workflows.verify import verify, winners

    best = winners(training.space, trials, top)
    memory = None
    if storage is not None:
        from surrogate_nas.store import Stored
        from surrogate_nas.training.plan import study_of

        name, settings = study_of(training.space, plan)
        memory = Stored(training, storage, name=name, settings=settings)
    with progress(f"verify: {what(plan)}", len(best) * len(seeds)) as advance:
        return verify(
            best,
            training,
            goal=goal,
            seeds=seeds,
            workers=workers,
            memory=memory,
            on_step=advance,
        )


def what(plan: Mapping[str, Any]) -> str:
    """A training in few words."""
    from surrogate_nas.reporting.terminal import counted

    return f"{plan['dataset']}, {counted(plan['epochs'], 'epoch')} of {plan['recipe']}"


def finished(checked: Verification) -> int:
    """Name the failures; the exit code.

    Raises:
        KeyboardInterrupt: If one ended the trainings.
    """
    for error in checked.errors:
        note(f"failed: {error}")
    if checked.interrupted:
        raise KeyboardInterrupt
    return 0 if any(value is not None for row in checked.trained for value in row) else 1
