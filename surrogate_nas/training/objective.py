"""Real training as an objective of a search."""

from __future__ import annotations

import copy
import os
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TRAINING_LOSS, Evaluation, Goal
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.training.checkpoint_folder import CheckpointFolder, FolderCheckpoint
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples, all_devices, find_device
from surrogate_nas.training.initial.base import FreshTraining, Initial
from surrogate_nas.training.initial.short import ShortTrainings
from surrogate_nas.training.networks.base import (
    Build,
    build_network,
    count_flops,
    count_parameters,
    explained,
    find_build,
    source_digest,
)
from surrogate_nas.training.optimisers.files import LearnedRule
from surrogate_nas.training.recipes import DEFAULT_RECIPE, Recipe, recipe_named
from surrogate_nas.training.record import Epoch
from surrogate_nas.training.trainer import Begin, Watcher, label_of, train

_SEEDS = 2**63  # of torch's generators


@dataclass(frozen=True, slots=True)
class Training:
    """A trained network and its learning curve.

    Attributes:
        network: The network, in training mode or not, on the device of its training.
        curve: A point for each epoch; empty if there was none.
        parameters: Number of trainable parameters.
        flops: Multiply-adds of one image.
        fell_back: Whether it diverged with a learned optimiser, and was made with the recipe's.
    """

    network: nn.Module
    curve: tuple[Epoch, ...]
    parameters: int
    flops: int
    fell_back: bool = False


MEASURED = ("parameters", "flops", "seconds")
"""What a training measures beside its accuracies."""


class TrainingObjective:
    """Trains an architecture of a space on a data set; the value is validation accuracy in %.

    Encodings of one network are the same architecture. A training that diverges or runs out of
    memory raises `TrainingError`, which a search records as a failed trial.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> from surrogate_nas.training.datasets.base import open_dataset
        >>> objective = TrainingObjective(
        ...     open_space("dense-cell"),
        ...     open_dataset("digits"),
        ...     epochs=1,
        ...     device="cpu",
        ...     settings={"channels": 4, "cells": 1},
        ... )
        >>> evaluation = objective.evaluate(objective.space.sample(np.random.default_rng(0)))
        >>> evaluation.budget, 0 < evaluation.value < 100
        (1, True)
    """

    def __init__(
        self,
        space: SearchSpace,
        dataset: Dataset,
        *,
        epochs: int,
        recipe: str | Recipe = DEFAULT_RECIPE,
        seed: int = 0,
        device: str = "auto",
        network: str | Build | None = None,
        settings: Mapping[str, Any] | None = None,
        watch: Watcher | None = None,
        stop: MedianStopping | None = None,
        checkpoints: str | os.PathLike[str] | None = None,
        optimizer: LearnedRule | None = None,
        initial: Initial | None = None,
    ) -> None:
        """Prepare trainings.

        Args:
            space: The space of the architectures.
            dataset: The data set; the search sees its validation part only.
            epochs: Epochs of a training without a given budget.
            recipe: A name of `RECIPES`, or a `Recipe`.
            seed: Default seed of weights, order and augmentation.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
            network: Builds the networks, see `build_network`.
            settings: Sizes of the networks, see `build_network`.
            watch: Called after each epoch; a true answer ends the training.
            stop: Ends evaluations by their learning curves. Each process has its own copy.
            checkpoints: A folder, or a URL of fsspec, that all processes and machines see. A
                training that was cut off goes on from its last epoch there, see `forget`.
            optimizer: Replaces the recipe's optimiser and schedule, see `train`.
            initial: Gives the networks their first weights; None for random ones.

        Raises:
            UnknownNameError: If there is no such network or recipe.
            InvalidArgumentError: If an argument is out of range, the space has no network, or the
                folder cannot be written.
        """
        if epochs < 0:
            raise InvalidArgumentError(f"epochs must be at least 0, got {epochs}")
        self.space = space.with_isomorphs("merged")
        self.goals = (Goal("accuracy", unit="%"),)
        self.dataset = dataset
        self.epochs = epochs
        self.recipe = recipe_named(recipe)
        self.seed = seed
        self.device = device
        self.network = network
        self.settings = dict(settings or {})
        self.watch = watch
        self.stop = stop
        self.checkpoints = None if checkpoints is None else CheckpointFolder(checkpoints)
        self.optimizer = optimizer
        self.initial = initial
        find_device(device)
        find_build(space.name, network, self.settings)
        if self.checkpoints is not None:
            self._builder()
            self.checkpoints.check()

    def devices(self) -> list[str]:
        """Every GPU that ``device`` may stand for, or its one device."""
        return [str(device) for device in all_devices(self.device)]

    def on(self, device: str) -> Self:
        """The same trainings on another device."""
        there = copy.copy(self)
        there.device = device
        return there

    def starting_from(self, initial: Initial | None) -> Self:
        """The same trainings from other first weights, without stopping early."""
        there = copy.copy(self)
        there.initial, there.watch, there.stop = initial, None, None
        return there

    def build(self, arch: Architecture, *, seed: int | None = None) -> nn.Module:
        """The network with the initial weights of a seed."""
        seed = self.seed if seed is None else seed
        if not 0 <= seed < _SEEDS:
            raise InvalidArgumentError(f"seed must be at least 0 and below 2**63, got {seed}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_network(
                self.space.check(arch),
                self.dataset.task,
                network=self.network,
                settings=self.settings,
            )

    def check_network(self) -> None:
        """Build one network, to refuse arguments with which no training could succeed.

        Errors of the user's own function are not raised here, as trials record them.

        Raises:
            SurrogateNASError: If the network is for other inputs, or a setting is out of range.
        """
        arch = self.space.sample(np.random.default_rng(0))
        try:
            self._flops(self.build(arch))
        except InvalidArgumentError as error:
            if self.network is None or error.__cause__ is None:
                raise

    def _flops(self, network: nn.Module) -> int:
        with explained(self.space.name, self.settings, "take the inputs"):
            return count_flops(network, self.dataset.task)

    def train(
        self,
        arch: Architecture,
        *,
        epochs: int | None = None,
        seed: int | None = None,
        checkpoint: Path | FolderCheckpoint | None = None,
        watch: Watcher | None = None,
    ) -> Training:
        """Build and train; 0 epochs build and count only.

        Args:
            arch: The architecture.
            epochs: None for those of the constructor.
            seed: None for that of the constructor.
            checkpoint: A file that is written after each epoch, to go on from; None for one among
                the constructor's checkpoints, if there are.
            watch: None for that of the constructor.

        Raises:
            ArchitectureError: If the architecture is not part of the space.
            InvalidArgumentError: If a network of the user's own cannot be trained.
            TrainingError: If the training diverges or runs out of memory.
        """
        epochs = self.epochs if epochs is None else epochs
        seed = self.seed if seed is None else seed
        network = self.build(arch, seed=seed)
        parameters, flops = count_parameters(network), self._flops(network)
        curve: tuple[Epoch, ...] = ()
        kept = self._checkpoint(arch, epochs, seed) if checkpoint is None else checkpoint
        fallbacks: list[str] = []
        own = self.network is not None
        told = explained(self.space.name, self.settings, "be trained") if own else nullcontext()
        with told, _removed_with_errors(kept):
            if epochs:
                curve = train(
                    network,
                    self.dataset,
                    epochs=epochs,
                    recipe=self.recipe,
                    seed=seed,
                    device=self.device,
                    checkpoint=kept,
                    identity=self._identity(arch),
                    watch=watch or self.watch,
                    begin=self._begin(arch, epochs, seed),
                    optimizer=self.optimizer,
                    on_fallback=fallbacks.append,
                )
        for text in fallbacks:
            warnings.warn(f"{self.space.format(arch)}, seed {seed}: {text}", stacklevel=2)
        if curve and self.initial is not None:
            self.initial.keep(arch, network, curve[-1].validation_accuracy)
        return Training(network, curve, parameters, flops, bool(fallbacks))

    def _begin(self, arch: Architecture, epochs: int, seed: int) -> Begin | None:
        initial = self.initial
        if initial is None:
            return None

        def begin(network: nn.Module, examples: DeviceExamples) -> None:
            initial.begin(network, FreshTraining(arch, self.dataset, examples, seed, epochs))

        return begin

    def facts(self, training: Training, *, seed: int | None = None) -> dict[str, Any]:
        """How a network was trained and what it reached, for its model card.

        Args:
            training: What `train` returned.
            seed: None for that of the constructor.
        """
        last = training.curve[-1] if training.curve else None
        builder = self.network if isinstance(self.network, str | None) else "a function"
        sizes = ", ".join(f"{key}={value}" for key, value in self.settings.items())
        return {
            "multiply-adds of one example": f"{training.flops:,}",
            "built by": builder,
            "settings": sizes or None,
            "recipe": self.recipe.name,
            "optimizer": self._optimizer_fact(training),
            "starting weights": self._start_of(len(training.curve)),
            "epochs": len(training.curve),
            "seed": self.seed if seed is None else seed,
            "validation accuracy": last and f"{last.validation_accuracy:.2f} %",
            "test accuracy": last and f"{last.test_accuracy:.2f} %",
        }

    def _start_of(self, epochs: int) -> str | None:
        start = self.initial
        if start is None or (isinstance(start, ShortTrainings) and not start.serves(epochs)):
            return None
        return start.identity

    def _optimizer_fact(self, training: Training) -> str | None:
        if self.optimizer is None:
            return None
        fact = f"learned, {self.optimizer.identity}"
        return fact + (" (diverged: that of the recipe instead)" if training.fell_back else "")

    def _identity(self, arch: Architecture) -> str:
        builder = self.network
        if builder is not None and not isinstance(builder, str):
            builder = getattr(builder, "__qualname__", type(builder).__name__)
        built = "" if builder is None else f" by {builder}"
        start = "" if self.initial is None else f", starting weights {self.initial.identity}"
        return f"{self.space.format(arch)} of {self.space.name}{built} {self.settings}{start}"

    def forget(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> None:
        """Remove the checkpoint of an evaluation whose result is kept; see `evaluate`."""
        epochs = self.epochs if budget is None else budget
        kept = self._checkpoint(arch, epochs, self.seed if seed is None else seed)
        if kept is not None:
            kept.remove()

    def _checkpoint(self, arch: Architecture, epochs: int, seed: int) -> FolderCheckpoint | None:
        if self.checkpoints is None:
            return None
        label = label_of(
            self._identity(arch), self.dataset, epochs, self.recipe, seed, self.optimizer
        )
        label = f"{label}, {self.space.identity}, {self._builder()}, flip {self.dataset.flip}"
        build = find_build(self.space.name, self.network, self.settings)
        return self.checkpoints.of(label, source_digest(build)[:12])

    def _builder(self) -> str:
        """What builds the networks, told from all others."""
        if self.network is None or isinstance(self.network, str):
            return str(self.network)
        try:
            return pickle.dumps(self.network).hex()
        except Exception as error:
            raise InvalidArgumentError(
                "checkpoints are for networks whose function is that of a module, not of another "
                f"function, so that it is recognised in another process ({error})"
            ) from error

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Train once.

        Args:
            arch: The architecture.
            budget: Epochs; None for those of the constructor.
            seed: None for that of the constructor.

        Returns:
            The accuracies after the last epoch; the cost and the budget are the epochs trained.

        Raises:
            TrainingError: If the training diverges or runs out of memory.
        """
        seed = self.seed if seed is None else seed
        done = self.train(arch, epochs=budget, seed=seed, watch=self._watch)
        if not done.curve:
            raise InvalidArgumentError("an evaluation needs at least 1 epoch, got 0")
        last, curve = done.curve[-1], tuple(point.validation_accuracy for point in done.curve)
        if self.stop is not None:
            self.stop.learn(curve)
        return Evaluation(
            (last.validation_accuracy,),
            cost=float(last.epoch),
            budget=last.epoch,
            seed=seed,
            metrics=self._metrics(done, self.epochs if budget is None else budget),
            hidden={self.goals[0].metric: last.test_accuracy},
            curve=curve,
        )

    def _metrics(self, done: Training, epochs: int) -> dict[str, float]:
        measured = float(done.parameters), float(done.flops), done.curve[-1].seconds
        metrics = dict(zip(MEASURED, measured, strict=True))
        if self.optimizer is not None:
            metrics["fell_back"] = float(done.fell_back)
        if isinstance(self.initial, ShortTrainings) and self.initial.serves(epochs):
            metrics[TRAINING_LOSS] = float(np.mean([point.loss for point in done.curve]))
        return metrics

    def _watch(self, point: Epoch) -> bool:
        watched = self.watch is not None and bool(self.watch(point))
        return watched or (
            self.stop is not None and self.stop(point.epoch, point.validation_accuracy)
        )


@contextmanager
def _removed_with_errors(kept: Path | FolderCheckpoint | None) -> Iterator[None]:
    """Remove the checkpoint of a training that fails by itself, as it would fail again."""
    try:
        yield
    except (Exception, SystemExit):
        if isinstance(kept, FolderCheckpoint):
            kept.remove()
        raise
