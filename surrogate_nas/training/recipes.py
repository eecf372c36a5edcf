"""Recipes of training: named sets of hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Optimiser, schedule and augmentation; the learning rate falls as a cosine to zero.

    Attributes:
        name: Name in `RECIPES`.
        optimizer: SGD with Nesterov's momentum, or AdamW.
        learning_rate: At the start.
        weight_decay: L2 penalty of SGD, decoupled decay of AdamW.
        batch_size: Examples a step.
        momentum: Of SGD.
        crop: Black pixels around an image before it is cropped at random; 0 for none.
        flip: Whether images are mirrored at random, where the data set allows it.
    """

    name: str
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    weight_decay: float
    batch_size: int
    momentum: float = 0.9
    crop: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        if self.optimizer not in ("sgd", "adamw"):
            raise InvalidArgumentError(
                f"optimizer must be 'sgd' or 'adamw', got {self.optimizer!r}"
            )
        if not self.learning_rate > 0 or self.batch_size < 1 or self.crop < 0:
            raise InvalidArgumentError(
                "learning_rate must be positive, batch_size at least 1 and crop at least 0, got "
                f"{self.learning_rate}, {self.batch_size} and {self.crop}"
            )

    def optimiser(
        self, parameters: Iterable[nn.Parameter], *, fused: bool
    ) -> torch.optim.Optimizer:
        """A new optimiser over these parameters, updated in one kernel if ``fused``."""
        if self.optimizer == "adamw":
            return torch.optim.AdamW(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=fused
            )
        return torch.optim.SGD(
            parameters,
            lr=self.learning_rate,
            momentum=self.momentum,
            nesterov=self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=fused,
        )

    def anneal(self, optimiser: torch.optim.Optimizer, done: float) -> None:
        """Set the learning rate for a share of the training that is done, 0 to 1."""
        for group in optimiser.param_groups:
            group["lr"] = self.learning_rate * (1 + math.cos(math.pi * done)) / 2


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        # For small data sets and few epochs.
        Recipe("sgd", "sgd", 0.05, 5e-4, 32),
        Recipe("adamw", "adamw", 3e-3, 1e-2, 32),
        # As NAS-Bench-201 trains on CIFAR (Dong and Yang, ICLR 2020).
        Recipe("nasbench201", "sgd", 0.1, 5e-4, 256, crop=4, flip=True),
    )
}
DEFAULT_RECIPE = "sgd"


def recipe_named(recipe: str | Recipe) -> Recipe:
    """The recipe of a name; a recipe is returned unchanged.

    Raises:
        UnknownNameError: If there is no such name.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise UnknownNameError("recipe", recipe, RECIPES)
    return RECIPES[recipe]
