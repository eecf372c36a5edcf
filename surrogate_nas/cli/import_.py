"""``surrogate-nas import``."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from surrogate_nas.benchmarks.published import PUBLISHED
from surrogate_nas.cli import (
    import_analog,
    import_csv,
    import_hw_nas_bench,
    import_optuna,
    import_transnas,
)

if TYPE_CHECKING:
    from surrogate_nas._types import OnStep
    from surrogate_nas.benchmarks.importers.base import Imported, Listener
    from surrogate_nas.records import ImportRecord

SUMMARY = "make a table of a file"
DESCRIPTION = "Make a table of published results or of your own, to be searched by its name."
EXAMPLE = (
    "surrogate-nas import csv results.csv --space nasbench201 --arch arch \\\n"
    "    --task mnist=val_acc --test mnist=test_acc --name mine\n"
    "  surrogate-nas search --benchmark mine --task mnist"
)


class Format(Protocol):
    """A module of a format with options of its own."""

    HELP: str
    DESCRIPTION: str

    def add_options(self, parser: argparse.ArgumentParser, /) -> None:
        """Options of this format."""
        ...

    def run(self, arguments: argparse.Namespace, listener: Listener, /) -> Imported:
        """Import."""
        ...


_OWN: dict[str, Format] = {
    "csv": import_csv,
    "optuna": import_optuna,
    "transnas": import_transnas,
    "hw-nas-bench": import_hw_nas_bench,
    "analog": import_analog,
}
"""Formats with options of their own."""
_SHOWN = 5  # skipped rows
_TRIALS = 100  # of a search, where none are named


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command, by format."""
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    for word, module in _OWN.items():
        own = _add_format(formats, word, module.HELP, module.DESCRIPTION)
        module.add_options(own)
    for word, table in PUBLISHED.items():
        if table.word:
            continue
        about = f"{table.file} from {table.origin}"
        published = _add_format(formats, word, about, f"Make a table of {about}.")
        source = table.file.removeprefix("the folder ").split()[0].rstrip(",")
        published.epilog = (
            f"example:\n  surrogate-nas import {word} {source}\n  {_search(word, table.tasks[0])}"
        )
        published.add_argument("source", metavar="SOURCE", help=table.file)
        published.add_argument(
            "--name",
            default=word,
            metavar="N",
            help="name of the table; an old one is replaced (default: %(default)s)",
        )


def _add_format(
    formats: argparse._SubParsersAction[argparse.ArgumentParser],
    word: str,
    help_text: str,
    description: str,
) -> argparse.ArgumentParser:
    parser = formats.add_parser(word, help=help_text, description=description, allow_abbrev=False)
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,  # it may stand before the format, too
        help="print one JSON object on standard output, all else on standard error",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Import, and report."""
    started = time.perf_counter()
    from surrogate_nas.cli.console import note, only_json, write_json
    from surrogate_nas.reporting.terminal import counted

    with only_json(arguments.json):
        made = _import(arguments)
    seconds = time.perf_counter() - started
    for text in made.skipped[:_SHOWN]:
        note(f"skipped {text}")
    if len(made.skipped) > _SHOWN:
        note(f"skipped {len(made.skipped):,} rows in all")
    if made.repeated:
        agree = "agrees" if made.repeated == 1 else "agree"
        note(
            f"{counted(made.repeated, 'repeated row')} {agree} with the first one of the same "
            "architecture"
        )
    if made.isomorphic:
        have = "has" if made.isomorphic == 1 else "have"
        note(
            f"{counted(made.isomorphic, 'network')} {have} several encodings with different "
            "values: all are kept, and --isomorphs merged takes their mean"
        )
    if arguments.json:
        write_json(_record(made, seconds))
    else:
        for table in (made, *made.also):
            print(
                f"{table.name}: {counted(table.architectures, 'architecture')}, "
                f"{'task' if len(table.tasks) == 1 else 'tasks'} {', '.join(table.tasks)}\n"
                f"{table.path}"
            )
        print(f"in {seconds:.1f} s\nnext: {_search(made.name, made.tasks[0], _rows(made))}")
    return 0


def _rows(made: Imported) -> int:
    """How many architectures the first task of a table has."""
    from surrogate_nas.benchmarks import open_benchmark

    return len(open_benchmark(made.name).task(made.tasks[0]))


def _search(name: str, task: str, rows: int = _TRIALS) -> str:
    """The command that searches a table; where it has few rows, with few trials."""
    few = [] if rows >= _TRIALS else ["--trials", str(max(1, rows // 2))]
    return shlex.join(["surrogate-nas", "search", "--benchmark", name, "--task", task, *few])


def _record(made: Imported, seconds: float) -> ImportRecord:
    from surrogate_nas.records import ABSENT, ImportRecord, TableRecord

    return ImportRecord(
        made.name,
        made.path,
        made.architectures,
        made.tasks,
        seconds,
        tuple(TableRecord(t.name, t.path, t.architectures, t.tasks) for t in made.also) or ABSENT,
    )


def _import(arguments: argparse.Namespace) -> Imported:
    listener = _listener()
    if arguments.format in _OWN:
        return _OWN[arguments.format].run(arguments, listener)
    from surrogate_nas.benchmarks.published import reader

    return reader(arguments.format)(arguments.source, name=arguments.name, listener=listener)


def _listener() -> Listener:
    from surrogate_nas.benchmarks.importers.base import Listener
    from surrogate_nas.cli.console import note, progress

    class Console(Listener):
        """Shows what it hears."""

        def note(self, text: str) -> None:
            note(text)

        @contextmanager
        def progress(self, label: str, total: int) -> Iterator[OnStep]:
            with progress(label, total) as advance:
                yield advance

    return Console()
