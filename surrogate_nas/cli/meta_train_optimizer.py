"""``surrogate-nas meta-train --learn optimizer``: learn an optimizer from real trainings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import names, positive, progress
from surrogate_nas.cli.network_options import DEFAULT_SPACE, named_datasets

if TYPE_CHECKING:
    from surrogate_nas.records import MetaTrainingRecord

NAMES: tuple[str, ...] = ("estimator", "architectures", "generations", "start")
"""Options of this form alone."""
FORMS = ("schedule", "network")
"""Values of --form; the first is the default."""

_ESTIMATORS = ("evolution", "backpropagation")


def add_options(option: Any) -> None:
    """Add the options of this form by a group's ``add_argument``; each is None if not given."""
    option(
        "--estimator",
        choices=_ESTIMATORS,
        help="of an optimizer's gradient: evolution strategies, or through the unrolled training, "
        f"which takes more memory (default: {_ESTIMATORS[0]})",
    )
    option(
        "--architectures",
        type=names,
        metavar="random|STORE,…",
        help="what an optimizer trains: random networks, or the best quarter of what searches "
        "found, in their stores (default: random)",
    )
    option("--generations", type=positive, metavar="G", help="of an optimizer (default: 30)")
    option("--start", metavar="FILE", help="an optimizer of the same form to start from")


def learn(arguments: argparse.Namespace) -> MetaTrainingRecord:
    """Learn an optimizer, and write its file."""
    from surrogate_nas.spaces import open_space
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.workflows.learn_optimizer import learn_optimizer

    space = open_space(arguments.space or DEFAULT_SPACE)
    sources = {
        name: TrainingObjective(
            space,
            dataset,
            epochs=1,
            recipe=arguments.recipe or "sgd",
            device=arguments.device or "auto",
            settings=arguments.settings,
        )
        for name, dataset in named_datasets(arguments).items()
    }
    given = {key: getattr(arguments, key) for key in (*NAMES, "minutes")}
    return learn_optimizer(
        space,
        sources,
        out=arguments.out,
        seed=arguments.seed,
        workers=arguments.workers,
        progress=progress,
        **{key: value for key, value in given.items() if value is not None},
    )
