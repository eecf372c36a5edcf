"""Trains the best architecture of a search, and writes its network and a model card."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.errors import SurrogateNASError, TrainingError
from surrogate_nas.evaluation import Goal, Trial
from surrogate_nas.number_text import rounded
from surrogate_nas.progress import as_progress
from surrogate_nas.records.training import ExportRecord
from surrogate_nas.spaces.base import Architecture

if TYPE_CHECKING:
    from surrogate_nas.training.objective import Training, TrainingObjective
    from surrogate_nas.training.record import Epoch


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """How the best architecture of a search becomes a file.

    Attributes:
        path: The file, see `surrogate_nas.training.export.export_network`.
        training: Trains the architecture.
        plan: Its settings as tables record them, see `surrogate_nas.training.plan.plan_training`.
        seed: Of the training.
        space: Name or TOML file of the space; None for that of ``training``.
    """

    path: Path
    training: TrainingObjective
    plan: Mapping[str, Any]
    seed: int
    space: str | None = None

    def __str__(self) -> str:
        return f"train for {os.fspath(self.path)}"


def plan_export(
    path: str | os.PathLike[str],
    training: TrainingObjective,
    plan: Mapping[str, Any],
    *,
    seed: int,
    space: str | None = None,
) -> ExportPlan:
    """Check before a search that its best network can be exported.

    Raises:
        InvalidArgumentError: If the file's name has another suffix, or networks of this kind cannot
            be such a file.
        MissingDependencyError: If a package is missing.
    """
    from surrogate_nas.training.export import check_export, try_export

    found = ExportPlan(Path(path), training, plan, seed, space)
    check_export(found.path, option="--export-best")
    arch = training.space.sample(np.random.default_rng(0))
    own = plan["network"] is not None
    try_export(found.path, training.build(arch), training.dataset, own=own)
    return found


def export_best(
    trial: Trial,
    plan: ExportPlan,
    *,
    goal: Goal,
    facts: Mapping[str, Any],
    progress: Progress | bool = False,
) -> ExportRecord:
    """Train the best architecture of a search, and write it.

    Args:
        trial: The best trial.
        plan: How it is trained, and the file.
        goal: The goal of the search.
        facts: What the card tells of the search.
        progress: Shows the training; True for a bar, also in a notebook.

    Returns:
        What was written; ``error`` is the reason where the training or the file failed.
    """
    arch, epochs = trial.arch, plan.plan["epochs"]
    text = plan.training.space.format(arch)
    if trial.value is not None:
        shown = f"{rounded(goal.sign * trial.value)} {goal.unit}".strip()
        facts = {f"{goal.metric} in the search": shown, **facts}
    training = None
    try:
        with as_progress(progress)(f"{plan}: {text}", epochs) as advance:
            training = plan.training.train(
                arch, epochs=epochs, seed=plan.seed, watch=lambda point: advance(_shown(point))
            )
        card = _write(arch, plan, training, facts)
        plan.training.forget(arch, budget=epochs, seed=plan.seed)
    except (SurrogateNASError, TrainingError) as error:
        return _record(text, plan, training, error=str(error))
    return _record(text, plan, training, card=card)


def _shown(point: Epoch) -> str:
    return f"validation accuracy {point.validation_accuracy:.2f} %"


def _write(
    arch: Architecture, plan: ExportPlan, training: Training, facts: Mapping[str, Any]
) -> Path:
    from surrogate_nas.training.export import export_network
    from surrogate_nas.training.model_card import card_path

    objective = plan.training
    export_network(
        plan.path,
        training.network,
        objective.dataset,
        space=plan.space or objective.space,
        architecture=objective.space.format(arch),
        builder=plan.plan["network"],
        settings=plan.plan["settings"],
        facts={**facts, **objective.facts(training, seed=plan.seed)},
    )
    return card_path(plan.path)


def _record(
    text: str,
    plan: ExportPlan,
    training: Training | None,
    *,
    card: Path | None = None,
    error: str | None = None,
) -> ExportRecord:
    last = training.curve[-1] if training is not None and training.curve else None
    return ExportRecord(
        path=plan.path,
        card=card,
        arch=text,
        epochs=plan.plan["epochs"],
        seed=plan.seed,
        validation_accuracy=None if last is None else last.validation_accuracy,
        test_accuracy=None if last is None else last.test_accuracy,
        error=error,
    )
