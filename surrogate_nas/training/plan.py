"""Repeats trainings by the settings that tables and studies record."""

from __future__ import annotations

import copy
import json
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surrogate_nas.checksums import checksum_of
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.initial.bank import LearnedWeights
from surrogate_nas.training.initial.check import helps
from surrogate_nas.training.initial.choice import planned_initial
from surrogate_nas.training.initial.fitted import FittedStart
from surrogate_nas.training.initial.short import ShortTrainings, check_length
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.choice import planned_optimizer
from surrogate_nas.training.recipes import DEFAULT_RECIPE
from surrogate_nas.training_settings import LEARNT, recorded

_LOG = logging.getLogger(__name__)


def recorded_training(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of trainings in a study of `search --store`: its own, or those of its table.

    Args:
        settings: Settings of the study.
    """
    if settings.get("training") is not None:
        return dict(settings["training"])
    own = recorded(settings)
    return own | {"seeds": settings.get("seed", 0) + 1} if own else None


def plan_training(
    space: SearchSpace,
    noted: Mapping[str, Any] | None,
    *,
    dataset: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    epochs: int | None = None,
    recipe: str | None = None,
    settings: Mapping[str, Any] | None = None,
    network: str | None = None,
    device: str = "auto",
    seed: int = 0,
    stop: MedianStopping | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    optimizer: str | os.PathLike[str] | None = None,
    initial: str | os.PathLike[str] | None = None,
    allow_seen: bool = False,
    weights: Path | None = None,
    check_initial: bool = False,
    several_budgets: bool = False,
) -> tuple[TrainingObjective, dict[str, Any]]:
    """Make an objective that trains winners by recorded settings, unless others are given.

    Args:
        space: The space of the winners.
        noted: Recorded settings, see `surrogate_nas.benchmarks.table_writer.TaskSpec`, or None.
        dataset: Another data set; ``options`` and ``data`` of ``noted`` are then ignored.
        data_dir: Folder or file of the data set.
        epochs: Epochs of each training.
        recipe: A name of `surrogate_nas.training.recipes.RECIPES`.
        settings: Sizes of the networks.
        network: The function that builds the networks.
        device: Device of the trainings.
        seed: Default seed of an evaluation.
        stop: See `TrainingObjective`.
        checkpoints: See `TrainingObjective`.
        optimizer: File of a learned optimiser, ``learned`` or ``none``; None for the noted one.
        initial: A file of starting weights, ``learned``, ``fitted``, ``inherit`` or ``none``.
        allow_seen: Whether what was learnt may have seen the data set.
        weights: The folder of weights that a search inherits; None elsewhere.
        check_initial: Whether to train one architecture with and without the starting weights, and
            to lay them aside if they do not help.
        several_budgets: Whether trainings may be shorter than their epochs say.

    Returns:
        The objective, and its settings in the form of ``noted``.

    Raises:
        InvalidArgumentError: If the data set or the epochs are neither recorded nor given, or the
            data are others than those recorded.
        SurrogateNASError: See `open_dataset` and `TrainingObjective`.
    """
    plan: dict[str, Any] = {"options": {}, "data": None, "recipe": DEFAULT_RECIPE, "settings": {}}
    plan |= {"network": None, "seeds": 0, **(noted or {})}
    if dataset is not None and dataset != plan.get("dataset"):
        plan |= {"dataset": dataset, "options": {}, "data": None}
    given = {"epochs": epochs, "recipe": recipe, "settings": settings, "network": network}
    plan |= {key: value for key, value in given.items() if value is not None}
    missing = [f"--{key}" for key in ("dataset", "epochs") if plan.get(key) is None]
    if missing:
        raise InvalidArgumentError(
            "nothing is recorded of how these architectures were trained; name "
            f"{' and '.join(missing)} to train them (and --data-dir, --recipe, --settings, "
            "--network where they matter)"
        )
    opened = open_dataset(plan["dataset"], data_dir, **plan["options"])
    if plan["data"] not in (None, opened.fingerprint):
        raise InvalidArgumentError(
            f"the data set {plan['dataset']!r} found here is not the one of the recorded "
            f"trainings (fingerprint {opened.fingerprint}, recorded {plan['data']}); give the same "
            "files with --data-dir"
        )
    plan["data"] = opened.fingerprint
    rule, note = planned_optimizer(
        plan.pop("optimizer", None), optimizer, opened, allow_seen=allow_seen
    )
    start, started = planned_initial(
        plan.pop("initial", None),
        initial,
        space,
        opened,
        allow_seen=allow_seen,
        folder=_own_folder(weights, plan),
    )
    if initial is not None and not several_budgets:
        check_length(start, plan["epochs"])
    training = TrainingObjective(
        space,
        opened,
        epochs=plan["epochs"],
        recipe=plan["recipe"],
        settings=plan["settings"],
        network=plan["network"],
        device=device,
        seed=seed,
        stop=stop,
        checkpoints=checkpoints,
        optimizer=rule,
        initial=start,
    )
    training.check_network()
    if check_initial and isinstance(start, LearnedWeights | FittedStart | ShortTrainings):
        training, started = _checked(training, started)
    learnt = {"initial": started, "optimizer": note}  # plans without them are as they always were
    return training, plan | {key: value for key, value in learnt.items() if value is not None}


def _own_folder(weights: Path | None, plan: Mapping[str, Any]) -> Path | None:
    """The folder of trainings by these settings alone."""
    return None if weights is None else weights / checksum_of({}, json.dumps(plan, sort_keys=True))


def _checked(
    training: TrainingObjective, note: dict[str, Any] | None
) -> tuple[TrainingObjective, dict[str, Any] | None]:
    """The trainings as they are, or from random weights if starting weights do not help."""
    better, text = helps(training)
    if better:
        _LOG.info("%s: they are used", text)
        return training, note
    warnings.warn(f"{text}: they are laid aside", stacklevel=4)
    without = copy.copy(training)
    without.initial = None
    return without, None


def _learnt(note: Any) -> Any:
    return note["identity"] if isinstance(note, Mapping) else note


def study_of(space: SearchSpace, plan: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and settings of the study that keeps such trainings, the same for all searches."""
    sizes = ",".join(f"{key}={value}" for key, value in sorted(plan["settings"].items()))
    parts = (plan["network"], sizes, *(_learnt(plan.get(key)) for key in LEARNT))
    built = [str(part) for part in parts if part]
    name = "/".join(
        [f"verify {space.name}", plan["dataset"], f"{plan['recipe']} {plan['epochs']}", *built]
    )
    return name, {"task": plan["dataset"], **recorded(plan)}
