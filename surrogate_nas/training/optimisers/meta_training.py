"""Meta-training of optimisers over architectures and data sets, with exact resume."""

from __future__ import annotations

import logging
import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from surrogate_nas._types import FloatArray, IntArray, OnStep, silent
from surrogate_nas._version import __version__
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.parallel import Pool, default_workers, dispatch
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.checkpoints import read_checkpoint, write_checkpoint
from surrogate_nas.training.datasets.seen import SeenDataset
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.files import LearnedRule, Provenance
from surrogate_nas.training.optimisers.gradients import (
    Estimator,
    GradientJob,
    GradientResult,
    gradient_of,
)
from surrogate_nas.training.optimisers.rule import Form
from surrogate_nas.training.optimisers.start import first_numbers, scales

_LOG = logging.getLogger(__name__)
_RATE, _LAST = 0.1, 0.2  # of the outer optimiser, and the share of it that is left at the end
_BETAS = (0.8, 0.95)
RANDOM = "random"


@dataclass(frozen=True)
class MetaTraining:
    """What is learnt, and from what.

    Attributes:
        space: Of the networks.
        sources: The trainings of each data set by its name.
        choices: The architectures to learn from, int (n, decisions); None for random ones.
        origin: Where ``choices`` come from, for people.
        form: See `surrogate_nas.training.optimisers.rule.SIZES`.
        estimator: See `GradientJob`.
        generations: Steps of the outer optimiser.
        shortest: Fewest steps of a training; its length is drawn at random.
        longest: Most steps of a training.
        seed: Of everything that is drawn.
        start: Numbers to start from; None for those of `first_numbers`.
    """

    space: SearchSpace
    sources: Mapping[str, TrainingObjective]
    choices: IntArray | None = None
    origin: str = RANDOM
    form: Form = "schedule"
    estimator: Estimator = "evolution"
    generations: int = 30
    shortest: int = 60
    longest: int = 120
    seed: int = 0
    start: FloatArray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.sources:
            raise InvalidArgumentError(
                "an optimizer is learnt from at least one data set, got none"
            )
        if not 1 <= self.shortest <= self.longest or self.generations < 1:
            raise InvalidArgumentError(
                "generations and steps must be at least 1, and the shortest training not longer "
                f"than the longest, got {self.generations}, {self.shortest} and {self.longest}"
            )
        for name, training in self.sources.items():
            if training.dataset.graph is not None:
                raise InvalidArgumentError(
                    f"an optimizer is learnt from images, and data set {name!r} is a graph"
                )

    @property
    def label(self) -> str:
        """What a checkpoint must have been made for."""
        parts: list[Any] = [self.space.identity, self.origin, self.form, self.estimator]
        parts += [self.generations, self.shortest, self.longest, self.seed]
        for name, training in self.sources.items():
            parts += [name, training.dataset.fingerprint, training.recipe, training.settings]
        for array in (self.choices, self.start):
            parts.append(None if array is None else zlib.crc32(array.tobytes()))
        return ", ".join(map(str, parts))

    def jobs(self, generation: int, numbers: FloatArray, units: FloatArray) -> list[GradientJob]:
        """The trainings of a generation: one a data set."""
        found = []
        for i, name in enumerate(self.sources):
            rng = np.random.default_rng([self.seed, generation, i])
            if self.choices is None:
                arch = self.space.sample(rng)
            else:
                arch = self.space.architecture(self.choices[rng.integers(len(self.choices))])
            steps = int(rng.integers(self.shortest, self.longest + 1))
            seed = int(rng.integers(2**31))
            found.append(GradientJob(name, arch, steps, seed, numbers, units, self.estimator))
        return found


@dataclass(frozen=True, slots=True)
class Generation:
    """What one generation found.

    Attributes:
        losses: Logarithm of the loss after training, a data set each.
        architectures: In the notation of the space.
        trainings: How many were made.
        seconds: Of all processes.
    """

    losses: tuple[float, ...]
    architectures: tuple[str, ...]
    trainings: int
    seconds: float


class _Outer:
    """Adam on the numbers, in units of their scales."""

    def __init__(self, plan: MetaTraining) -> None:
        self.units = scales(plan.form)
        start = plan.start if plan.start is not None else first_numbers(plan.form, plan.seed)
        if start.shape != self.units.shape:
            raise InvalidArgumentError(
                f"the form {plan.form!r} has {len(self.units)} numbers, and the start {len(start)}"
            )
        self.start = torch.from_numpy(start.copy())
        self.moved = torch.zeros(len(start), requires_grad=True)
        self.optimiser = torch.optim.Adam([self.moved], lr=_RATE, betas=_BETAS)
        self.generations = plan.generations

    @property
    def numbers(self) -> FloatArray:
        """The rule as it is now."""
        return (self.start + torch.from_numpy(self.units) * self.moved.detach()).numpy()

    def step(self, generation: int, results: Sequence[GradientResult]) -> None:
        """Move against the mean gradient of those that are finite."""
        gradients = [result.gradient for result in results if result.gradient is not None]
        if not gradients:
            return
        left = 1 - generation / self.generations
        for group in self.optimiser.param_groups:
            group["lr"] = _RATE * (_LAST + (1 - _LAST) * left)
        self.moved.grad = torch.from_numpy(np.mean(gradients, axis=0).astype(np.float32))
        self.optimiser.step()


def meta_train_optimizer(
    plan: MetaTraining,
    *,
    workers: int | None = None,
    minutes: float | None = None,
    checkpoint: Path | None = None,
    on_step: OnStep = silent,
) -> tuple[LearnedRule, tuple[Generation, ...]]:
    """Learn an optimiser; the same for the same plan, whatever the number of workers.

    Args:
        plan: What is learnt.
        workers: Processes; None for one a core or GPU.
        minutes: Ends the meta-training early; None for all generations.
        checkpoint: A file that is written after each generation, to go on from.
        on_step: Called with a text after each generation, those of the checkpoint included.

    Raises:
        InvalidArgumentError: If an argument is out of range, or the checkpoint is of another
            meta-training.
        SurrogateNASError: If a training fails, or a file cannot be written.
    """
    outer, done = _Outer(plan), list[Generation]()
    if checkpoint is not None:
        done = _restore(outer, checkpoint, plan.label)
        for _ in done:
            on_step("was there")
    began = time.monotonic()
    with _jobs(plan, workers) as do:
        while len(done) < plan.generations:
            passed = time.monotonic() - began
            if minutes is not None and passed > 60 * minutes:
                _LOG.info("ended after %g minutes, %d generations", minutes, len(done))
                break
            jobs = plan.jobs(len(done), outer.numbers, outer.units)
            results = do(jobs)
            outer.step(len(done), results)
            done.append(_generation(plan.space, jobs, results))
            if checkpoint is not None:
                content = {"moved": outer.moved.detach(), "outer": outer.optimiser.state_dict()}
                written = [asdict(generation) for generation in done]
                write_checkpoint(checkpoint, plan.label, {**content, "done": written})
            on_step(_losses(plan, done[-1]))
    return LearnedRule(outer.numbers, _provenance(plan, done)), tuple(done)


def _losses(plan: MetaTraining, done: Generation) -> str:
    pairs = zip(plan.sources, done.losses, strict=True)
    return "loss on " + ", ".join(f"{name} {math.exp(loss):.3g}" for name, loss in pairs)


def _generation(
    space: SearchSpace, jobs: Sequence[GradientJob], results: Sequence[GradientResult]
) -> Generation:
    return Generation(
        tuple(result.loss for result in results),
        tuple(space.format(job.arch) for job in jobs),
        sum(result.trainings for result in results),
        sum(result.seconds for result in results),
    )


def _restore(outer: _Outer, path: Path, label: str) -> list[Generation]:
    content = read_checkpoint(path, label, torch.device("cpu"))
    if content is None:
        return []
    with torch.no_grad():
        outer.moved.copy_(content["moved"])
    outer.optimiser.load_state_dict(content["outer"])
    return [
        Generation(tuple(d["losses"]), tuple(d["architectures"]), d["trainings"], d["seconds"])
        for d in content["done"]
    ]


def _provenance(plan: MetaTraining, done: Sequence[Generation]) -> Provenance:
    seen = dict.fromkeys(text for generation in done for text in generation.architectures)
    return Provenance(
        space=plan.space.identity,
        datasets=tuple(
            replace(SeenDataset.of(training.dataset), name=name)
            for name, training in plan.sources.items()
        ),
        architectures=tuple(seen),
        source=plan.origin,
        recipe=next(iter(plan.sources.values())).recipe.name,
        settings={name: dict(training.settings) for name, training in plan.sources.items()},
        trainings=sum(generation.trainings for generation in done),
        seconds=sum(generation.seconds for generation in done),
        seed=plan.seed,
        created=int(time.time()),
        program=__version__,
    )


# Processes --------------------------------------------------------------------------------------


@contextmanager
def _jobs(plan: MetaTraining, workers: int | None) -> Iterator[Any]:
    """Yield a function that does jobs, in the order that they are given."""
    devices = next(iter(plan.sources.values())).devices()
    count = min(workers or default_workers(devices), len(plan.sources))
    if count == 1:
        yield lambda jobs: [gradient_of(plan.sources, job, devices[0]) for job in jobs]
        return
    with Pool(count, _receive, dict(plan.sources)) as pool:
        yield partial(_dispatched, pool, devices)


def _dispatched(
    pool: Pool, devices: Sequence[str], jobs: Sequence[GradientJob]
) -> list[GradientResult]:
    waiting = iter(enumerate(jobs))
    found: dict[int, GradientResult] = {}
    for (number, _), result in dispatch(
        pool, _gradient_there, lambda: next(waiting, None), devices
    ):
        found[number] = result()
    if len(found) < len(jobs):
        raise SurrogateNASError("a process of the meta-training ended before its work was done")
    return [found[number] for number in range(len(jobs))]


_sources: Mapping[str, TrainingObjective]


def _receive(sources: Mapping[str, TrainingObjective]) -> None:
    global _sources
    _sources = sources


def _gradient_there(job: tuple[int, GradientJob], device: str) -> GradientResult:
    return gradient_of(_sources, job[1], device)
