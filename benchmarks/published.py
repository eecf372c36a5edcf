"""Published tables: which file to get from whom, and what reads it."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.importers.base import Imported, Listener


class Reader(Protocol):
    """A function that makes an installed table of a published file or folder."""

    def __call__(
        self, source: str | os.PathLike[str], *, name: str, listener: Listener
    ) -> Imported:
        """Import it."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """A published benchmark that `surrogate-nas import` understands.

    Attributes:
        reader: ``module:function`` below `surrogate_nas.benchmarks.importers`; the function takes
            the source's path, and ``name`` and ``listener`` as keywords.
        space: Name of its space.
        tasks: Names of its tasks.
        architectures: Number of rows of the whole table.
        file: Which file or folder it is, for the help.
        origin: Who publishes it.
    """

    reader: str
    space: str
    tasks: tuple[str, ...]
    architectures: int
    file: str
    origin: str


PUBLISHED: dict[str, Published] = {}
"""By the word that stands behind ``surrogate-nas import``, which is the table's default name."""


def how_to_get(word: str) -> str:
    """What to do to have the table."""
    found = PUBLISHED[word]
    return f"get {found.file} from {found.origin}, then: surrogate-nas import {word} SOURCE"


def reader(word: str) -> Reader:
    """The function that reads a published file."""
    module, _, function = PUBLISHED[word].reader.partition(":")
    found: Reader = getattr(
        importlib.import_module(f"surrogate_nas.benchmarks.importers.{module}"), function
    )
    return found
