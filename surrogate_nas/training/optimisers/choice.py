"""Which learned optimiser serves a data set, and what tables and studies note of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.optimisers.files import SHIPPED, LearnedRule, read_optimizer

LEARNED = "learned"
"""The name that stands for the one that comes with the program and did not see the data set."""
NONE = "none"
"""The name that stands for the recipe's own optimiser, whatever was noted."""


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
    fitting = [rule for rule in rules if not rule.saw(dataset)]
    if not fitting:
        raise InvalidArgumentError(
            f"the {len(rules)} optimizers that come with the program all saw the data set "
            f"{dataset.name!r}; make one with 'surrogate-nas meta-train --learn optimizer'"
        )
    return max(fitting, key=lambda rule: len(rule.provenance.datasets if rule.provenance else ()))


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
    wanted = name if name is not None or noted is None else noted["file"]
    if wanted is None or os.fspath(wanted) == NONE:
        return None, None
    repeated = noted if name is None else None
    allowed = allow_seen or bool(repeated and repeated.get("allow_seen"))
    rule = find_optimizer(wanted, dataset, allow_seen=allowed)
    if repeated is not None and rule.identity != repeated["identity"]:
        raise InvalidArgumentError(
            f"the optimizer {os.fspath(wanted)} is not the one of the recorded trainings "
            f"({rule.identity}, recorded {repeated['identity']}); give that one with --optimizer"
        )
    note = {"file": os.fspath(wanted), "identity": rule.identity}
    return rule, note | ({"allow_seen": True} if rule.saw(dataset) else {})
