"""Options of trainings on a Ray cluster."""

from __future__ import annotations

import argparse

from surrogate_nas.cli.console import natural
from surrogate_nas.cluster import ClusterOptions
from surrogate_nas.errors import InvalidArgumentError

NAMES = ("ray", "gpus_per_trial", "cpus_per_trial", "retries")


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Options that `cluster_options` reads."""
    group = parser.add_argument_group("real training on a Ray cluster")
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="its address, such as ray://host:10001 or auto; local starts one here; "
        "--workers is then the number of trainings at once (default: as many as have room)",
    )
    group.add_argument(
        "--gpus-per-trial",
        type=float,
        metavar="G",
        help="GPUs of each training, or a share of one (default: none)",
    )
    group.add_argument(
        "--cpus-per-trial",
        type=float,
        metavar="C",
        help="processors of each training, or a share of one (default: 1)",
    )
    group.add_argument(
        "--retries",
        type=natural,
        metavar="N",
        help="how often a training is tried again whose process or machine dies (default: 3)",
    )


def cluster_options(arguments: argparse.Namespace) -> ClusterOptions | None:
    """The cluster that is asked for, or None.

    Raises:
        InvalidArgumentError: If other options need one, or a number is out of range.
    """
    if arguments.ray is None:
        for name in NAMES:
            if getattr(arguments, name) is not None:
                raise InvalidArgumentError(
                    f"--{name.replace('_', '-')} is for trainings on a cluster; name --ray, too"
                )
        return None
    given = {
        "gpus": arguments.gpus_per_trial,
        "cpus": arguments.cpus_per_trial,
        "retries": arguments.retries,
        "workers": arguments.workers,
    }
    return ClusterOptions(
        arguments.ray, **{name: value for name, value in given.items() if value is not None}
    )
