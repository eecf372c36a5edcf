"""``surrogate-nas supernet``."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import natural, only_json, positive, progress, write_json
from surrogate_nas.cli.network_options import (
    DEFAULT_DATASET,
    add_data_dir_option,
    add_network_options,
)

if TYPE_CHECKING:
    from surrogate_nas.records import SupernetRecord
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.training.supernet import SupernetEpoch, SupernetSearch

SUMMARY = "search by gradient, in one network that shares its weights"
DESCRIPTION = """\
Train one network in which every node of a dense-cell mixes all operations, together with the
weights of the mixture, and choose the most probable cell. The search sees training and validation
examples; `train` then trains the cell on its own."""
EXAMPLE = "surrogate-nas supernet --method gdas --dataset digits --settings channels=8"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "--method",
        default="darts",
        metavar="M",
        help="darts (first order), darts2 (second order), gdas (default: %(default)s)",
    )
    option(
        "--dataset",
        default=DEFAULT_DATASET,
        metavar="D",
        help="as of `train` (default: %(default)s)",
    )
    add_data_dir_option(option)
    option("--epochs", type=positive, default=50, metavar="E", help="default: %(default)s")
    option("--seed", type=natural, default=0, metavar="I", help="default: %(default)s")
    add_network_options(parser, own=False)


def run(arguments: argparse.Namespace) -> int:
    """Search, and report."""
    with only_json(arguments.json):
        from surrogate_nas.spaces import open_space
        from surrogate_nas.training.datasets.base import open_dataset
        from surrogate_nas.training.supernet import search_supernet

        space = open_space("dense-cell")
        dataset = open_dataset(arguments.dataset, arguments.data_dir)
        with progress(f"{arguments.method} on {dataset.name}", arguments.epochs) as advance:
            found = search_supernet(
                dataset,
                method=arguments.method,
                epochs=arguments.epochs,
                recipe=arguments.recipe,
                seed=arguments.seed,
                device=arguments.device,
                settings=arguments.settings,
                watch=lambda point: advance(_progress(space, point)),
            )
    record = _record(arguments, space, found)
    if arguments.json:
        write_json(record)
    else:
        _show(record, _options(arguments))
    return 0


def _options(arguments: argparse.Namespace) -> str:
    """The options with which `train` uses the same data and sizes."""
    words = ["--dataset", arguments.dataset]
    if arguments.data_dir is not None:
        words += ["--data-dir", str(arguments.data_dir)]
    if arguments.settings:
        words += ["--settings", ",".join(f"{k}={v}" for k, v in arguments.settings.items())]
    return shlex.join(words)


def _progress(space: SearchSpace, point: SupernetEpoch) -> str:
    return f"validation loss {point.validation_loss:.3g}, {space.format(point.architecture)}"


def _record(
    arguments: argparse.Namespace, space: SearchSpace, found: SupernetSearch
) -> SupernetRecord:
    from surrogate_nas.records import SupernetPoint, SupernetRecord

    rows = zip(space.decisions, found.probabilities.tolist(), strict=True)
    return SupernetRecord(
        space=space.name,
        dataset=arguments.dataset,
        method=arguments.method,
        epochs=arguments.epochs,
        seed=arguments.seed,
        arch=space.format(found.architecture),
        probabilities={
            decision.name: dict(zip(decision.options, row, strict=True)) for decision, row in rows
        },
        seconds=found.curve[-1].seconds,
        curve=tuple(
            SupernetPoint(
                epoch=point.epoch,
                loss=point.loss,
                validation_loss=point.validation_loss,
                arch=space.format(point.architecture),
                seconds=point.seconds,
            )
            for point in found.curve
        ),
    )


def _show(done: SupernetRecord, options: str) -> None:
    from surrogate_nas.reporting.terminal import counted

    print(f"{done.method} on {done.dataset}, seed {done.seed}: {done.arch}")
    for node, row in done.probabilities.items():
        print(f"  {node}: " + ", ".join(f"{name} {share:.2f}" for name, share in row.items()))
    print(f"{counted(done.epochs, 'epoch')}, {done.seconds:.1f} seconds")
    print(f"train it: surrogate-nas train {done.arch} {options}")
