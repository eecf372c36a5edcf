"""``surrogate-nas retry``: failed trials are tried again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import (
    add_accept_option,
    add_limit_options,
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
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.evaluation import Objective
    from surrogate_nas.records.retry import RetryRecord
    from surrogate_nas.store import Study

SUMMARY = "try failed trials again"
DESCRIPTION = """\
Evaluate the failed trials of a search that --store kept again, as the search did: an out of memory,
or a bug that has been mended. A success replaces the failure; what fails again stays as it was.
For a table of `build`, the failed trainings of its log are made again, and the table is written
anew."""
EXAMPLE = """\
surrogate-nas retry run.journal --reason "out of memory"
  surrogate-nas retry table.h5 --network mended:build --accept network"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "store",
        metavar="STORE|TABLE.h5",
        help="FILE.journal, a database (sqlite:///run.db), or a table of build",
    )
    option("--study", metavar="NAME", help="the search, where the store holds several")
    option("--reason", metavar="REGEX", help="only failures whose reason it is found in")
    option("--space", metavar="S", help="where it is neither registered nor a noted TOML file")
    add_data_dir_option(option)
    add_network_options(parser, later=True)
    add_checkpoints_option(option)
    add_accept_option(parser)
    option("--workers", type=positive, metavar="W", help="processes (default: 1; build: all cores)")
    add_limit_options(parser)
    parser.set_defaults(dataset=None, epochs=None)


def run(arguments: argparse.Namespace) -> int:
    """Try again, and report."""
    with only_json(arguments.json):
        of_a_table = Path(arguments.store).suffix == ".h5"
        record = (_retry_table if of_a_table else _retry_search)(arguments)
    if arguments.json:
        write_json(record)
    else:
        note(
            f"{record.retried:,} failed before: {record.succeeded:,} succeeded, "
            f"{record.failed:,} failed again"
        )
        for error in dict.fromkeys(record.errors):
            note(f"failed: {error}")
    return 1 if record.failed else 0


def _retry_search(arguments: argparse.Namespace) -> RetryRecord:
    from surrogate_nas.store import Stored, open_storage, read_study
    from surrogate_nas.workflows.retry import pattern, retry_trials

    pattern(arguments.reason)
    storage = open_storage(arguments.store, new=False)
    study = read_study(storage, arguments.study, space=arguments.space)
    objective = _objective(arguments, study)
    _check_network(arguments, study.settings.get("network"))
    stored = Stored(objective, storage, name=study.name, settings={})
    found = retry_trials(
        stored,
        store=arguments.store,
        reason=arguments.reason,
        budget=study.settings.get("budget"),
        workers=arguments.workers or 1,
        limits=trial_limits(arguments),
        progress=progress,
    )
    if arguments.network is not None and found.succeeded:
        stored.accept({"network": arguments.network})
    return found


def _objective(arguments: argparse.Namespace, study: Study) -> Objective:
    from surrogate_nas.training.plan import recorded_training

    settings = study.settings
    if "benchmark" in settings:
        from surrogate_nas.benchmarks.catalog import open_benchmark

        table = open_benchmark(settings["benchmark"])
        return table.task(settings["task"], isomorphs=settings.get("isomorphs", "separate"))
    objective, _ = planned(arguments, study.space, recorded_training(settings))
    objective.seed = settings.get("seed") or 0
    if objective.goals != study.goals and len(study.goals) != 1:
        raise InvalidArgumentError(
            "retry serves searches of one goal on the command line; use "
            "surrogate_nas.workflows.retry.retry_trials with the objective of the search"
        )
    return objective


def _check_network(arguments: argparse.Namespace, recorded: str | None) -> None:
    if arguments.network in (None, recorded) or "network" in arguments.accept:
        return
    raise InvalidArgumentError(
        f"the trials were made with --network {recorded}, and {arguments.network} is another "
        "name; if it builds the same networks, add --accept network"
    )


def _retry_table(arguments: argparse.Namespace) -> RetryRecord:
    from surrogate_nas.training.recorder import TrainingRecorder
    from surrogate_nas.workflows.build import Task
    from surrogate_nas.workflows.retry import read_log, rebuild

    out = Path(arguments.store)
    space, trainings = read_log(out, arguments.space)
    tasks = {}
    for name, recorded in trainings.items():
        _check_network(arguments, recorded.get("network"))
        objective, training = planned(arguments, space, recorded)
        tasks[name] = Task(TrainingRecorder(objective), training)
    return rebuild(
        space,
        tasks,
        out=out,
        reason=arguments.reason,
        workers=arguments.workers,
        accept=arguments.accept,
        limits=trial_limits(arguments),
        progress=progress,
    )
