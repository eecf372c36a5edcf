"""What the report of a comparison shows: from its folder or its record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surrogate_nas._version import library_versions
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import FormatError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.command import typed
from surrogate_nas.reporting.html.comparison import ComparisonSubject

SUMMARY = "compare.json"
"""The file of a folder that holds its `ComparisonRecord`."""


def of_folder(folder: Path, command: Sequence[str] | None = None) -> ComparisonSubject:
    """The subject of a comparison that was kept.

    Raises:
        FormatError: If a file of the folder is damaged.
        InvalidArgumentError: If the folder holds no comparison.
    """
    path = folder / SUMMARY
    try:
        record = ComparisonRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InvalidArgumentError(
            f"{folder} holds no comparison ({SUMMARY} is missing); name the --out of compare"
        ) from error
    except (ValueError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is damaged: {error}; run the comparison again") from error
    except OSError as error:
        raise InvalidArgumentError(f"cannot read {path}: {error.strerror}") from error
    settings = _settings(folder)
    words: Sequence[object] | None = command
    if words is None and settings:
        words = _repeating(record, settings, folder)
    return _subject(record, settings, words)


def of_record(record: ComparisonRecord) -> ComparisonSubject:
    """The subject of what `surrogate_nas.compare` returned."""
    return _subject(record, {}, None)


def _subject(
    record: ComparisonRecord, settings: Mapping[str, Any], command: Sequence[object] | None
) -> ComparisonSubject:
    sizes, remarks = _sizes(record, settings)
    names = ("benchmark", "isomorphs", "trials", "batch", "version")
    shown = {name: str(settings[name]) for name in names if name in settings}
    shown["methods"] = ", ".join(dict.fromkeys(run.method for run in record.runs))
    shown["tasks"] = ", ".join(dict.fromkeys(run.task for run in record.runs))
    shown["seeds"] = str(len({run.seed for run in record.runs}))
    used = {(run.task, run.method, run.weights) for run in record.runs}
    for task, method, weights in sorted(used, key=str):
        if isinstance(weights, str):
            shown[f"weights of {method} on {task}"] = Path(weights).name
    text = None if command is None else typed(command)
    return ComparisonSubject(record, sizes, shown, library_versions(), text, tuple(remarks))


def _settings(folder: Path) -> dict[str, Any]:
    """The settings of one run; all but its task, method and seed are those of all."""
    for path in sorted((folder / "runs").glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def _sizes(
    record: ComparisonRecord, settings: Mapping[str, Any]
) -> tuple[dict[str, int], list[str]]:
    """Number of architectures of each task, as noted or where the table is at hand."""
    if isinstance(record.sizes, Mapping):
        return dict(record.sizes), []
    name = settings.get("benchmark", record.benchmark)
    tasks = dict.fromkeys(run.task for run in record.runs)
    try:
        opened = open_benchmark(name)
        isomorphs = settings.get("isomorphs", "separate")
        return {task: len(opened.task(task, isomorphs=isomorphs)) for task in tasks}, []
    except SurrogateNASError:
        return {}, [f"The table {name} is not at hand, so ranks are not in % of it."]


def _repeating(record: ComparisonRecord, settings: Mapping[str, Any], folder: Path) -> list[object]:
    words: list[object] = ["surrogate-nas", "compare", "--benchmark", settings["benchmark"]]
    words += ["--task", ",".join(dict.fromkeys(run.task for run in record.runs))]
    words += ["--searcher", ",".join(dict.fromkeys(run.method for run in record.runs))]
    words += ["--trials", settings["trials"], "--batch", settings["batch"]]
    words += ["--seeds", len({run.seed for run in record.runs})]
    if settings.get("isomorphs", "separate") != "separate":
        words += ["--isomorphs", settings["isomorphs"]]
    return [*words, "--out", folder]
