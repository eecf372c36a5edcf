"""``surrogate-nas train``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import (
    check_file,
    check_picture,
    natural,
    note,
    only_json,
    progress,
    write_json,
)
from surrogate_nas.cli.network_options import (
    DEFAULT_DATASET,
    KNOWN_DATASETS,
    add_data_dir_option,
    add_network_options,
    add_space_option,
)

if TYPE_CHECKING:
    from surrogate_nas.records import TrainingRecord
    from surrogate_nas.spaces.base import Architecture, SearchSpace
    from surrogate_nas.training.datasets.base import Dataset
    from surrogate_nas.training.objective import Training
    from surrogate_nas.training.record import Epoch

SUMMARY = "train one architecture"
DESCRIPTION = """\
Build the network of an architecture, train it on a data set, and report its accuracy."""
EXAMPLE = (
    "surrogate-nas train conv3x3-conv5x5-skip-maxpool3x3 --space dense-cell \\\n"
    "      --dataset digits --epochs 8 --settings channels=8"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("architecture", metavar="ARCH", help="in the notation of the space")
    add_space_option(option)
    option(
        "--dataset",
        default=DEFAULT_DATASET,
        metavar="D",
        help=f"{KNOWN_DATASETS} (default: %(default)s)",
    )
    add_data_dir_option(option)
    option("--epochs", type=natural, default=10, metavar="E", help="default: %(default)s")
    option("--seed", type=natural, default=0, metavar="I", help="default: %(default)s")
    add_network_options(parser)
    option("--checkpoint", type=Path, metavar="FILE", help="kept after each epoch, to go on from")
    option(
        "--export",
        type=Path,
        metavar="FILE.pt|FILE.onnx|FILE.pt2",
        help="write the trained network here, and a model card beside it",
    )
    option(
        "--draw", type=Path, metavar="FILE.svg|FILE.png", help="draw the architecture as a graph"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and report."""
    for name in ("checkpoint", "export"):
        path = getattr(arguments, name)
        if path is not None:
            check_file(f"--{name}", path)
    check_picture(arguments.draw, "--draw")
    with only_json(arguments.json):
        from surrogate_nas.spaces import open_space
        from surrogate_nas.training.datasets.base import open_dataset
        from surrogate_nas.training.export import check_export, export_network, try_export
        from surrogate_nas.training.model_card import card_path
        from surrogate_nas.training.objective import TrainingObjective

        space = open_space(arguments.space)
        arch = space.parse(arguments.architecture)
        if arguments.draw is not None:
            _draw(arguments.draw, space, arch)
        dataset = open_dataset(arguments.dataset, arguments.data_dir)
        learned, notes = _learned(arguments, space, dataset)
        if arguments.export is not None:
            check_export(arguments.export)
        text = space.format(arch)
        with progress(f"{text} on {dataset.name}", arguments.epochs) as advance:
            objective = TrainingObjective(
                space,
                dataset,
                epochs=arguments.epochs,
                recipe=arguments.recipe,
                seed=arguments.seed,
                device=arguments.device,
                network=arguments.network,
                settings=arguments.settings,
                **learned,
                watch=lambda point: advance(_progress(point)),
            )
            if arguments.export is not None:
                own = bool(arguments.network)
                try_export(arguments.export, objective.build(arch), dataset, own=own)
            training = objective.train(arch, checkpoint=arguments.checkpoint)
        if arguments.export is not None:
            export_network(
                arguments.export,
                training.network,
                dataset,
                space=arguments.space,
                architecture=text,
                builder=arguments.network,
                settings=arguments.settings,
                facts=objective.facts(training, seed=arguments.seed),
            )
            note(f"the network is in {arguments.export}, its card in {card_path(arguments.export)}")
    record = _record(arguments, text, training, notes)
    if arguments.json:
        write_json(record)
    else:
        _show(record)
    return 0


def _draw(path: Path, space: SearchSpace, arch: Architecture) -> None:
    from surrogate_nas.reporting.drawing import draw_architecture

    draw_architecture(path, space, arch)
    note(f"the drawing is in {path}")


def _learned(
    arguments: argparse.Namespace, space: SearchSpace, dataset: Dataset
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The starting weights and the optimizer, and what is noted of them."""
    from surrogate_nas.training.initial.choice import planned_initial
    from surrogate_nas.training.initial.short import check_length
    from surrogate_nas.training.optimisers.choice import planned_optimizer

    seen = bool(arguments.allow_seen)
    start, started = planned_initial(None, arguments.initial, space, dataset, allow_seen=seen)
    check_length(start, arguments.epochs)
    rule, note = planned_optimizer(None, arguments.optimizer, dataset, allow_seen=seen)
    return {"initial": start, "optimizer": rule}, {"initial": started, "optimizer": note}


def _progress(point: Epoch) -> str:
    return f"loss {point.loss:.3g}, validation accuracy {point.validation_accuracy:.2f} %"


def _record(
    arguments: argparse.Namespace, text: str, training: Training, notes: Mapping[str, Any]
) -> TrainingRecord:
    from surrogate_nas.records import TrainingRecord
    from surrogate_nas.training_settings import learnt_names

    learnt: dict[str, Any] = {**learnt_names(notes)}
    if "optimizer" in learnt:
        learnt["fell_back"] = training.fell_back
    last = training.curve[-1] if training.curve else None
    return TrainingRecord(
        arch=text,
        dataset=arguments.dataset,
        epochs=arguments.epochs,
        seed=arguments.seed,
        validation_accuracy=None if last is None else last.validation_accuracy,
        test_accuracy=None if last is None else last.test_accuracy,
        seconds=0.0 if last is None else last.seconds,
        parameters=training.parameters,
        flops=training.flops,
        curve=training.curve,
        **learnt,
    )


def _show(done: TrainingRecord) -> None:
    print(f"{done.arch} on {done.dataset}, seed {done.seed}")
    print(f"{done.parameters:,} parameters, {done.flops:,} multiply-adds an example")
    if done.curve:
        from surrogate_nas.reporting.terminal import counted

        print(
            f"after {counted(done.epochs, 'epoch')}: "
            f"validation {done.validation_accuracy:.2f} %, "
            f"test {done.test_accuracy:.2f} %, {done.seconds:.1f} seconds"
        )
