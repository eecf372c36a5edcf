"""``surrogate-nas import analog``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "NAS-Bench-201 on digital, quantized, noisy and analog hardware"
DESCRIPTION = (
    "Make a table of the data of the package analog-nasbench, which has to be installed: cells of "
    "NAS-Bench-201 on digital, quantized, noisy and analog hardware and after drift, each a task."
)
EXAMPLE = "surrogate-nas import analog\n  surrogate-nas search --benchmark analog --task ptq"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    parser.epilog = f"example:\n  {EXAMPLE}"
    parser.add_argument(
        "--name",
        default="analog",
        metavar="N",
        help="name of the table; an old one is replaced (default: %(default)s)",
    )


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the package's data."""
    from surrogate_nas.benchmarks.importers.analog import import_analog

    return import_analog(name=arguments.name, listener=listener)
