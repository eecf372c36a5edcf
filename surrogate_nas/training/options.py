"""A user's options of trainings; PyTorch is loaded only when they are used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surrogate_nas.spaces.base import SearchSpace
    from surrogate_nas.stopping import MedianStopping
    from surrogate_nas.training.objective import TrainingObjective

VERIFICATION_SEEDS = 3
"""Trainings of each winner of a search."""

FITTED = "fitted"
"""The start from random weights with statistics and a head that are taken from the data."""
INHERIT = "inherit"
"""The start of a training from the weights of an earlier one in the same search."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of trainings; None means the settings of a table or a study, else the default.

    Attributes:
        dataset: A name such as ``"digits"``, or a dotted path ``module:function``; a search takes
            several, separated by commas.
        data_dir: The folder or file of the data set.
        epochs: Epochs of each training.
        recipe: A name of `surrogate_nas.training.recipes.RECIPES`.
        settings: Sizes of the networks, such as ``{"channels": 8}``.
        network: The function that builds the networks, ``module:build``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        checkpoints: A folder, or a URL of fsspec, where trainings that are cut off go on from their
            last epoch, also on other machines.
        optimizer: File of a learned optimiser, ``learned`` or ``none``.
        initial: A file of starting weights, ``learned``, ``fitted``, ``inherit`` or ``none``. A
            number after a colon is the most epochs of a training that starts from it.
        allow_seen: Whether what was learnt may have seen the data set.
    """

    dataset: str | None = None
    data_dir: str | os.PathLike[str] | None = None
    epochs: int | None = None
    recipe: str | None = None
    settings: Mapping[str, Any] | None = None
    network: str | None = None
    device: str = "auto"
    checkpoints: str | os.PathLike[str] | None = None
    optimizer: str | os.PathLike[str] | None = None
    initial: str | os.PathLike[str] | None = None
    allow_seen: bool = False

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of all data sets."""
        return () if self.dataset is None else tuple(self.dataset.split(","))

    def each(self) -> list[TrainingOptions]:
        """The options for each data set apart; themselves where there is one, or none is named."""
        if len(self.datasets) < 2:
            return [self]
        return [replace(self, dataset=name) for name in self.datasets]

    def plan(
        self,
        space: SearchSpace,
        noted: Mapping[str, Any] | None = None,
        *,
        epochs: int | None = None,
        seed: int = 0,
        stop: MedianStopping | None = None,
        weights: Path | None = None,
        check_initial: bool = False,
        several_budgets: bool = False,
    ) -> tuple[TrainingObjective, dict[str, Any]]:
        """Decide how architectures are trained, see `surrogate_nas.training.plan.plan_training`.

        Args:
            space: The space of the architectures.
            noted: Settings of trainings in a table or a study, or None.
            epochs: None for those of the options.
            seed: Default seed of an evaluation.
            stop: Ends trainings early.
            weights: The folder of weights that a search inherits; None elsewhere.
            check_initial: Whether to lay starting weights aside that do not help.
            several_budgets: Whether trainings may be shorter than their epochs say.

        Raises:
            SurrogateNASError: See `surrogate_nas.training.plan.plan_training`.
        """
        from surrogate_nas.training.plan import plan_training

        return plan_training(
            space,
            noted,
            dataset=self.dataset,
            data_dir=self.data_dir,
            epochs=epochs or self.epochs,
            recipe=self.recipe,
            settings=self.settings,
            network=self.network,
            device=self.device,
            seed=seed,
            stop=stop,
            checkpoints=self.checkpoints,
            optimizer=self.optimizer,
            initial=self.initial,
            allow_seen=self.allow_seen,
            weights=weights,
            check_initial=check_initial,
            several_budgets=several_budgets,
        )
