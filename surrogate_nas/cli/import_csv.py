"""``surrogate-nas import csv``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "comma-separated text with a header, or Parquet, one row an architecture"
DESCRIPTION = (
    "Make a table of a CSV file (also .csv.gz) or a Parquet file with one row an architecture. An "
    "empty cell is a missing value."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    option = parser.add_argument
    option("file", metavar="FILE", help="the file")
    option("--name", required=True, metavar="N", help="name of the table; an old one is replaced")
    option(
        "--space",
        required=True,
        metavar="S",
        help="nasbench201, nats-size, …, or FILE.toml that declares a space of your own",
    )
    option(
        "--arch",
        metavar="COLUMN",
        help="architectures in the space's notation (default: a column for each decision of the "
        "space with the name of its option)",
    )
    option(
        "--decision",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=COLUMN",
        help="the column of a decision that is called otherwise (repeats)",
    )
    option(
        "--task",
        type=_assignment,
        action="append",
        required=True,
        metavar="NAME[@EPOCHS][#SEED]=COLUMN",
        help="a column with the validation metric of a task; without a seed it is a mean over "
        "seeds, without epochs the only budget (repeats)",
    )
    option(
        "--test",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME[@EPOCHS][#SEED]=COLUMN",
        help="a column with its test metric, which no search sees (repeats)",
    )
    option(
        "--metric",
        type=_assignment,
        action="append",
        default=[],
        metavar="[TASK:]NAME=COLUMN",
        help="a further metric, of one task or of all (repeats)",
    )
    option(
        "--cost",
        type=_cost,
        action="append",
        default=[],
        metavar="[TASK:]COLUMN",
        help="a column whose mean is the cost of one evaluation at the largest budget; others in "
        "proportion to their epochs (repeats; default: the epochs)",
    )
    option(
        "--minimise",
        action="append",
        default=[],
        metavar="NAME",
        help="a task or metric of which less is better (repeats)",
    )
    option(
        "--skip-bad",
        action="store_true",
        help="leave bad rows out instead of refusing the file; of rows that contradict each other "
        "the first is kept",
    )


def _assignment(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise argparse.ArgumentTypeError(f"must be NAME=COLUMN, got {text!r}")
    return name, column


def _cost(text: str) -> tuple[str, str]:
    task, _, column = text.rpartition(":")
    return task, column


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the file."""
    from surrogate_nas.benchmarks.importers.csv import import_csv

    return import_csv(
        arguments.file,
        name=arguments.name,
        space=arguments.space,
        arch=arguments.arch,
        decisions=_mapping("--decision", arguments.decision),
        tasks=_mapping("--task", arguments.task),
        tests=_mapping("--test", arguments.test),
        metrics=_mapping("--metric", arguments.metric),
        costs=_mapping("--cost", arguments.cost),
        minimise=arguments.minimise,
        skip_bad=arguments.skip_bad,
        listener=listener,
    )


def _mapping(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    from surrogate_nas.errors import InvalidArgumentError

    found: dict[str, str] = {}
    for name, column in pairs:
        if name in found:
            raise InvalidArgumentError(
                f"{option} must name {name or 'all tasks'!r} once, got the columns "
                f"{found[name]!r} and {column!r}"
            )
        found[name] = column
    return found
