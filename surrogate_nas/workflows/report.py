"""Writes the page of a search, of a comparison or of a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from surrogate_nas.benchmarks.base import Benchmark
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.files import cannot_write, write_text
from surrogate_nas.records import ComparisonRecord, SearchResult
from surrogate_nas.records.report import ReportRecord
from surrogate_nas.reporting.html.comparison import comparison_report
from surrogate_nas.reporting.html.search import search_report
from surrogate_nas.reporting.html.tables import table_report
from surrogate_nas.workflows.comparisons import of_folder, of_record
from surrogate_nas.workflows.search import SearchOutcome
from surrogate_nas.workflows.subjects import of_outcome, of_result, of_store

Reportable = str | os.PathLike[str] | SearchOutcome | SearchResult | ComparisonRecord | Benchmark
"""What a report can be about; a text is a trial store, a folder of `compare`, or a table."""

ReportKind = Literal["search", "comparison", "table"]

_TABLES = (".h5", ".hdf5")


def write_report(
    what: Reportable,
    out: str | os.PathLike[str],
    *,
    study: str | None = None,
    space: str | os.PathLike[str] | None = None,
    command: Sequence[str] | None = None,
) -> ReportRecord:
    """Write one self-contained page of HTML, which opens without a network and prints well.

    Args:
        what: The outcome of `surrogate_nas.search_task`, the result of `surrogate_nas.search`, the
            record of `surrogate_nas.compare`, a benchmark, or the name of a trial store, of the
            folder of a comparison, or of a table.
        out: The file.
        study: The search, where a store holds several.
        space: Name or TOML file of a store's space, where that is neither registered nor kept.
        command: What made it, for the page; None for what the settings say.

    Raises:
        InvalidArgumentError: If there is no such store, folder or table.
        SurrogateNASError: If something cannot be read, or the file cannot be written.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher, search
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> result = search(make_searcher("random", space, seed=0), objective, trials=20)
        >>> write_report(result, "report.html").sections[0]
        'Best so far'
    """
    kind, text, sections = _written(what, study, space, command)
    path = Path(out)
    try:
        write_text(path, text)
    except OSError as error:
        raise cannot_write(path, error, "the report") from error
    return ReportRecord(kind, path, len(text.encode()), tuple(sections))


def _written(
    what: Reportable,
    study: str | None,
    space: str | os.PathLike[str] | None,
    command: Sequence[str] | None,
) -> tuple[ReportKind, str, list[str]]:
    """The kind of the report, its text, and the titles of its sections."""
    found = _found(os.fspath(what)) if isinstance(what, str | os.PathLike) else what
    if isinstance(found, SearchOutcome):
        return "search", *search_report(of_outcome(found, command))
    if isinstance(found, SearchResult):
        return "search", *search_report(of_result(found))
    if isinstance(found, ComparisonRecord):
        return "comparison", *comparison_report(of_record(found))
    if isinstance(found, Path):
        return "comparison", *comparison_report(of_folder(found, command))
    if isinstance(found, Benchmark):
        return "table", *table_report(found)
    return "search", *search_report(of_store(found, study, space))


def _found(name: str) -> str | Path | Benchmark:
    """A trial store by its name, the folder of a comparison, or a table.

    Raises:
        InvalidArgumentError: If it is none of them.
    """
    path = Path(name)
    if "://" in name:
        return name
    if path.is_dir():
        return path
    if path.is_file() and path.suffix not in _TABLES:
        return name
    try:
        return open_benchmark(name)
    except UnknownNameError as error:
        raise InvalidArgumentError(
            f"a report is about a trial store (run.journal, sqlite:///run.db), the folder of a "
            f"comparison or a table, and {name!r} is no such file and no benchmark: {error}"
        ) from error
