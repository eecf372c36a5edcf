"""``surrogate-nas build``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.cluster_options import add_cluster_options, cluster_options
from surrogate_nas.cli.console import (
    add_accept_option,
    add_limit_options,
    names,
    natural,
    note,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.network_options import (
    DEFAULT_DATASET,
    KNOWN_DATASETS,
    add_checkpoints_option,
    add_data_dir_option,
    add_network_options,
    add_space_option,
    planned,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from surrogate_nas._types import IntArray
    from surrogate_nas.records import BuildRecord
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.workflows.build import Built, Task

SUMMARY = "make a table by training"
DESCRIPTION = """\
Train all architectures of a space, or a sample of them, on data sets with several seeds, and write
a table of all epochs, which every other command takes as --benchmark. Each training is in a log
beside the table as soon as it is finished: the same command again goes on where it was stopped,
and so does one with more seeds, architectures or data sets. A training that fails is a missing
value."""
EXAMPLE = """\
surrogate-nas build --space dense-cell --dataset digits --epochs 3 --settings channels=8 \\
      --count 50 --seeds 2 --out my-table.h5"""

_SHOWN = 5  # failures


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    add_space_option(option)
    option(
        "--dataset",
        type=names,
        default=[DEFAULT_DATASET],
        metavar="D,…",
        help=f"{KNOWN_DATASETS} (default: {DEFAULT_DATASET})",
    )
    add_data_dir_option(option)
    option("--epochs", type=positive, default=10, metavar="E", help="default: %(default)s")
    option(
        "--seeds",
        type=positive,
        default=1,
        metavar="K",
        help="trainings of each architecture on each data set (default: %(default)s)",
    )
    option(
        "--count", type=positive, metavar="N", help="train a random sample of them (default: all)"
    )
    option(
        "--seed", type=natural, default=0, metavar="I", help="of the sample (default: %(default)s)"
    )
    add_network_options(parser)
    add_checkpoints_option(option)
    option(
        "--workers",
        type=positive,
        metavar="W",
        help="processes of one thread (default: one a GPU, or else a core)",
    )
    add_limit_options(parser)
    add_accept_option(parser)
    option("--out", type=Path, required=True, metavar="TABLE.h5", help="the table")
    add_cluster_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build, and report."""
    cluster = cluster_options(arguments)
    with only_json(arguments.json):
        from surrogate_nas.limits import TrialLimits
        from surrogate_nas.spaces import open_space
        from surrogate_nas.training.recorder import TrainingRecorder
        from surrogate_nas.workflows.build import Task, choose

        space = open_space(arguments.space)
        tasks = {}
        for dataset in arguments.dataset:
            objective, training = planned(arguments, space, dataset=dataset)
            tasks[dataset] = Task(TrainingRecorder(objective), training)
        built = build_visibly(
            space,
            tasks,
            choose(space, arguments.count, arguments.seed),
            out=arguments.out,
            seeds=arguments.seeds,
            workers=arguments.workers,
            cluster=cluster,
            accept=arguments.accept,
            limits=TrialLimits(arguments.trial_timeout, arguments.trial_memory),
        )
    record = _record(arguments, built)
    if arguments.json:
        write_json(record)
    else:
        _show(record)
    return 0


def build_visibly(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    choices: IntArray,
    *,
    out: Path,
    seeds: int,
    **options: Any,
) -> Built:
    """`surrogate_nas.workflows.build.build` with progress; an interrupt tells how to continue."""
    from surrogate_nas.workflows.build import build, log_of

    try:
        with progress(f"build {out.name}", len(choices) * len(tasks) * seeds) as advance:
            return build(space, tasks, choices, out=out, seeds=seeds, on_step=advance, **options)
    except KeyboardInterrupt:
        note(f"what was trained is in {log_of(out)}: the same command goes on from there")
        raise


def _record(arguments: argparse.Namespace, built: Built) -> BuildRecord:
    from surrogate_nas.records import BuildRecord, FailedTraining

    return BuildRecord(
        path=built.path,
        log=built.log,
        space=arguments.space,
        tasks=tuple(arguments.dataset),
        architectures=built.architectures,
        seeds=arguments.seeds,
        epochs=arguments.epochs,
        trainings=built.trainings,
        trained=built.trained,
        failed=tuple(FailedTraining(*failure) for failure in built.failed),
        seconds=built.seconds,
    )


def _show(built: BuildRecord) -> None:
    from surrogate_nas.reporting.terminal import counted

    print(
        f"{built.path}: {counted(built.architectures, 'architecture')} of "
        f"{built.space} on {', '.join(built.tasks)}, {counted(built.seeds, 'seed')}; "
        f"{counted(built.trained, 'training')} in {built.seconds:.0f} s"
    )
    failed = built.failed
    if failed:
        print(
            f"{len(failed):,} of {built.trainings:,} trainings failed; to repeat them: "
            f"surrogate-nas retry {built.path}"
        )
    for failure in failed[:_SHOWN]:
        print(f"  {failure.task} {failure.arch} seed {failure.seed}: {failure.error}")
    if len(failed) > _SHOWN:
        print(f"  and {len(failed) - _SHOWN:,} more")
