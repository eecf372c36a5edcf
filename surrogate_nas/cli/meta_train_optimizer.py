"""``surrogate-nas meta-train --learn optimizer``: learn an optimizer from real trainings."""

from __future__ import annotations

import argparse
from typing import Any

from surrogate_nas.cli.console import names, only_json, positive, progress, write_json
from surrogate_nas.cli.network_options import DEFAULT_SPACE
from surrogate_nas.errors import InvalidArgumentError

NAMES: tuple[str, ...] = ("form", "estimator", "architectures", "generations", "start")
"""Options of this form alone."""

_FORMS = ("schedule", "network")
_ESTIMATORS = ("evolution", "backpropagation")


def add_options(option: Any) -> None:
    """Add the options of this form by a group's ``add_argument``; each is None if not given."""
    option(
        "--form",
        choices=_FORMS,
        help="of an optimizer: step sizes, momentum and decay by kind of parameter, or also a "
        f"small network that sees each parameter (default: {_FORMS[0]})",
    )
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


def run(arguments: argparse.Namespace) -> int:
    """Learn, and report."""
    with only_json(arguments.json):
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
            for name, dataset in datasets(arguments).items()
        }
        given = {key: getattr(arguments, key) for key in (*NAMES, "minutes")}
        record = learn_optimizer(
            space,
            sources,
            out=arguments.out,
            seed=arguments.seed,
            workers=arguments.workers,
            progress=progress,
            **{key: value for key, value in given.items() if value is not None},
        )
    if arguments.json:
        write_json(record)
    else:
        from surrogate_nas.reporting.terminal import counted

        print(
            f"learnt an optimizer from {counted(record.labels, 'training')} on "
            f"{', '.join(record.tasks)} in {record.seconds:.0f} s\n{arguments.out}"
        )
    return 0


def datasets(arguments: argparse.Namespace) -> dict[str, Any]:
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
