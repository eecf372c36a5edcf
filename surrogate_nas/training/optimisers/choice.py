"""Which learned optimiser serves a data set, and what tables and studies note of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.learned_parts import LEARNED, best_unseen, planned_part
from surrogate_nas.training.optimisers.files import SHIPPED, LearnedRule, read_optimizer


def find_optimizer(
    name: str | os.PathLike[str], dataset: Dataset, *, allow_seen: bool = False
) -> LearnedRule:
    """The optimiser of a file, or of the name ``learned``, for a data set.

    ``learned`` is the one of those that come with the program that saw the most other data sets.

    Raises:
        InvalidArgumentError: If there is none, or it was learnt on this data set.
        FormatError: See `read_optimizer`.
    """
    if os.fspath(name) != LEARNED:
        found = read_optimizer(name)
        if not allow_seen:
            found.check_unseen(dataset)
        return found
    rules = [read_optimizer(path) for path in sorted(SHIPPED.glob(f"*{SUFFIX}"))]
    known = ((rule, rule.provenance.datasets) for rule in rules if rule.provenance is not None)
    best = best_unseen(known, dataset)
    if best is None:
        raise InvalidArgumentError(
            f"the {len(rules)} optimizers that come with the program all saw the data set "
            f"{dataset.name!r}; make one with 'surrogate-nas meta-train --learn optimizer'"
        )
    return best


def planned_optimizer(
    noted: Mapping[str, Any] | None,
    name: str | os.PathLike[str] | None,
    dataset: Dataset,
    *,
    allow_seen: bool = False,
) -> tuple[LearnedRule | None, dict[str, Any] | None]:
    """The optimiser that was named, or else the noted one, and what is to be noted of it.

    Args:
        noted: What was noted of earlier trainings, or None.
        name: A file, ``learned`` or ``none``; None for the noted one.
        dataset: What will be trained on.
        allow_seen: Whether it may have been learnt on the data set.

    Raises:
        InvalidArgumentError: If the file is another than the noted one, or see `find_optimizer`.
    """

    def find(wanted: str, allowed: bool) -> tuple[LearnedRule, bool]:
        rule = find_optimizer(wanted, dataset, allow_seen=allowed)
        return rule, rule.saw(dataset)

    another = (
        "the optimizer {} is not the one of the recorded trainings; give that one with --optimizer"
    )
    return planned_part(noted, name, find, allow_seen=allow_seen, another=another)
