"""Learned parts of trainings: which file serves, and what tables and studies note of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.datasets.seen import SeenDataset, saw

LEARNED = "learned"
"""The name that stands for what comes with the program and did not see the data set."""
NONE = "none"
"""The name of no learned part, whatever was noted."""


class LearnedPart(Protocol):
    """Something that trainings use and that was learnt: an optimiser, starting weights."""

    @property
    def identity(self) -> str:
        """Recognises it in checkpoints, studies and tables."""
        ...


_P = TypeVar("_P", bound=LearnedPart)
_T = TypeVar("_T")


def planned_part(
    noted: Mapping[str, Any] | None,
    name: str | os.PathLike[str] | None,
    find: Callable[[str, bool], tuple[_P, bool] | None],
    *,
    allow_seen: bool,
    another: str,
) -> tuple[_P | None, dict[str, Any] | None]:
    """The part that was named, or else the noted one, and what is to be noted of it.

    Args:
        noted: What was noted of earlier trainings, or None.
        name: A file or a word; None for the noted one.
        find: From a name, and whether the part may have seen the data set, to the part and whether
            it did; None for no part.
        allow_seen: Whether it may have been learnt on the data set.
        another: Refuses another part than the noted one, for messages; ``{}`` is its name.

    Raises:
        InvalidArgumentError: If the file is another than the noted one, or by ``find``.
    """
    repeated = noted if name is None else None
    wanted = name if repeated is None else repeated["file"]
    if wanted is None or os.fspath(wanted) == NONE:
        return None, None
    text = os.fspath(wanted)
    found = find(text, allow_seen or bool(repeated and repeated.get("allow_seen")))
    if found is None:
        return None, None
    part, seen = found
    if repeated is not None and part.identity != repeated["identity"]:
        raise InvalidArgumentError(
            another.format(f"{text} ({part.identity}, recorded {repeated['identity']})")
        )
    note = {"file": text, "identity": part.identity}
    return part, note | ({"allow_seen": True} if seen else {})


def best_unseen(parts: Iterable[tuple[_T, Sequence[SeenDataset]]], dataset: Dataset) -> _T | None:
    """Of parts with what they saw, the first one that saw most, but not this data set."""
    unseen = [(part, seen) for part, seen in parts if not saw(seen, dataset)]
    return max(unseen, key=lambda pair: len(pair[1]))[0] if unseen else None
