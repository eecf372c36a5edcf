"""The options about trainings: space, data set, recipe and network."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.registry import DATASETS

if TYPE_CHECKING:
    from surrogate_nas.limits import TrialLimits
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.training.datasets.base import Dataset
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.options import TrainingOptions

DEFAULT_SPACE = "dense-cell"
DEFAULT_DATASET = "digits"
KNOWN_DATASETS = f"{', '.join(DATASETS)}, or module:function"


def add_space_option(option: Any, *, later: bool = False) -> None:
    """Add ``--space`` by a parser's or a group's ``add_argument``; ``later`` leaves it None."""
    option(
        "--space",
        default=None if later else DEFAULT_SPACE,
        metavar="S",
        help=f"nasbench201, nats-size, …, or a TOML file (default: {DEFAULT_SPACE})",
    )


def add_data_dir_option(option: Any) -> None:
    """Add ``--data-dir`` by a parser's or a group's ``add_argument``."""
    option("--data-dir", type=Path, metavar="DIR", help="the folder or file of the data set")


def add_checkpoints_option(option: Any) -> None:
    """Add ``--checkpoints`` by a parser's or a group's ``add_argument``."""
    option(
        "--checkpoints",
        metavar="FOLDER|URL",
        help="keep the state of each training after every epoch, and go on from there when its "
        "process or machine dies: a folder or a URL of fsspec (s3://…) that all machines see",
    )


def add_network_options(
    parser: argparse.ArgumentParser, *, later: bool = False, own: bool = True
) -> None:
    """Add the options.

    Args:
        parser: The command's parser.
        later: Whether options that are not given are None, for a command with its own defaults.
        own: Whether a network of the user's own can be named.
    """
    option = parser.add_argument
    option(
        "--device",
        default=None if later else "auto",
        metavar="auto|cpu|cuda|mps",
        help="default: the fastest there is",
    )
    option(
        "--recipe",
        default=None if later else "sgd",
        metavar="R",
        help="sgd, adamw, nasbench201 (default: sgd)",
    )
    if own:
        help_text = "what builds the network of your own space"
        option("--network", metavar="module:build", help=help_text)
    option(
        "--settings",
        type=sizes,
        default=None if later else {},
        metavar="NAME=N,…",
        help="sizes of the network, such as channels=8,cells=2",
    )
    if own:
        _add_learned_options(option)


def _add_learned_options(option: Any) -> None:
    """What was learnt on other data sets."""
    option(
        "--initial",
        metavar="FILE|learned|fitted|inherit|none[:N]",
        help="what networks start from in place of random weights: a file of meta-train --learn "
        "weights; learned, one that comes with the program and did not see the data set; fitted, "
        "random ones with statistics and a head that are taken from the data; in a search also "
        "inherit, the trained weights of the nearest network. With :N only trainings of at most N "
        "epochs do so, in searches of several budgets",
    )
    option(
        "--optimizer",
        metavar="FILE|learned|none",
        help="in place of the recipe's optimizer: a file of meta-train --learn optimizer, or the "
        "learned one that comes with the program and did not see the data set",
    )
    option(
        "--allow-seen",
        action="store_true",
        default=None,
        help="let it train on a data set that it was learnt on",
    )


def training_options(
    arguments: argparse.Namespace, *, dataset: str | None = None
) -> TrainingOptions:
    """The training options of a command.

    Args:
        arguments: Of a command with these options.
        dataset: None for that of the arguments.
    """
    from surrogate_nas.training.options import TrainingOptions

    return TrainingOptions(
        dataset=dataset or arguments.dataset,
        data_dir=arguments.data_dir,
        epochs=arguments.epochs,
        recipe=arguments.recipe,
        settings=arguments.settings,
        network=arguments.network,
        device=arguments.device or "auto",
        checkpoints=arguments.checkpoints,
        initial=arguments.initial,
        optimizer=arguments.optimizer,
        allow_seen=bool(arguments.allow_seen),
    )


def planned(
    arguments: argparse.Namespace,
    space: SearchSpace,
    noted: Mapping[str, Any] | None = None,
    *,
    dataset: str | None = None,
    check_initial: bool = False,
) -> tuple[TrainingObjective, dict[str, Any]]:
    """The training objective by the options, or else by recorded settings.

    Args:
        arguments: Of a command with these options.
        space: Of the architectures.
        noted: See `surrogate_nas.training.plan.plan_training`.
        dataset: None for that of the arguments.
        check_initial: Whether to lay starting weights aside that do not help.
    """
    options = training_options(arguments, dataset=dataset)
    return options.plan(space, noted, check_initial=check_initial)


def trial_limits(arguments: argparse.Namespace) -> TrialLimits:
    """The limits of a command; a network of the user's own may crash, so it is isolated."""
    from surrogate_nas.limits import TrialLimits

    own = arguments.network is not None
    return TrialLimits(arguments.trial_timeout, arguments.trial_memory, isolated=own)


def named_datasets(arguments: argparse.Namespace) -> dict[str, Dataset]:
    """The data sets by name, each from the folder that is given for it or for all.

    Raises:
        InvalidArgumentError: If a folder is given for a data set that is not named.
    """
    from surrogate_nas.training.datasets.base import open_dataset

    folders: dict[str, str] = {}
    for text in arguments.data_dir or ():
        name, equals, folder = text.partition("=")
        for dataset in [name] if equals else arguments.dataset:
            if dataset not in arguments.dataset:
                raise InvalidArgumentError(
                    f"--data-dir {text!r} is for the data set {dataset!r}, which --dataset does "
                    f"not name ({', '.join(arguments.dataset)})"
                )
            folders[dataset] = folder if equals else name
    return {name: open_dataset(name, folders.get(name)) for name in arguments.dataset}


def sizes(text: str) -> dict[str, int | float]:
    """Numbers by their names, comma-separated."""
    found: dict[str, int | float] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise argparse.ArgumentTypeError(f"must be like channels=8,cells=2, got {text!r}")
        if name.strip() in found:
            raise argparse.ArgumentTypeError(f"must not name anything twice, got {text!r}")
        found[name.strip()] = int(number) if number.is_integer() else number
    return found
