"""``surrogate-nas meta-train``: the options, and which of the three forms of meta-learning runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli import meta_train_optimizer, meta_train_weights
from surrogate_nas.cli.console import (
    above_zero,
    names,
    natural,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.network_options import KNOWN_DATASETS, sizes
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.records import MetaTrainingRecord

SUMMARY = "learn a predictor, weights or an optimizer across tasks"
DESCRIPTION = """\
Meta-train a predictor on the tasks of one or more tables, and keep its weights in a file, which
--predictor takes. A run that was stopped goes on where it was. With --learn weights or
--learn optimizer, learn from real trainings of a space's networks on data sets: starting weights,
which --initial takes, or an optimizer, which --optimizer takes."""
EXAMPLE = (
    "surrogate-nas meta-train --suite nas-bench-graph:cora,citeseer,pubmed --holdout cora \\\n"
    "    --out planetoid.safetensors\n"
    "  surrogate-nas search --task cora --predictor planetoid.safetensors"
)

_PREDICTOR = "meta-gnn"
_OF_TRAININGS = ("space", "dataset", "data_dir", "recipe", "settings", "device", "minutes", "form")
_OWN: Mapping[str, Sequence[str]] = {
    "predictor": ("suite", "holdout", "predictor"),
    "weights": (*_OF_TRAININGS, *meta_train_weights.NAMES),
    "optimizer": (*_OF_TRAININGS, *meta_train_optimizer.NAMES),
}
"""What is learnt, and the options of each form alone."""
_FORMS = {"weights": meta_train_weights.FORMS, "optimizer": meta_train_optimizer.FORMS}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("--learn", choices=_OWN, default="predictor", help="default: %(default)s")
    option(
        "--suite",
        metavar="B[:T,…][;B2…]",
        help="what a predictor learns from: benchmarks, each with all of its tasks or with those "
        "named",
    )
    option(
        "--holdout",
        type=names,
        metavar="T,…",
        help="tasks of the suite's benchmarks, T or B/T, that are measured and not learnt from",
    )
    option("--predictor", metavar="P", help=f"default: {_PREDICTOR}")
    option("--out", required=True, metavar="FILE.safetensors", help="the file of weights")
    option("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    option("--workers", type=positive, metavar="W", help="processes (default: all cores)")
    group = parser.add_argument_group("with --learn weights or optimizer: the real trainings")
    _add_training_options(group.add_argument)
    meta_train_weights.add_options(group.add_argument)
    meta_train_optimizer.add_options(group.add_argument)


def _add_training_options(option: Any) -> None:
    """The options that both forms with real trainings have; None where one is not given."""
    option("--space", metavar="S", help="the space of the networks (default: dense-cell)")
    option("--dataset", type=names, metavar="D,…", help=f"what is learnt from: {KNOWN_DATASETS}")
    option(
        "--data-dir",
        action="append",
        metavar="DIR|D=DIR",
        help="the folder or file of the data sets, or of the data set D (repeats)",
    )
    option("--recipe", metavar="R", help="sgd, adamw, nasbench201 (default: sgd)")
    option(
        "--settings",
        type=sizes,
        metavar="NAME=N,…",
        help="sizes of the networks, such as channels=8,cells=2",
    )
    option("--device", metavar="auto|cpu|cuda|mps", help="default: the fastest there is")
    option(
        "--form",
        choices=[form for forms in _FORMS.values() for form in forms],
        help="weights: a graph hypernetwork that writes them for each network, or a bank by "
        "position and operation (default: hypernetwork); optimizer: step sizes, momentum and "
        "decay by kind of parameter, or also a small network that sees each parameter (default: "
        "schedule)",
    )
    option("--minutes", type=above_zero, metavar="M", help="time of the meta-training")


def run(arguments: argparse.Namespace) -> int:
    """Learn, and report."""
    _check(arguments)
    learn = {
        "predictor": _learn_predictor,
        "weights": meta_train_weights.learn,
        "optimizer": meta_train_optimizer.learn,
    }
    with only_json(arguments.json):
        record = learn[arguments.learn](arguments)
    if arguments.json:
        write_json(record)
    else:
        _show(record, arguments)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options of another form, and a form without what it learns from.

    Raises:
        InvalidArgumentError: If there is such an option, or what is learnt from is missing.
    """
    learn = arguments.learn
    for name in dict.fromkeys(name for options in _OWN.values() for name in options):
        if name not in _OWN[learn] and getattr(arguments, name) is not None:
            fit = " or ".join(form for form, options in _OWN.items() if name in options)
            raise InvalidArgumentError(
                f"--{name.replace('_', '-')} is for --learn {fit}, got --learn {learn}; leave one "
                "out"
            )
    if arguments.form and arguments.form not in _FORMS[learn]:
        raise InvalidArgumentError(
            f"--form must be one of {', '.join(_FORMS[learn])} with --learn {learn}, got "
            f"{arguments.form!r}"
        )
    needed = "suite" if learn == "predictor" else "dataset"
    if getattr(arguments, needed) is None:
        raise InvalidArgumentError(f"--learn {learn} needs --{needed}: what is learnt from")


def _learn_predictor(arguments: argparse.Namespace) -> MetaTrainingRecord:
    from surrogate_nas.transfer import held_out_tasks, meta_train, suite_tasks

    return meta_train(
        suite_tasks(arguments.suite),
        predictor=arguments.predictor or _PREDICTOR,
        holdout=held_out_tasks(arguments.suite, arguments.holdout or []),
        out=arguments.out,
        seed=arguments.seed,
        workers=arguments.workers,
        progress=progress,
    )


def _show(record: MetaTrainingRecord, arguments: argparse.Namespace) -> None:
    from surrogate_nas.reporting.terminal import counted, print_meta_training

    if arguments.learn == "predictor":
        print_meta_training(record, arguments.out)
        return
    what = {"weights": "starting weights", "optimizer": "an optimizer"}[arguments.learn]
    print(
        f"learnt {what} from {counted(record.labels, 'training')} on "
        f"{', '.join(record.tasks)} in {record.seconds:.0f} s\n{arguments.out}"
    )
