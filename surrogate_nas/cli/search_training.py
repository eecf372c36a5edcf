"""The options of ``surrogate-nas search --dataset``, where every trial is a real training."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli import cluster_options
from surrogate_nas.cli.console import positive
from surrogate_nas.cli.network_options import (
    KNOWN_DATASETS,
    add_checkpoints_option,
    add_data_dir_option,
    add_network_options,
    add_space_option,
)
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.searchers.method import Method

_EPOCHS = 10
_ONLY_HERE = (
    "space",
    "data_dir",
    "epochs",
    "device",
    "recipe",
    "network",
    "settings",
    "initial",
    "optimizer",
    "allow_seen",
    "stop_early",
    "checkpoints",
    *cluster_options.NAMES,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of a search by training."""
    group = parser.add_argument_group("real training instead of a table (isomorphs are merged)")
    option = group.add_argument
    option(
        "--dataset",
        metavar="D",
        help="the data set, or several, separated by commas, for which one architecture is wanted: "
        f"{KNOWN_DATASETS}",
    )
    add_data_dir_option(option)
    add_space_option(option, later=True)
    option("--epochs", type=positive, metavar="E", help=f"of each training (default: {_EPOCHS})")
    option(
        "--stop-early",
        action="store_true",
        default=None,
        help="end a training that is worse than half of the earlier ones, from a third of its "
        "epochs on",
    )
    add_network_options(parser, later=True)
    add_checkpoints_option(parser.add_argument)


def wanted(arguments: argparse.Namespace, method: Method) -> bool:
    """Whether the search is by training.

    Raises:
        InvalidArgumentError: If options of both kinds of search are mixed.
    """
    of_a_table = arguments.benchmark is not None or arguments.task is not None
    proxies = arguments.proxies is not None or method.features
    builds = arguments.verify is not None or arguments.export_best is not None or proxies
    if builds and (of_a_table or arguments.dataset is None):
        for name in ("space", "stop_early"):
            if getattr(arguments, name) is not None:
                raise InvalidArgumentError(
                    f"--{name.replace('_', '-')} is for searches by training, and this one is of a "
                    "table; leave it out"
                )
        return False
    if arguments.dataset is None:
        for name in _ONLY_HERE:
            if getattr(arguments, name) is not None:
                raise InvalidArgumentError(
                    f"--{name.replace('_', '-')} is for real training; name a --dataset, too"
                )
        return False
    for name in ("benchmark", "task", "sources"):
        if getattr(arguments, name) is not None:
            raise InvalidArgumentError(
                f"--{name} is for searches of a table and --dataset trains; leave one out"
            )
    if arguments.leave_one_out:
        raise InvalidArgumentError(
            "--leave-one-out is for searches of a table and --dataset trains; leave one out"
        )
    if arguments.plot is not None:
        raise InvalidArgumentError("--plot draws searches of a table; leave it out with --dataset")
    return True
