"""``surrogate-nas benchmarks``."""

from __future__ import annotations

import argparse

SUMMARY = "list what can be searched"
DESCRIPTION = "List the tables that can be searched, and how those that are missing are obtained."
EXAMPLE = "surrogate-nas benchmarks --json"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this command."""
    parser.add_argument(
        "--check", action="store_true", help="also verify the checksums of each table"
    )


def run(arguments: argparse.Namespace) -> int:
    """List the benchmarks."""
    from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
    from surrogate_nas.cli.console import only_json, write_json

    with only_json(arguments.json):
        found = list_benchmarks()
        if arguments.check:
            for benchmark in found:
                if benchmark.available:
                    open_benchmark(benchmark.name).check()
    if arguments.json:
        from surrogate_nas.records import BenchmarksRecord

        write_json(BenchmarksRecord(tuple(found)))
    else:
        from surrogate_nas.reporting.terminal import print_benchmarks

        print_benchmarks(found)
    return 0
