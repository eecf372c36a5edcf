"""``surrogate-nas measure``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from surrogate_nas.cli.console import (
    check_folder,
    natural,
    note,
    only_json,
    positive,
    progress,
    write_json,
)
from surrogate_nas.cli.network_options import (
    KNOWN_DATASETS,
    add_data_dir_option,
    add_space_option,
    sizes,
)
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.number_text import rounded

if TYPE_CHECKING:
    from surrogate_nas._types import IntArray
    from surrogate_nas.records import MeasuringRecord
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.workflows.measure import Measured, Measuring

SUMMARY = "measure networks on a device"
DESCRIPTION = """\
Build networks, and measure on a device of this machine how long a pass takes, and the memory and
energy that it needs. With --out the costs become a table, which --cost-model and --benchmark take;
the same command again goes on where it was stopped. Keep the machine idle meanwhile."""
EXAMPLE = """\
surrogate-nas measure conv3x3-conv5x5-skip-maxpool3x3 --device cpu
  surrogate-nas measure --count 10 --space nasbench201 --device cpu --out my-cpu.h5"""

_SHOWN = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option("architecture", nargs="*", metavar="ARCH", help="in the notation of the space")
    option("--count", type=positive, metavar="N", help="a random sample of the space")
    option(
        "--seed", type=natural, default=0, metavar="I", help="of the sample (default: %(default)s)"
    )
    add_space_option(option)
    option(
        "--device",
        default="auto",
        metavar="auto|cpu|cuda|mps",
        help="default: the fastest there is",
    )
    option("--batch-size", type=positive, default=1, metavar="N", help="default: %(default)s")
    option(
        "--threads", type=positive, default=1, metavar="N", help="on a cpu (default: %(default)s)"
    )
    option(
        "--repeats",
        type=positive,
        default=50,
        metavar="N",
        help="passes of which the median is taken (default: %(default)s)",
    )
    option(
        "--runtime",
        choices=("eager", "compile", "onnx"),
        default="eager",
        help="PyTorch as it is, torch.compile, or ONNX Runtime (default: %(default)s)",
    )
    option(
        "--compile",
        action="store_const",
        const="compile",
        dest="runtime",
        help="the same as --runtime compile",
    )
    option("--shape", type=_shape, metavar="C,H,W", help="of an image (default: 3,32,32)")
    option("--classes", type=positive, metavar="K", help="default: 10")
    option("--dataset", metavar="D", help=f"take shape and classes of {KNOWN_DATASETS}")
    add_data_dir_option(option)
    option("--network", metavar="module:build", help="what builds the network of your own space")
    option(
        "--settings",
        type=sizes,
        default={},
        metavar="NAME=N,…",
        help="sizes of the network, such as channels=8,cells=2",
    )
    option("--out", type=Path, metavar="TABLE.h5", help="the table of their costs")


def run(arguments: argparse.Namespace) -> int:
    """Measure, and report."""
    if arguments.out is not None:
        check_folder("--out", arguments.out.parent)
    with only_json(arguments.json):
        from surrogate_nas.spaces import open_space

        space = open_space(arguments.space)
        choices = _choices(arguments, space)
        measuring = _measuring(arguments, space)
        measured = measure_visibly(measuring, choices, out=arguments.out)
    record = _record(measuring, measured)
    if arguments.json:
        write_json(record)
    else:
        _show(record)
    return 0


def measure_visibly(measuring: Measuring, choices: IntArray, *, out: Path | None) -> Measured:
    """`surrogate_nas.workflows.measure.measure` with progress; an interrupt tells what is kept."""
    from surrogate_nas.workflows.measure import measure

    try:
        return measure(measuring, choices, out=out, progress=progress)
    except KeyboardInterrupt:
        if out is not None and out.exists():
            note(f"what was measured is in {out}: the same command goes on from there")
        raise


def _choices(arguments: argparse.Namespace, space: SearchSpace) -> IntArray:
    import numpy as np

    from surrogate_nas.workflows.build import choose

    if bool(arguments.architecture) == (arguments.count is not None):
        raise InvalidArgumentError(
            "measure needs either architectures or --count N, a random sample; give one of them"
        )
    if arguments.count is not None:
        return choose(space, arguments.count, arguments.seed)
    rows = dict.fromkeys(space.parse(text).choices for text in arguments.architecture)
    return np.array(list(rows), dtype=np.int16)


def _measuring(arguments: argparse.Namespace, space: SearchSpace) -> Measuring:
    from surrogate_nas.training.cost.measuring import MeasuringSettings
    from surrogate_nas.training.networks.base import NetworkTask
    from surrogate_nas.workflows.measure import Measuring

    dataset, task = None, NetworkTask(arguments.shape or (3, 32, 32), arguments.classes or 10)
    if arguments.dataset is not None:
        if arguments.shape is not None or arguments.classes is not None:
            raise InvalidArgumentError(
                "--dataset tells shape and classes; leave out --shape and --classes"
            )
        from surrogate_nas.training.datasets.base import open_dataset

        dataset = open_dataset(arguments.dataset, arguments.data_dir)
        task = dataset.task
    settings = MeasuringSettings(
        batch_size=arguments.batch_size,
        threads=arguments.threads,
        repeats=arguments.repeats,
        runtime=arguments.runtime,
    )
    return Measuring(
        space=space,
        device=arguments.device,
        settings=settings,
        task=task,
        dataset=dataset,
        network=arguments.network,
        sizes=arguments.settings,
    )


def _record(measuring: Measuring, measured: Measured) -> MeasuringRecord:
    from dataclasses import asdict

    import numpy as np

    from surrogate_nas.records import FailedNetwork, MeasuredNetwork, MeasuringRecord

    def text(row: tuple[int, ...]) -> str:
        return measuring.space.format(measuring.space.architecture(np.array(row)))

    settings = measuring.settings
    return MeasuringRecord(
        space=measuring.space.name,
        device=measuring.where.type,
        machine=measuring.machine,
        batch_size=settings.batch_size,
        threads=settings.threads,
        repeats=settings.repeats,
        runtime=settings.runtime,
        path=measured.path,
        measured=measured.measured,
        networks=tuple(
            MeasuredNetwork(arch=text(row), **asdict(cost)) for row, cost in measured.costs.items()
        ),
        failed=tuple(
            FailedNetwork(arch=text(row), error=error) for row, error in measured.failed.items()
        ),
        seconds=measured.seconds,
    )


def _show(record: MeasuringRecord) -> None:
    from surrogate_nas.reporting.terminal import counted

    print(
        f"{record.space} on {record.device} ({record.machine}), batch size {record.batch_size}, "
        f"{counted(record.threads, 'thread')}, {record.runtime}, median of {record.repeats} "
        f"pass{'es' if record.repeats > 1 else ''}"
    )
    for network in record.networks[:_SHOWN]:
        memory = "" if network.memory_mb is None else f", {network.memory_mb:.2f} MB"
        energy = "" if network.energy_mj is None else f", {rounded(network.energy_mj, 3)} mJ"
        print(
            f"  {network.latency_ms:9.3f} ms ± {network.spread_ms / 2:.3f}{memory}{energy}, "
            f"{network.parameters:,} parameters, {network.flops:,} multiply-adds: {network.arch}"
        )
    if len(record.networks) > _SHOWN:
        print(f"  and {len(record.networks) - _SHOWN:,} more")
    for failure in record.failed[:_SHOWN]:
        print(f"  failed: {failure.arch}: {failure.error}")
    if record.path is not None:
        print(f"the table is {record.path}, with {counted(record.measured, 'new network')}")


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"must be like 3,32,32, got {text!r}")
    return tuple(map(int, parts))
