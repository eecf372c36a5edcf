"""Benchmarks that are published as a folder of files, one an architecture, or as a single file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surrogate_nas.benchmarks.importers.base import Imported, Listener, check_name
from surrogate_nas.benchmarks.importers.results_count import Results
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True, slots=True)
class Archive:
    """How a benchmark is published.

    Attributes:
        space: The space of its architectures.
        runs: Number of epochs, as text, by the name of a run in the files.
        file: Name of an architecture's file; its first group is the architecture's number.
        example: Such a name.
        load: Reads a file.
        share: Bytes of memory for each byte of the single file.
        citation: Where the values come from.
    """

    space: SearchSpace
    runs: Mapping[str, str]
    file: re.Pattern[str]
    example: str
    load: Callable[[Path], Any]
    share: int
    citation: str


def import_archive(
    source: str | os.PathLike[str], archive: Archive, *, name: str, listener: Listener
) -> Imported:
    """Make a table of each run: the longest is called ``name``, others ``name-hp12`` and so on.

    Raises:
        InvalidArgumentError: If there is no such file or folder, or the name breaks a rule.
        UnsafePickleError: If a file holds more than plain data; nothing of it was executed.
        FormatError: If a file is damaged or of another kind; then nothing is written.
    """
    path = Path(source)
    for table in (name, *(f"{name}-hp{run}" for run in archive.runs.values())):
        check_name(table)
    if not path.exists():
        raise InvalidArgumentError(f"there is no file or folder {path}")
    results = Results(archive.space, archive.runs)
    read = _read_folder if path.is_dir() else _read_single
    read(path, archive, results, listener)
    return results.install(name, where=str(path), source=archive.citation, listener=listener)


def _read_folder(folder: Path, archive: Archive, results: Results, listener: Listener) -> None:
    files: dict[int, Path] = {}
    for file in sorted(folder.iterdir(), reverse=True):
        match = archive.file.fullmatch(file.name)
        if match:
            files.setdefault(int(match[1]), file)
    if not files:
        raise FormatError(
            f"{folder} holds no files like {archive.example}; give the folder of them"
        )
    with listener.progress("reading architectures", len(files)) as advance:
        for number in sorted(files):
            results.add(str(files[number]), archive.load(files[number]))
            advance("")


def _read_single(path: Path, archive: Archive, results: Results, listener: Listener) -> None:
    needed = path.stat().st_size * archive.share / 1e9
    listener.note(f"reading {path.name} takes about {max(needed, 0.1):.1f} GB of memory")
    data = archive.load(path)
    if not isinstance(data, dict) or not isinstance(data.get("arch2infos"), dict):
        raise FormatError(
            f"{path} holds no results: there is no 'arch2infos'; give the file of all "
            f"architectures, or the folder with files like {archive.example}"
        )
    states = data.pop("arch2infos")
    with listener.progress("reading architectures", len(states)) as advance:
        while states:
            number, state = states.popitem()  # which frees its memory
            results.add(f"architecture {number} of {path}", state)
            advance("")
