"""Gradient search on the real network: one supernet of `dense-cell` whose operations are mixed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError, TrainingError, UnknownNameError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.dense_cell import NODES, OPERATIONS, DenseCellSpace
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples, find_device
from surrogate_nas.training.networks.base import explained, find_build
from surrogate_nas.training.networks.mixed_cell import Mixture, build_supernet
from surrogate_nas.training.recipes import DEFAULT_RECIPE, Recipe, recipe_named
from surrogate_nas.training.trainer import failures, fast_convolutions, own_random_numbers
from surrogate_nas.training.unrolled import Batch, unrolled_gradient

METHODS = ("darts", "darts2", "gdas")

_START = 1e-3  # standard deviation of the first logits, as published
_BETAS, _DECAY = (0.5, 0.999), 1e-3  # of Adam for the logits, as published
# Steps of Adam at the published rate of 3e-4 add up to this: 50 epochs of 391 steps.
_WAY = 6.0
_CLIP = 5.0  # largest norm of the weights' gradient, as published
_HOT, _COLD = 10.0, 0.1  # temperatures of GDAS, as published


@dataclass(frozen=True, slots=True)
class SupernetEpoch:
    """One point of a supernet's search.

    Attributes:
        epoch: From 1 on.
        loss: Mean cross-entropy of the training batches, for the weights.
        validation_loss: Mean cross-entropy of the validation batches, for the architecture.
        architecture: The most probable one.
        seconds: Since the search began.
    """

    epoch: int
    loss: float
    validation_loss: float
    architecture: Architecture
    seconds: float


@dataclass(frozen=True, slots=True)
class SupernetSearch:
    """The result of a supernet's search.

    Attributes:
        architecture: The most probable operation of each node.
        probabilities: float64 (4, 5), of each operation of each node.
        curve: A point an epoch.
    """

    architecture: Architecture
    probabilities: FloatArray
    curve: tuple[SupernetEpoch, ...]


def search_supernet(
    dataset: Dataset,
    *,
    method: str = "darts",
    epochs: int = 50,
    recipe: str | Recipe = DEFAULT_RECIPE,
    seed: int = 0,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    watch: Callable[[SupernetEpoch], object] | None = None,
) -> SupernetSearch:
    """Search `dense-cell` by gradient: train one network that shares weights between all cells.

    Two steps alternate: one of the operations' logits on a batch of the validation part, and one of
    the weights on a batch of the training part. The test part is not read.

    - ``darts``: operations are mixed by a softmax. The architecture's gradient is that at the
      current weights (first order); with ``darts2`` at the weights after one more step (second
      order). Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019.
    - ``gdas``: one operation for each node is drawn by the Gumbel-softmax with a falling
      temperature. Dong and Yang, "Searching for a Robust Neural Architecture in Four GPU Hours",
      CVPR 2019.

    The logits are learned by Adam as published, but the rate depends on the number of steps, so
    that all steps together can change a logit as much as those of the DARTS paper.

    Args:
        dataset: Images.
        method: One of `METHODS`.
        epochs: Passes over the training part, at least 1.
        recipe: How the weights are learned: a name of `RECIPES`, or a `Recipe`.
        seed: Seed of weights, logits, order and noise.
        device: As for a training.
        settings: Sizes of the networks: ``channels``, ``cells`` and ``stem_stride``.
        watch: Called after each epoch.

    Raises:
        UnknownNameError: If there is no such method or recipe.
        InvalidArgumentError: If an argument is out of range, or the data set has no images.
        TrainingError: If a loss is not finite, or memory runs out.
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if epochs < 1:
        raise InvalidArgumentError(f"epochs must be at least 1, got {epochs}")
    if seed < 0:
        raise InvalidArgumentError(f"seed must be at least 0, got {seed}")
    chosen = recipe_named(recipe)
    if min(chosen.batch_size, len(dataset.train), len(dataset.validation)) < 2:
        raise InvalidArgumentError(
            "a supernet needs batches of at least 2 training and 2 validation examples, got "
            f"{len(dataset.train)} and {len(dataset.validation)} examples and a batch_size of "
            f"{chosen.batch_size}"
        )
    find_build(DenseCellSpace.name, None, settings or {})
    where = find_device(device)
    with own_random_numbers(where), fast_convolutions(where), failures(where):
        torch.manual_seed(seed)
        run = _Run(dataset, method, epochs, chosen, where, settings or {})
        start = time.perf_counter()
        curve = []
        for number in range(1, epochs + 1):
            losses = run.epoch(number)
            if not all(map(math.isfinite, losses)):
                raise TrainingError(
                    f"the supernet diverged in epoch {number}: losses {losses[0]} and {losses[1]}"
                )
            seconds = time.perf_counter() - start
            curve.append(SupernetEpoch(number, *losses, run.architecture(), seconds))
            if watch is not None:
                watch(curve[-1])
        probabilities = run.logits.detach().double().softmax(dim=1).cpu().numpy()
    return SupernetSearch(curve[-1].architecture, probabilities, tuple(curve))


class _Run:
    """Supernet, logits, their optimisers and the data on their device."""

    def __init__(
        self,
        dataset: Dataset,
        method: str,
        epochs: int,
        recipe: Recipe,
        device: torch.device,
        settings: Mapping[str, Any],
    ) -> None:
        self.method, self.recipe, self.flip = method, recipe, dataset.flip
        self.mixture = Mixture()
        with explained(DenseCellSpace.name, settings, "be built"):
            network = build_supernet(self.mixture, dataset.task, **settings)
        self.network = network.to(device).train()
        self.logits = (_START * torch.randn(NODES, len(OPERATIONS))).to(device).requires_grad_()
        self.train = DeviceExamples(dataset.train, dataset.moments, device)
        self.validation = DeviceExamples(dataset.validation, dataset.moments, device)
        self.generator = torch.Generator(device).manual_seed(torch.initial_seed())
        whole, left = divmod(len(self.train), recipe.batch_size)
        self.steps = whole + (left > 1)
        self.total = epochs * self.steps
        # Fused steps cannot skip parameters without a gradient: operations that were not drawn.
        fused = device.type != "mps" and method != "gdas"
        self.optimiser = recipe.optimiser(self.network.parameters(), fused=fused)
        self.architect = torch.optim.Adam(
            [self.logits], lr=_WAY / self.total, betas=_BETAS, weight_decay=_DECAY
        )
        self.others = self._endless(self.validation)

    def architecture(self) -> Architecture:
        """The most probable operation of each node."""
        return Architecture(DenseCellSpace.name, tuple(self.logits.argmax(dim=1).tolist()))

    def epoch(self, number: int) -> tuple[float, float]:
        """One pass over the training part; mean losses of training and validation batches."""
        sums = torch.zeros(2, device=self.logits.device)
        batches = self._batches(self.train)
        for step in range(self.steps):
            done = ((number - 1) * self.steps + step) / self.total
            self.recipe.anneal(self.optimiser, done)
            batch, other = next(batches), next(self.others)
            validation_loss = self._move_logits(batch, other, done)
            self._mix(done)
            loss = cross_entropy(self.network(batch[0]), batch[1])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
            self.optimiser.step()
            sums += torch.stack([loss.detach(), validation_loss])
        loss_sum, validation_sum = (sums / self.steps).tolist()
        return loss_sum, validation_sum

    def _move_logits(self, batch: Batch, other: Batch, done: float) -> Tensor:
        if self.method == "darts2":
            rate = self.optimiser.param_groups[0]["lr"]
            loss, gradient = unrolled_gradient(
                self.network, self.mixture, self.logits, batch, other, rate
            )
        else:
            self._mix(done)
            loss = cross_entropy(self.network(other[0]), other[1])
            (gradient,) = torch.autograd.grad(loss, self.logits)
        self.logits.grad = gradient
        self.architect.step()
        return loss.detach()

    def _mix(self, done: float) -> None:
        if self.method == "gdas":
            # Drawn on the CPU: the same numbers on every device.
            noise = -torch.empty(self.logits.shape).exponential_().log()
            temperature = _HOT + (_COLD - _HOT) * done
            self.mixture.set_sample(self.logits, noise.to(self.logits.device), temperature)
        else:
            self.mixture.set_softmax(self.logits)

    def _batches(self, examples: DeviceExamples) -> Iterator[Batch]:
        order = torch.randperm(len(examples)).to(self.logits.device)
        for rows in torch.split(order, self.recipe.batch_size):
            if len(rows) > 1:  # one example has no variance to normalise by
                yield examples.augmented(rows, self.recipe, self.flip, self.generator)

    def _endless(self, examples: DeviceExamples) -> Iterator[Batch]:
        while True:
            yield from self._batches(examples)
