"""``surrogate-nas import``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

SUMMARY = "make a table of a file"
DESCRIPTION = "Make a table of published results or of one's own, to be searched by its name."
EXAMPLE = (
    "surrogate-nas import csv results.csv --space nasbench201 --arch arch \\\n"
    "    --task mnist=val_acc --test mnist=test_acc --name mine\n"
    "  surrogate-nas search --benchmark mine --task mnist"
)

_SHOWN = 5  # skipped rows


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command, by format."""
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    csv = formats.add_parser(
        "csv",
        help="comma-separated text with a header, one row an architecture",
        description="Make a table of a CSV file (also .csv.gz) with one row an architecture. An "
        "empty cell is a missing value.",
        allow_abbrev=False,
    )
    _add_csv_options(csv)
    csv.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,  # it may stand before the format, too
        help="print one JSON object on standard output, all else on standard error",
    )


def _add_csv_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("file", metavar="FILE", help="the file")
    option("--name", required=True, metavar="N", help="name of the table; an old one is replaced")
    option("--space", required=True, metavar="S", help="nasbench201, nats-size, …")
    option("--arch", required=True, metavar="COLUMN", help="architectures, in the space's notation")
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


def run(arguments: argparse.Namespace) -> int:
    """Import, and report."""
    started = time.perf_counter()
    from surrogate_nas.benchmarks.importers.csv import import_csv
    from surrogate_nas.cli.console import note, only_json, write_json

    with only_json(arguments.json):
        made = import_csv(
            arguments.file,
            name=arguments.name,
            space=arguments.space,
            arch=arguments.arch,
            tasks=_mapping("--task", arguments.task),
            tests=_mapping("--test", arguments.test),
            metrics=_mapping("--metric", arguments.metric),
            costs=_mapping("--cost", arguments.cost),
            minimise=arguments.minimise,
            skip_bad=arguments.skip_bad,
        )
    seconds = time.perf_counter() - started
    for text in made.skipped[:_SHOWN]:
        note(f"skipped {text}")
    if len(made.skipped) > _SHOWN:
        note(f"skipped {len(made.skipped):,} rows in all")
    if made.repeated:
        note(f"{made.repeated:,} repeated rows agree with the first one of their architecture")
    if made.isomorphic:
        note(
            f"{made.isomorphic:,} networks have several encodings with different values: all are "
            "kept, and --isomorphs merged takes their mean"
        )
    if arguments.json:
        write_json(
            {
                "name": made.name,
                "path": str(made.path),
                "architectures": made.architectures,
                "tasks": made.tasks,
                "seconds": seconds,
            }
        )
    else:
        print(
            f"{made.name}: {made.architectures:,} architectures, tasks {', '.join(made.tasks)}, "
            f"in {seconds:.1f} s\n{made.path}\n"
            f"next: surrogate-nas search --benchmark {made.name} --task {made.tasks[0]}"
        )
    return 0


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
