"""``surrogate-nas report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from surrogate_nas.cli.console import check_file, note, only_json, write_json

SUMMARY = "make a page about a search, a comparison or a table"
DESCRIPTION = """\
Write one page of HTML about a search that --store kept, about the folder of a comparison, or about
a table. It needs no other file and no network, prints well, and follows the light or dark theme."""
EXAMPLE = """\
surrogate-nas search --task cora --store run.journal
  surrogate-nas report run.journal --out report.html
  surrogate-nas report nas-bench-graph --out table.html"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    option = parser.add_argument
    option(
        "what",
        metavar="STORE|DIR|TABLE",
        help="a trial store (run.journal, sqlite:///run.db), the --out of compare, or a table (its "
        "file, or a name of `surrogate-nas benchmarks`)",
    )
    option("--out", type=Path, required=True, metavar="FILE.html", help="the page")
    option("--study", metavar="NAME", help="the search, where the store holds several")
    option("--space", metavar="S", help="where it is neither registered nor a noted TOML file")


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    check_file("--out", arguments.out)
    with only_json(arguments.json):
        from surrogate_nas.workflows.report import write_report

        record = write_report(
            arguments.what, arguments.out, study=arguments.study, space=arguments.space
        )
    if arguments.json:
        write_json(record)
    else:
        note(f"the report is in {record.path} ({record.bytes / 1000:,.0f} kB)")
    return 0
