"""``surrogate-nas import transnas``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "transnas-bench_v10141024.pth of TransNAS-Bench-101: cells and macro structures"
DESCRIPTION = (
    "Make two tables of the official file of TransNAS-Bench-101, transnas-bench_v10141024.pth: "
    "one of its cells (micro), one of its macro structures, each with seven tasks and all "
    "recorded epochs."
)
EXAMPLE = (
    "surrogate-nas import transnas transnas-bench_v10141024.pth\n"
    "  surrogate-nas search --benchmark transnas-micro --task jigsaw"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    parser.epilog = f"example:\n  {EXAMPLE}"
    parser.add_argument("source", metavar="SOURCE", help="transnas-bench_v10141024.pth")
    parser.add_argument(
        "--name",
        default="transnas",
        metavar="N",
        help="the tables are called N-micro and N-macro; old ones are replaced "
        "(default: %(default)s)",
    )


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the file."""
    from surrogate_nas.benchmarks.importers.transnas import import_transnas

    return import_transnas(arguments.source, name=arguments.name, listener=listener)
