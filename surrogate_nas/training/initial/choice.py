"""Which start serves a training, and what tables and studies note of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.initial.bank import LearnedWeights
from surrogate_nas.training.initial.base import Initial
from surrogate_nas.training.initial.files import SHIPPED, read_provenance, read_weights
from surrogate_nas.training.initial.fitted import FittedStart
from surrogate_nas.training.initial.inherited import Inherited
from surrogate_nas.training.initial.short import ShortTrainings, split_epochs
from surrogate_nas.training.initial.written import NAME
from surrogate_nas.training.learned_parts import LEARNED, best_unseen, planned_part
from surrogate_nas.training.options import FITTED, INHERIT


def find_weights(
    name: str | os.PathLike[str],
    space: SearchSpace,
    dataset: Dataset,
    *,
    allow_seen: bool = False,
    to_rank: bool = False,
) -> LearnedWeights:
    """The starting weights of a file, or of the name ``learned``, for a data set.

    ``learned`` is the file of those that come with the program that saw the most other data sets: a
    hypernetwork, whose trainings reach more, or a bank, whose short trainings rank better.

    Args:
        name: The file, or ``learned``.
        space: Of the networks.
        dataset: What will be trained on.
        allow_seen: Whether they may have been learnt on the data set.
        to_rank: Whether ``learned`` is for short trainings that rank architectures.

    Raises:
        InvalidArgumentError: If there are none, they are of another space, or they were learnt on
            this data set.
        FormatError: If the file is damaged.
    """
    shipped = os.fspath(name) == LEARNED
    path = _shipped(space, dataset, to_rank=to_rank) if shipped else Path(name)
    weights = read_weights(path)
    if weights.provenance.space != space.identity:
        raise InvalidArgumentError(
            f"the starting weights {path.name} are for networks of the space "
            f"{weights.provenance.space.partition('#')[0]!r}, and these are of {space.name!r}; "
            "make some with 'surrogate-nas meta-train --learn weights'"
        )
    if weights.provenance.saw(dataset) and not allow_seen:
        seen = ", ".join(each.name for each in weights.provenance.datasets)
        raise InvalidArgumentError(
            f"the starting weights {path.name} were learnt on the data set {dataset.name!r} (they "
            f"saw {seen}): what they reach there says nothing about new data; give others, or "
            "--allow-seen"
        )
    return weights


def _shipped(space: SearchSpace, dataset: Dataset, *, to_rank: bool) -> Path:
    """Those of the space and a form that saw the most data sets, but not this one."""
    found = []
    for path in sorted(SHIPPED.glob(f"*{SUFFIX}")):
        saw = read_provenance(path)
        written = saw.method.get("name") == NAME
        if saw.space == space.identity and written != to_rank:
            found.append((path, saw.datasets))
    best = best_unseen(found, dataset)
    if best is None:
        raise InvalidArgumentError(
            f"no starting weights that come with the program are for the space {space.name!r} and "
            f"did not see {dataset.name!r}; make some with 'surrogate-nas meta-train --learn "
            "weights'"
        )
    return best


def planned_initial(
    noted: Mapping[str, Any] | None,
    name: str | os.PathLike[str] | None,
    space: SearchSpace,
    dataset: Dataset,
    *,
    allow_seen: bool = False,
    folder: Path | None = None,
) -> tuple[Initial | None, dict[str, Any] | None]:
    """The start that was named, or else the noted one, and what is to be noted of it.

    Args:
        noted: What was noted of earlier trainings, or None.
        name: A file, ``learned``, ``fitted``, ``inherit`` or ``none``; None for the noted one. A
            number after a colon is the most epochs of a training with this start.
        space: Of the networks.
        dataset: What will be trained on.
        allow_seen: Whether the weights may have been learnt on the data set.
        folder: Keeps the weights that are inherited in a search; None elsewhere.

    Raises:
        InvalidArgumentError: If the file is another than the noted one, weights would be inherited
            outside of a search, the data set has no images, or see `find_weights`.
    """

    def find(named: str, allowed: bool) -> tuple[Initial, bool] | None:
        wanted, epochs = split_epochs(named)
        found = start_of(wanted, allowed, to_rank=epochs is not None)
        if found is None or epochs is None:
            return found
        start, seen = found
        return ShortTrainings(start, epochs), seen

    def start_of(wanted: str, allowed: bool, *, to_rank: bool) -> tuple[Initial, bool] | None:
        if dataset.graph is not None:
            raise InvalidArgumentError(
                f"starting weights are for images, and the data set {dataset.name!r} is a graph; "
                "leave out --initial"
            )
        if wanted == FITTED:
            return FittedStart(), False
        if wanted == INHERIT:
            return _inherited(folder, recorded=name is None)
        weights = find_weights(wanted, space, dataset, allow_seen=allowed, to_rank=to_rank)
        return weights, weights.provenance.saw(dataset)

    another = (
        "the starting weights {} are not those of the recorded trainings; give those with --initial"
    )
    return planned_part(noted, name, find, allow_seen=allow_seen, another=another)


def _inherited(folder: Path | None, *, recorded: bool) -> tuple[Initial, bool] | None:
    if folder is not None:
        return Inherited(folder), False
    if recorded:
        warnings.warn(
            "the search inherited weights from one training to the next; here networks are trained "
            "from random weights",
            stacklevel=6,
        )
        return None
    raise InvalidArgumentError(
        "--initial inherit is for search --dataset, where networks follow from each other; give a "
        "file or leave it out"
    )
