"""Trainings on one data set or on several, as a search by training needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Objective
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.training_settings import recorded
from surrogate_nas.workflows.search import SearchOptions

if TYPE_CHECKING:
    from surrogate_nas.training.objective import TrainingObjective

Planned = tuple["TrainingObjective", dict[str, Any]]
"""A training on one data set, and its settings."""

_OF_ONE = ("dataset", "options", "data", "initial", "optimizer")


def planned_trainings(
    space: SearchSpace,
    options: SearchOptions,
    epochs: int,
    *,
    stop_early: bool,
    weights: Path | None,
    several_budgets: bool,
) -> list[Planned]:
    """A training on each data set that the options name.

    Args:
        space: The space of the architectures.
        options: Of the search.
        epochs: Of each training.
        stop_early: Whether trainings end that are worse than half of the earlier ones.
        weights: The folder of weights that the search inherits, or None.
        several_budgets: Whether the search also evaluates at fewer epochs.

    Raises:
        SurrogateNASError: If a name, a number, a file or their combination is wrong.
    """
    each = options.training.each()
    if len(each) > 1:
        _check_several(options, stop_early=stop_early)
    return [
        one.plan(
            space,
            epochs=epochs,
            seed=options.seed,
            stop=MedianStopping(first=max(1, epochs // 3)) if stop_early else None,
            weights=weights,
            check_initial=True,
            several_budgets=several_budgets,
        )
        for one in each
    ]


def _check_several(options: SearchOptions, *, stop_early: bool) -> None:
    """Refuse what serves trainings on one data set only."""
    for wanted, option in (
        (stop_early, "--stop-early"),
        (options.verify is not None, "--verify"),
        (options.export is not None, "--export-best"),
    ):
        if wanted:
            raise InvalidArgumentError(
                f"{option} is for trainings on one data set, got {options.training.dataset}; "
                "leave it out"
            )


def weighted_metrics(objective: Objective) -> tuple[tuple[str, float], ...]:
    """The metric of each data set, with its weight; nothing of a single one."""
    training = getattr(objective, "training", objective)
    found: tuple[tuple[str, float], ...] = getattr(training, "weighted_metrics", ())
    return found


def stored_settings(
    planned: Sequence[Planned], objective: Objective, *, stop_early: bool
) -> dict[str, Any]:
    """What a store keeps of the trainings; those on several data sets are not repeated singly."""
    plans: list[Mapping[str, Any]] = [plan for _, plan in planned]
    name = "+".join(training.dataset.name for training, _ in planned)
    found = {"task": name, **recorded(plans[0]), "stop_early": stop_early}
    if len(plans) == 1:
        return found
    return {
        **{key: value for key, value in found.items() if key not in _OF_ONE},
        "parts": [plan["dataset"] for plan in plans],
        "trainings": [recorded(plan) for plan in plans],
        "task_weights": [weight for _, weight in weighted_metrics(objective)],
    }
