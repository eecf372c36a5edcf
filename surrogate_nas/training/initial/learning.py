"""Learns starting weights on networks that share them, over architectures and data sets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from surrogate_nas._types import OnStep, silent
from surrogate_nas._version import __version__
from surrogate_nas.errors import InvalidArgumentError, TrainingError, UnknownNameError
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.datasets.seen import SeenDataset
from surrogate_nas.training.devices import find_device
from surrogate_nas.training.initial.bank import LearnedWeights, WeightsProvenance
from surrogate_nas.training.initial.learners import (
    BANK,
    FORMS,
    BankLearner,
    HyperNetworkLearner,
    Learner,
)
from surrogate_nas.training.initial.sources import Draws, SourceData
from surrogate_nas.training.initial.start import copy_shared, fit_to_data
from surrogate_nas.training.recipes import DEFAULT_RECIPE, Recipe, recipe_named
from surrogate_nas.training.trainer import failures, own_random_numbers

_RECENT = 50  # trainings whose loss is shown


@dataclass(frozen=True, slots=True)
class Reptile:
    """Moves shared weights towards those that short trainings end with.

    Each training draws a data set and an architecture, starts as trainings with the learned
    weights will (see `fit_to_data`), and takes some steps by the recipe. What gives its weights
    then goes a part of the way to where it ended. Nichol et al., "On First-Order Meta-Learning
    Algorithms", 2018, on what the networks of a space share.

    Attributes:
        trainings: How many.
        batches: Steps of each.
        rate: The part of the way at the start, for a bank; it falls linearly to zero.
        recipe: Of the trainings.
        form: What learns, one of `FORMS`: a graph hypernetwork that writes weights, or a bank of
            them by position and operation.
    """

    trainings: int = 500
    batches: int = 20
    rate: float = 0.5
    recipe: str | Recipe = DEFAULT_RECIPE
    form: str = FORMS[0]

    def __post_init__(self) -> None:
        if self.trainings < 1 or self.batches < 1:
            raise InvalidArgumentError(
                f"trainings and batches must be at least 1, got {self.trainings} and {self.batches}"
            )
        if not 0 < self.rate <= 1:
            raise InvalidArgumentError(f"rate must be above 0 and at most 1, got {self.rate}")
        if self.form not in FORMS:
            raise UnknownNameError("form", self.form, FORMS)


def learn_weights(
    space: SearchSpace,
    sources: Sequence[SourceData],
    how: Reptile | None = None,
    *,
    held_out: Sequence[Architecture] = (),
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    on_step: OnStep = silent,
) -> LearnedWeights:
    """Learn starting weights; without ``minutes``, the same seed gives the same.

    Args:
        space: Of the networks.
        sources: What is learnt from.
        how: None for the default numbers.
        held_out: Architectures that are never trained.
        minutes: Ends it early; None for no limit.
        seed: Of weights, and of everything that is drawn.
        device: As for a training.
        on_step: Called with a text after each training.

    Raises:
        SurrogateNASError: If an argument is out of range, a source is a graph, or a network cannot
            be built.
        TrainingError: If a loss is not finite, or memory runs out.
    """
    how = how or Reptile()
    where = find_device(device)
    started = time.process_time()
    with own_random_numbers(where), failures(where):
        torch.manual_seed(seed)
        draws = Draws(space, sources, held_out, seed, where)
        learner, done = _learn(draws, how, minutes, where, on_step)
    return learner.learnt(
        WeightsProvenance(
            space=space.identity,
            datasets=tuple(
                SeenDataset.of(data)
                for source in sources
                for data in (source.dataset, *source.forms)
            ),
            settings={s.dataset.name: dict(s.settings) for s in sources},
            held_out=tuple(space.format(arch) for arch in held_out),
            method=_noted(how) | learner.noted,
            trainings=done,
            seconds=time.process_time() - started,
            seed=seed,
            created=int(time.time()),
            program=__version__,
        ),
    )


def _noted(how: Reptile) -> dict[str, Any]:
    return {"batches": how.batches, "recipe": recipe_named(how.recipe).name}


def _learn(
    draws: Draws, how: Reptile, minutes: float | None, device: torch.device, on_step: OnStep
) -> tuple[Learner, int]:
    """What has learnt, and from how many trainings."""
    learner: Learner = BankLearner(how.rate) if how.form == BANK else HyperNetworkLearner(draws)
    losses: list[float] = []
    started = time.monotonic()
    for number in range(how.trainings):
        done = number / how.trainings
        if minutes is not None:
            done = max(done, (time.monotonic() - started) / (60 * minutes))
        if done >= 1:
            break
        losses.append(_train_once(draws, how, learner, 1 - done, device))
        on_step(f"mean loss {np.mean(losses[-_RECENT:]):.3f}")
    return learner, len(losses)


def _train_once(
    draws: Draws, how: Reptile, learner: Learner, left: float, device: torch.device
) -> float:
    """One training, towards whose end the learner moves; its mean loss."""
    number = draws.source()
    source = draws.sources[number]
    network, keys = source.build(draws.architecture())
    network.to(device)
    copy_shared(network, keys, learner.start(network, keys))
    fit_to_data(network, keys, draws.examples[number], source.dataset.classes, draws.seed())
    recipe = recipe_named(how.recipe)
    optimiser = recipe.optimiser(network.parameters(), fused=device.type != "mps")
    network.train()
    total = torch.zeros((), device=device)
    for step in range(how.batches):
        recipe.anneal(optimiser, step / how.batches)
        inputs, labels = draws.batch(number, recipe.batch_size)
        loss = cross_entropy(network(inputs), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += loss.detach()
    mean = float(total) / how.batches
    if not np.isfinite(mean):
        raise TrainingError(f"a training on {source.dataset.name!r} diverged: loss {mean}")
    learner.approach(network, keys, left)
    return mean
