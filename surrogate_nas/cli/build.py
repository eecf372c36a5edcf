"""``surrogate-nas build``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.build_surrogate import SearchedRows, add_surrogate_options, run_surrogate
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
from surrogate_nas.errors import InvalidArgumentError

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
value. With --surrogate nothing is trained: models are fitted to a table or to the trials of
searches, and the file answers for every architecture of the space."""
EXAMPLE = """\
surrogate-nas build --space dense-cell --dataset digits --epochs 3 --settings channels=8 \\
      --count 50 --seeds 2 --out my-table.h5
  surrogate-nas build --surrogate my-table.h5 --out my-surrogate.h5"""

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
    add_surrogate_options(parser)
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
    if arguments.surrogate is not None:
        return run_surrogate(arguments)
    if arguments.task is not None:
        raise InvalidArgumentError(
            "--task is of the measurements of a --surrogate; name data sets to train on with "
            "--dataset"
        )
    cluster = cluster_options(arguments)
    with only_json(arguments.json):
        from surrogate_nas.limits import TrialLimits
        from surrogate_nas.spaces import open_space
        from surrogate_nas.training.recorder import TrainingRecorder
        from surrogate_nas.workflows.build import Task

        space = open_space(arguments.space)
        tasks = {}
        for dataset in arguments.dataset:
            objective, training = planned(arguments, space, dataset=dataset, check_initial=True)
            tasks[dataset] = Task(TrainingRecorder(objective), training)
        built = build_visibly(
            space,
            tasks,
            _chosen(arguments, space),
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


def _chosen(arguments: argparse.Namespace, space: SearchSpace) -> IntArray | SearchedRows:
    """The architectures, or how searches choose them."""
    if arguments.sample in (None, "random"):
        from surrogate_nas.workflows.build import choose

        return choose(space, arguments.count, arguments.seed)
    return SearchedRows(arguments.sample, arguments.count, arguments.seed)


def build_visibly(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    choices: IntArray | SearchedRows,
    *,
    out: Path,
    seeds: int,
    **options: Any,
) -> Built:
    """`surrogate_nas.workflows.build.build` with progress; an interrupt tells how to continue.

    Args:
        space: The space.
        tasks: The table's tasks by name.
        choices: Encodings (n, decisions), or how searches choose them.
        out: The table.
        seeds: Trainings of each architecture on each task.
        options: Further arguments of `build`.
    """
    from surrogate_nas.workflows.build import build, log_of
    from surrogate_nas.workflows.sampled_build import build_sampled

    try:
        options |= {"out": out, "seeds": seeds, "progress": progress}
        if isinstance(choices, SearchedRows):
            return build_sampled(space, tasks, on_round=note, **asdict(choices), **options)
        return build(space, tasks, choices, **options)
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
