"""Training of one network, the same for the same seed, with exact resume."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError, TrainingError
from surrogate_nas.training.checkpoints import Checkpoint, CheckpointFile
from surrogate_nas.training.datasets.base import Dataset
from surrogate_nas.training.devices import DeviceExamples, find_device
from surrogate_nas.training.optimisers.files import LearnedRule
from surrogate_nas.training.recipes import DEFAULT_RECIPE, Recipe, recipe_named
from surrogate_nas.training.record import Epoch

_EVALUATION_BATCH = 1024


Watcher = Callable[[Epoch], object]
"""Called after each epoch; a true answer ends the training."""

Begin = Callable[[nn.Module, DeviceExamples], object]
"""Changes a fresh network before its first step, given the training part on the same device."""

_DIVERGED = 2.0  # times the loss of guessing


def train(
    network: nn.Module,
    dataset: Dataset,
    *,
    epochs: int,
    recipe: str | Recipe = DEFAULT_RECIPE,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    identity: str = "",
    watch: Watcher | None = None,
    optimizer: LearnedRule | None = None,
    on_fallback: Callable[[str], object] = warnings.warn,
    begin: Begin | None = None,
) -> tuple[Epoch, ...]:
    """Train a network in place, and evaluate it after each epoch.

    Every step on a graph sees all training nodes, so an epoch is one step.

    On a CPU, the same seed gives the same curve on the same kind of processor with one thread. On
    CUDA, images have the memory format channels last, and the forward pass is in bfloat16 if the
    GPU has it.

    Args:
        network: Freshly built, from (n, channels, height, width) to logits (n, classes), or from
            a graph's features and edges to logits (nodes, classes).
        dataset: The data set.
        epochs: Passes over the training part, at least 1.
        recipe: A name of `RECIPES`, or a `Recipe`.
        seed: Seed of the order of examples, augmentation and dropout.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        checkpoint: A file, or another `Checkpoint`, that is written after each epoch; if it
            exists, the training continues from it as if it had never stopped.
        identity: Text about the network; a checkpoint with another one is refused.
        watch: See `Watcher`.
        optimizer: Replaces the recipe's optimiser and schedule. If the training diverges with it,
            it starts again with the recipe's own.
        on_fallback: Told of that.
        begin: See `Begin`; its time counts.

    Raises:
        InvalidArgumentError: If an argument is out of range, the checkpoint is of another
            training, or the network does not give a logit for each class.
        TrainingError: If the loss or an output is not finite, or memory runs out.
    """
    if epochs < 1:
        raise InvalidArgumentError(f"epochs must be at least 1, got {epochs}")
    if seed < 0:
        raise InvalidArgumentError(f"seed must be at least 0, got {seed}")
    where = find_device(device)
    chosen = recipe_named(recipe)
    kept = checkpoint if isinstance(checkpoint, Checkpoint | None) else CheckpointFile(checkpoint)
    label = "" if kept is None else label_of(identity, dataset, epochs, chosen, seed, optimizer)
    with own_random_numbers(where), fast_convolutions(where), failures(where):
        run = _Run(network, dataset, chosen, epochs, seed, where, optimizer)
        curve = [] if kept is None else run.restored(kept, label)
        start = time.perf_counter() - (curve[-1].seconds if curve else 0.0)
        if begin is not None and not curve:
            run.begin(begin)
        while len(curve) < epochs:
            number = len(curve) + 1
            loss = run.epoch(number)
            if run.start is not None and not loss < _DIVERGED * math.log(run.classes):
                on_fallback(
                    f"the training diverged in epoch {number} with the learned optimizer (loss "
                    f"{loss:.3g}), and starts again with that of the recipe {chosen.name!r}"
                )
                run.fall_back()
                curve = []
                continue
            scores = run.accuracy(run.validation), run.accuracy(run.test)
            if not all(map(math.isfinite, (loss, *scores))):
                raise TrainingError(
                    f"the training diverged in epoch {number}: loss {loss}, or outputs that are "
                    "not finite"
                )
            curve.append(Epoch(number, loss, *scores, time.perf_counter() - start))
            if kept is not None:
                kept.write(label, run.state(curve), number)
            if watch is not None and watch(curve[-1]):
                break
    return tuple(curve)


def label_of(
    identity: str,
    dataset: Dataset,
    epochs: int,
    recipe: Recipe,
    seed: int,
    optimizer: LearnedRule | None = None,
) -> str:
    """All that decides a training, for its checkpoint."""
    # `npz` and `images` may be any data, hence the fingerprint.
    label = (
        f"{identity}, {recipe}, {dataset.name}, {epochs} epochs, seed {seed}, "
        f"data {dataset.fingerprint}"
    )
    return label if optimizer is None else f"{label}, optimizer {optimizer.identity}"


class _Run:
    """Network, optimiser and data on their device."""

    def __init__(
        self,
        network: nn.Module,
        dataset: Dataset,
        recipe: Recipe,
        epochs: int,
        seed: int,
        device: torch.device,
        rule: LearnedRule | None,
    ) -> None:
        self.device = device
        self.recipe = recipe
        self.seed = seed
        self.flip = dataset.flip
        self.classes = dataset.classes
        cuda = device.type == "cuda"
        layout = torch.channels_last if cuda else torch.contiguous_format
        self.network = network.to(device, memory_format=layout)  # type: ignore[call-overload]
        graph = dataset.graph
        arrays = () if graph is None else (graph.features, graph.edges)
        self.graph = tuple(torch.from_numpy(array).to(device) for array in arrays)
        self.half = (
            cuda and not self.graph and torch.cuda.is_bf16_supported(including_emulation=False)
        )
        moments = dataset.moments if graph is None else None
        self.train = DeviceExamples(dataset.train, moments, device)
        self.validation = DeviceExamples(dataset.validation, moments, device)
        self.test = DeviceExamples(dataset.test, moments, device)
        self.batch_size = len(self.train) if self.graph else recipe.batch_size
        # A last batch of one example is skipped, as it has no variance to normalise by.
        whole, left = divmod(len(self.train), self.batch_size)
        self.steps = whole + (left > 1)
        self.total = epochs * self.steps
        # With a learned optimiser, the weights to which a training that diverges returns.
        self.start: dict[str, Tensor] | None = None
        self.optimiser: torch.optim.Optimizer
        if rule is None:
            self.fall_back()
        else:
            self.start = {k: v.clone() for k, v in self.network.state_dict().items()}
            self.optimiser = rule.optimiser(self.network, max(self.total, 1))

    def begin(self, begin: Begin) -> None:
        """Change the first weights."""
        begin(self.network, self.train)
        if self.start is not None:
            self.start = {k: v.clone() for k, v in self.network.state_dict().items()}

    def fall_back(self) -> None:
        """Use the recipe's own optimiser, from the first weights on."""
        if self.start is not None:
            self.network.load_state_dict(self.start)
            self.start = None
        parameters = self.network.parameters()
        self.optimiser = self.recipe.optimiser(parameters, fused=self.device.type != "mps")

    def epoch(self, number: int) -> float:
        """One pass over the training part; the mean loss.

        Random numbers start anew in each epoch, so a checkpoint need not keep their state.
        """
        fresh = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        torch.manual_seed(fresh)
        generator = torch.Generator(self.device).manual_seed(fresh)
        order = torch.randperm(len(self.train)).to(self.device)
        self.network.train()
        losses = torch.zeros((), device=self.device)
        for step, rows in enumerate(torch.split(order, self.batch_size)[: self.steps]):
            if self.start is None:  # a learned optimiser has its own schedule
                done = ((number - 1) * self.steps + step) / self.total
                self.recipe.anneal(self.optimiser, done)
            inputs, labels = self.train.augmented(rows, self.recipe, self.flip, generator)
            self.optimiser.zero_grad()
            loss = nn.functional.cross_entropy(self._logits(inputs), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            losses += loss.detach()
        return losses.item() / max(self.steps, 1)

    def _logits(self, inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16) if self.half else nullcontext():
            logits: Tensor
            logits = self.network(*self.graph)[inputs] if self.graph else self.network(inputs)
        if logits.shape != (len(inputs), self.classes):
            raise InvalidArgumentError(
                f"the network must give a logit for each of {self.classes} classes, "
                f"{(len(inputs), self.classes)}, and gives {tuple(logits.shape)}"
            )
        return logits.float()

    @torch.no_grad()
    def accuracy(self, examples: DeviceExamples) -> float:
        """Share of right answers, in %; NaN if an output is not finite."""
        self.network.eval()
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        finite = torch.ones((), dtype=torch.bool, device=self.device)
        every = torch.arange(len(examples), device=self.device)
        for rows in torch.split(every, len(examples) if self.graph else _EVALUATION_BATCH):
            inputs, labels = examples.batch(rows)
            logits = self._logits(inputs)
            right += (logits.argmax(dim=1) == labels).sum()
            finite &= logits.isfinite().all()
        return 100 * right.item() / len(examples) if finite else math.nan

    def state(self, curve: list[Epoch]) -> dict[str, Any]:
        """Everything on which the next epoch depends."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "curve": [list(astuple(point)) for point in curve],
            "own_optimiser": self.start is None,
        }

    def restored(self, kept: Checkpoint, label: str) -> list[Epoch]:
        """Restore a `state`, if there is one that can be used, and return the curve so far."""
        try:
            content = kept.read(label, self.device)
            return [] if content is None else self._restore(content, kept.shown)
        except SurrogateNASError as error:
            kept.unusable(error)
            return []

    def _restore(self, content: dict[str, Any], name: str) -> list[Epoch]:
        """Take a whole state, or nothing of it."""
        mine, theirs = self.network.state_dict(), content["network"]
        try:
            if {key: value.shape for key, value in mine.items()} != {
                key: value.shape for key, value in theirs.items()
            }:
                raise ValueError("other tensors")
            if self.start is not None and content["own_optimiser"]:
                self.fall_back()
            self.optimiser.load_state_dict(content["optimiser"])
            self.network.load_state_dict(theirs)
        except (RuntimeError, ValueError) as error:
            raise InvalidArgumentError(
                f"checkpoint {name!r} is of a network with other weights; what builds it has "
                "changed: give another file, or delete it"
            ) from error
        return [Epoch(*point) for point in content["curve"]]


@contextmanager
def own_random_numbers(device: torch.device) -> Iterator[None]:
    """Restore torch's global generators afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def fast_convolutions(device: torch.device) -> Iterator[None]:
    """Let cuDNN try its algorithms once for each shape."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        yield


@contextmanager
def failures(device: torch.device) -> Iterator[None]:
    """Turn running out of memory into a `TrainingError`, the reason of a failed trial."""
    try:
        yield
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        raise TrainingError(f"out of memory on {device}: {error}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        raise TrainingError(f"out of memory on {device}: {error}") from error
