"""Shared by the commands: options, progress, JSON, and checks of output files."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from surrogate_nas.cli.logs import TOLD, is_quiet
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.estimates import TimeLeft
from surrogate_nas.files import try_to_write

if TYPE_CHECKING:
    from surrogate_nas._types import OnStep
    from surrogate_nas.records import JsonRecord
    from surrogate_nas.workflows.report import Reportable

BENCHMARK = "nas-bench-graph"  # where none is named

_LINES = 10  # of progress, where there is no terminal


# Options --------------------------------------------------------------------------------------


def positive(text: str) -> int:
    """An integer of at least 1."""
    return _integer(text, 1)


def natural(text: str) -> int:
    """An integer of at least 0."""
    return _integer(text, 0)


def _integer(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, got {text!r}")
    return number


def above_zero(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number


def names(text: str) -> list[str]:
    """A list, comma-separated."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"must be names separated by commas, got {text!r}")
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"must not name anything twice, got {text!r}")
    return found


def numbers(text: str) -> list[int]:
    """A list of integers of at least 0, comma-separated."""
    return [natural(part) for part in names(text)]


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which table, and how it is read."""
    parser.add_argument(
        "--benchmark",
        default=BENCHMARK,
        metavar="B",
        help=f"a name of `surrogate-nas benchmarks`, or a table file (default: {BENCHMARK})",
    )
    parser.add_argument(
        "--isomorphs",
        choices=("separate", "merged"),
        default="separate",
        help="whether encodings of one network count as different architectures, as in published "
        "numbers, or as one with the mean of their values (default: %(default)s)",
    )


def add_trial_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how many architectures a search evaluates, and how many at once."""
    parser.add_argument(
        "--trials", type=positive, default=100, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--batch",
        type=positive,
        default=5,
        metavar="N",
        help="proposals that are made without knowing each other's values (default: %(default)s)",
    )
    parser.add_argument(
        "--candidates",
        choices=("all", "visited"),
        help="what a guide compares: all architectures, or those that its searcher visits on the "
        "predictions, so that guided searchers differ (default: all where they can be listed)",
    )


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """The options that limit what a trial takes."""
    parser.add_argument(
        "--trial-timeout",
        type=above_zero,
        metavar="SECONDS",
        help="a trial that takes longer is ended, and failed (default: none)",
    )
    parser.add_argument(
        "--trial-memory",
        type=above_zero,
        metavar="GB",
        help="a trial whose process takes more memory is ended, and failed (default: none)",
    )


def add_accept_option(parser: argparse.ArgumentParser) -> None:
    """The option that accepts another setting than the recorded one."""
    parser.add_argument(
        "--accept",
        choices=("network",),
        action="append",
        default=[],
        help="go on although --network has another name than before: a repaired module that "
        "builds the same networks",
    )


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """The options that say from which other tasks a meta-learner has learnt."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--sources",
        metavar="B[:T,…][;B2…]",
        help="tasks that a meta-learner is trained on, once, never the searched one (default: the "
        "newest installed weights that never saw it)",
    )
    group.add_argument(
        "--leave-one-out",
        action="store_true",
        help="the sources are all other tasks of the benchmark",
    )


# Output ---------------------------------------------------------------------------------------


def note(message: str) -> None:
    """Tell the user something on standard error; on a full disk the work goes on."""
    TOLD.info(message)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Show each warning as one line."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        TOLD.warning("warning: %s", " ".join(str(message).split()))

    with warnings.catch_warnings():
        warnings.showwarning = show
        # What libraries tell the authors of programs is no news for users.
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextlib.contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """Keep standard output clean for one JSON object, whatever a library prints."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield


def write_json(result: JsonRecord | dict[str, Any]) -> None:
    """Print one JSON object; what is not finite becomes null."""
    from surrogate_nas.records.base import plain

    print(json.dumps(plain(result), allow_nan=False))


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[OnStep]:
    """A live bar on a terminal, some plain lines elsewhere; call the result at each step.

    Where the number of steps is unknown, 0, each step is a line.
    """
    if is_quiet():
        yield lambda text: None
        return
    if not sys.stderr.isatty():
        yield _lines(label, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task(label, total=total or None, text="")
        yield lambda text: bar.update(row, advance=1, text=text)


def _lines(label: str, total: int) -> OnStep:
    if not total:
        return note
    left = TimeLeft(total)

    def advance(text: str) -> None:
        estimate, done = left.advance(), left.done
        if done * _LINES // total > (done - 1) * _LINES // total or done == total:
            note(f"{label}: {done}/{total} {text}".rstrip() + estimate)

    return advance


# Output files ---------------------------------------------------------------------------------


def check_picture(path: Path | None, option: str) -> None:
    """Refuse a picture that could not be written, before the work starts."""
    if path is None:
        return
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise InvalidArgumentError(
            f"{option} must end with .png, .pdf or .svg, got {os.fspath(path)!r}"
        )
    check_file(option, path)


def check_page(path: Path | None) -> None:
    """Refuse a report that could not be written, before the work starts."""
    if path is not None:
        check_file("--report", path)


def write_page(what: Reportable, path: Path, command: Sequence[str]) -> None:
    """Write a report, and tell where it is."""
    from surrogate_nas.workflows.report import write_report

    record = write_report(what, path, command=command)
    note(f"the report is in {record.path} ({record.bytes / 1000:,.0f} kB)")


def check_file(option: str, path: Path) -> None:
    """Refuse a file that could not be written."""
    if path.is_dir():
        raise InvalidArgumentError(f"{option} must be a file, but {os.fspath(path)!r} is a folder")
    check_folder(option, path.parent)


def check_folder(option: str, folder: Path) -> None:
    """Refuse a folder that does not exist or cannot be written."""
    try:
        try_to_write(folder)
    except OSError as error:
        raise InvalidArgumentError(
            f"{option} must be in a folder that exists and can be written, "
            f"got {os.fspath(folder)!r}: {error.strerror}"
        ) from error
