"""``surrogate-nas import csv``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener

HELP = "text with a row an architecture, separated by commas or otherwise, or Parquet"
DESCRIPTION = (
    "Make a table of a text file (also .csv.gz or .csv.bz2) or a Parquet file with one row an "
    "architecture. What separates the cells is found: commas, semicolons, tabs, bars or blanks. An "
    "empty cell is a missing value. Clock times (1:02:03) count in seconds, 93.4 % counts 93.4, "
    "and where semicolons separate cells, 93,4 is 93.4. Nothing that the file holds is executed."
)
EXAMPLE = (
    "surrogate-nas import csv runs.csv --space my.toml --name mine --task val=accuracy \\\n"
    "      --arch config --pattern 'L(?P<layers>[0-9]+)-(?P<norm>[a-z]+)' --repeats seeds"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this format."""
    parser.description = DESCRIPTION
    parser.epilog = f"example:\n  {EXAMPLE}"
    option = parser.add_argument
    option("file", metavar="FILE", help="the file")
    option("--name", required=True, metavar="N", help="name of the table; an old one is replaced")
    option(
        "--space",
        required=True,
        metavar="S",
        help="nasbench201, nats-size, …, or FILE.toml that declares a space of your own",
    )
    _add_architectures(parser)
    _add_measurements(parser)
    _add_form(parser)


def _add_architectures(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "--arch",
        action="append",
        metavar="COLUMN",
        help="architectures in the space's notation (default: a column for each decision of the "
        "space with the name of its option); repeats where they stand in several columns, such as "
        "a matrix and operations",
    )
    option(
        "--notation",
        metavar="NAME|MODULE:FUNCTION",
        help="how architectures are written, where it is not the space's own notation: options (a "
        "list of names), indices (a list of numbers of options from 0), naslib, operations or bits "
        "(of nasbench201 and nasbench101; found by themselves), or a Python function from a text "
        "to options",
    )
    option(
        "--pattern",
        metavar="REGEX",
        help="how architectures are written, as a regular expression with a group (?P<NAME>…) for "
        "each decision",
    )
    _repeated(
        parser,
        "--decision",
        "NAME=COLUMN",
        "the column of a decision that is called otherwise, or its group of --pattern",
    )
    _repeated(
        parser, "--fixed", "NAME=OPTION", "a decision that is the same in all rows, and not in them"
    )
    option(
        "--nearest",
        action="store_true",
        help="a number between two options of a decision means the nearer one",
    )


def _add_measurements(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    series = "NAME[@EPOCHS][#SEED]=COLUMN"
    option(
        "--task",
        type=assignment,
        action="append",
        required=True,
        metavar=series,
        help="a column with the validation metric of a task; without a seed it is a mean over "
        "seeds, without epochs the only budget (repeats)",
    )
    _repeated(parser, "--test", series, "a column with its test metric, which no search sees")
    _repeated(parser, "--metric", "[TASK:]NAME=COLUMN", "a further metric, of one task or of all")
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
        "--describe",
        metavar="FILE.csv",
        help="numbers that describe each task, such as the size of its data set: a row a task with "
        "its name first, and a header; meta-gnn then believes similar tasks more",
    )
    option(
        "--repeats",
        choices=("refuse", "seeds", "mean"),
        default="refuse",
        help="several rows of one architecture: equal ones count once and others are refused, they "
        "are its seeds, or their mean counts (default: %(default)s)",
    )


def _add_form(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option(
        "--columns",
        metavar="NAME,NAME,…",
        help="names of all columns, for a file without a header",
    )
    option(
        "--separator",
        metavar="S",
        help="what separates the cells: comma, semicolon, tab, bar, blanks or a character "
        "(default: what makes the columns that are named)",
    )
    option(
        "--max-size",
        metavar="SIZE",
        help="read so much text at most, after decompression, like 2GB (default: 268MB)",
    )
    option(
        "--skip-bad",
        action="store_true",
        help="leave bad rows out instead of refusing the file; of rows that contradict each other "
        "the first is kept",
    )


def _repeated(parser: argparse.ArgumentParser, name: str, form: str, about: str) -> None:
    """An option ``NAME=TEXT`` that may be given several times."""
    parser.add_argument(
        name,
        type=assignment,
        action="append",
        default=[],
        metavar=form,
        help=f"{about} (repeats)",
    )


def assignment(text: str) -> tuple[str, str]:
    """The type of an option ``NAME=TEXT``."""
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise argparse.ArgumentTypeError(f"must be NAME=COLUMN, got {text!r}")
    return name, column


def _cost(text: str) -> tuple[str, str]:
    task, _, column = text.rpartition(":")
    return task, column


def run(arguments: argparse.Namespace, listener: Listener) -> Imported:
    """Import the file."""
    from surrogate_nas.benchmarks.importers.bounded import MAX_SIZE, read_size
    from surrogate_nas.benchmarks.importers.csv import import_csv

    names = arguments.columns
    size = arguments.max_size
    return import_csv(
        arguments.file,
        name=arguments.name,
        space=arguments.space,
        arch=arguments.arch,
        notation=arguments.notation,
        pattern=arguments.pattern,
        decisions=mapping("--decision", arguments.decision),
        fixed=mapping("--fixed", arguments.fixed),
        nearest=arguments.nearest,
        tasks=mapping("--task", arguments.task),
        tests=mapping("--test", arguments.test),
        metrics=mapping("--metric", arguments.metric),
        costs=mapping("--cost", arguments.cost),
        minimise=arguments.minimise,
        descriptors=arguments.describe,
        repeats=arguments.repeats,
        columns=None if names is None else [name.strip() for name in names.split(",")],
        separator=arguments.separator,
        max_size=MAX_SIZE if size is None else read_size(size),
        skip_bad=arguments.skip_bad,
        listener=listener,
    )


def mapping(option: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What an option ``NAME=TEXT`` was given as, each name once."""
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
