"""``surrogate-nas import hw-nas-bench``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "latency and energy of NAS-Bench-201 on six devices, added to a table"
DESCRIPTION = (
    "Add the latencies (ms) and energies (mJ) of HW-NAS-Bench to the tasks cifar10, cifar100 and "
    "ImageNet16-120 of a table of NAS-Bench-201, as metrics. Doing it again replaces them."
)
EXAMPLE = (
    "surrogate-nas import hw-nas-bench HW-NAS-Bench-v1_0.pickle --into nasbench201\n"
    "  surrogate-nas search --benchmark nasbench201 --task cifar10 --limit 'edgegpu_latency<=5'"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    parser.epilog = f"example:\n  {EXAMPLE}"
    option = parser.add_argument
    option(
        "file",
        metavar="FILE",
        help="HW-NAS-Bench-v1_0.pickle from the repository GATECH-EIC/HW-NAS-Bench",
    )
    option("--into", required=True, metavar="TABLE", help="name of the table that gets the metrics")
    option(
        "--dataset",
        metavar="D",
        help="cifar10, cifar100 or ImageNet16-120: of the tasks whose names do not tell it",
    )


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the file."""
    from surrogate_nas.benchmarks.importers.hw_nas_bench import import_hw_nas_bench

    return import_hw_nas_bench(
        arguments.file, into=arguments.into, listener=listener, dataset=arguments.dataset
    )
