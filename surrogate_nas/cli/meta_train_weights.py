"""``surrogate-nas meta-train --learn weights``: learn starting weights from real trainings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import natural, positive, progress
from surrogate_nas.cli.network_options import DEFAULT_SPACE, named_datasets

if TYPE_CHECKING:
    from surrogate_nas.records import MetaTrainingRecord

NAMES: tuple[str, ...] = ("trainings", "batches", "held_out")
"""Options of this form alone."""
FORMS = ("hypernetwork", "bank")
"""Values of --form; the first is the default."""


def add_options(option: Any) -> None:
    """Add the options of this form by a group's ``add_argument``; each is None if not given."""
    option(
        "--trainings",
        type=positive,
        metavar="N",
        help="short trainings that weights are learnt from (default: 500)",
    )
    option("--batches", type=positive, metavar="N", help="of each of them (default: 20)")
    option(
        "--held-out",
        type=natural,
        metavar="N",
        help="architectures, drawn at random, that weights are never learnt from (default: 0)",
    )


def learn(arguments: argparse.Namespace) -> MetaTrainingRecord:
    """Learn starting weights, and write their file."""
    from surrogate_nas.spaces import open_space
    from surrogate_nas.training.initial.learning import Reptile
    from surrogate_nas.training.initial.sources import SourceData
    from surrogate_nas.workflows.learn_weights import learn_weights_file

    settings = arguments.settings or {}
    sources = [SourceData(data, settings) for data in named_datasets(arguments).values()]
    given = {name: getattr(arguments, name) for name in ("trainings", "batches", "recipe", "form")}
    return learn_weights_file(
        open_space(arguments.space or DEFAULT_SPACE),
        sources,
        Reptile(**{name: value for name, value in given.items() if value is not None}),
        out=arguments.out,
        held_out=arguments.held_out or 0,
        minutes=arguments.minutes,
        seed=arguments.seed,
        device=arguments.device or "auto",
        progress=progress,
    )
