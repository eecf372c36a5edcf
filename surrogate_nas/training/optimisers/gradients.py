"""Gradients of the loss after a training for the numbers of its rule."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import TrainingError
from surrogate_nas.parallel import one_thread
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.devices import DeviceExamples, find_device
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.population import final_losses
from surrogate_nas.training.trainer import failures
from surrogate_nas.training.unrolled import Batch

Estimator = Literal["evolution", "backpropagation"]

_JUDGED = 320  # examples on which the loss after a training is measured
_WORST = 1.0  # above the loss of guessing, in logarithms: divergence counts as much


@dataclass(frozen=True, slots=True)
class GradientJob:
    """A training whose final loss is differentiated.

    Attributes:
        dataset: Which of the sources.
        arch: The architecture.
        steps: Length of the training.
        seed: Of weights, order and perturbations.
        numbers: Of the rule: (n,).
        scales: Deviation of each number's perturbation, in units of which the gradient is: (n,).
        estimator: ``evolution``: antithetic evolution strategies over the whole training.
            ``backpropagation``: through the unrolled training, at one slightly perturbed point.
        pairs: Perturbations of ``evolution``; each is added and subtracted.
        width: Deviation of the perturbations of ``evolution``, times ``scales``.
        smoothing: Likewise, of the one perturbation of ``backpropagation``.
    """

    dataset: str
    arch: Architecture
    steps: int
    seed: int
    numbers: FloatArray
    scales: FloatArray
    estimator: Estimator
    pairs: int = 8
    width: float = 0.2
    smoothing: float = 0.05


@dataclass(frozen=True, slots=True)
class GradientResult:
    """What a job found.

    Attributes:
        loss: Logarithm of the loss after training, a mean over the perturbations.
        gradient: Of that, for ``(numbers - start) / scales``, cut to length 1; None where it is
            not finite.
        trainings: How many were made.
        seconds: Of this process.
    """

    loss: float
    gradient: FloatArray | None
    trainings: int
    seconds: float


def gradient_of(
    sources: Mapping[str, TrainingObjective], job: GradientJob, device: str
) -> GradientResult:
    """Train, and differentiate.

    Args:
        sources: The trainings of each data set by its name.
        job: What is trained.
        device: On which.

    Raises:
        TrainingError: If memory runs out, or PyTorch cannot differentiate such a network.
    """
    started = time.process_time()
    training, where = sources[job.dataset], find_device(device)
    plain = sdpa_kernel(SDPBackend.MATH)  # attention that can be batched and differentiated twice
    with one_thread(), torch.random.fork_rng(devices=[]), _explained(job), failures(where), plain:
        torch.manual_seed(job.seed)
        network = training.build(job.arch, seed=job.seed).to(where)
        batches, last = _batches(training, job, where)
        worst = math.log(math.log(training.dataset.classes)) + _WORST
        count = job.pairs if job.estimator == "evolution" else 1
        drawn = np.random.default_rng(job.seed).normal(size=(count, len(job.numbers)))
        noise = torch.from_numpy(drawn.astype(np.float32)).to(where)
        start, scales = (torch.from_numpy(values).to(where) for values in (job.numbers, job.scales))

        def after(moved: Tensor) -> Tensor:
            rules, graph = start + scales * moved, moved.requires_grad
            return _logs(final_losses(network, rules, batches, last, create_graph=graph), worst)

        if job.estimator == "evolution":
            losses = after(torch.cat([noise, -noise]) * job.width)
            slopes = (losses[:count] - losses[count:]) / (2 * job.width)
            gradient = (slopes[:, None] * noise).mean(dim=0)
        else:
            moved = (job.smoothing * noise).requires_grad_()
            losses = after(moved)
            gradient = torch.autograd.grad(losses.sum(), moved)[0][0]
    length = float(gradient.norm())
    cut = (gradient / max(length, 1.0)).cpu().numpy() if math.isfinite(length) else None
    loss = float(losses.detach().mean())
    return GradientResult(loss, cut, len(losses), time.process_time() - started)


@contextmanager
def _explained(job: GradientJob) -> Iterator[None]:
    """Name the estimator where PyTorch cannot do what it needs.

    Raises:
        TrainingError: With the error as its cause.
    """
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        other = next(name for name in get_args(Estimator) if name != job.estimator)
        raise TrainingError(
            f"the estimator {job.estimator!r} does not work for the networks of "
            f"{job.arch.space!r} ({str(error).splitlines()[0]}); try {other!r}"
        ) from error


def _logs(losses: Tensor, worst: float) -> Tensor:
    return torch.nan_to_num(losses, nan=math.inf).clamp(min=1e-3).log().clamp(max=worst)


def _batches(
    training: TrainingObjective, job: GradientJob, where: torch.device
) -> tuple[list[Batch], Batch]:
    """The batches of a training as the trainer makes them, and that of the last loss."""
    data, recipe = training.dataset, training.recipe
    examples = DeviceExamples(data.train, data.moments, where)
    generator = torch.Generator(where).manual_seed(job.seed)
    size = min(recipe.batch_size, len(examples))
    found: list[Batch] = []
    while len(found) < job.steps:
        order = torch.randperm(len(examples)).to(where)
        for rows in torch.split(order, size)[: max(len(examples) // size, 1)]:
            found.append(examples.augmented(rows, recipe, data.flip, generator))
    return found[: job.steps], examples.batch(torch.randperm(len(examples))[:_JUDGED].to(where))
