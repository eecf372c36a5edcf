"""A small table for the tests of what uses tables, in other processes too."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.errors import UnknownNameError
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.spaces.base import Architecture, Isomorphs
from tests.searchers.toys import ToySpace, additive

TABLE = "tests.tables:ToyTable"
SIZES = (3,) * 5


def toy_task(
    name: str = "easy",
    *,
    isomorphs: Isomorphs = "separate",
    maximise: bool = True,
    budgets: tuple[int, ...] = (10, 100),
    kind: type[TabularTask] = TabularTask,
) -> TabularTask:
    """242 architectures with two budgets, a test metric and a further one."""
    space = ToySpace(SIZES)
    choices = space.all_choices()
    seed = sum(map(ord, name))
    effect = additive(space, seed)
    best = np.array([effect(space.architecture(row)) for row in choices])
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=0.2, size=(len(best), 1, len(budgets)))
    noise[..., -1] = 0
    values = best[:, None, None] + noise
    return kind(
        name,
        space,
        choices,
        values if maximise else -values,
        goal=Goal("accuracy" if maximise else "loss", maximise, "%" if maximise else ""),
        test=values - 0.5,
        metrics={"size": choices.sum(axis=1).astype(np.float64)},
        budgets=budgets,
        isomorphs=isomorphs,
        benchmark="toy",
    )


class ToyTable(Benchmark):
    """Three tasks, one of which is minimised."""

    name = "toy"
    space = ToySpace(SIZES)
    tasks: tuple[str, ...] = ("easy", "hard", "loss")
    architectures = 242

    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> TabularTask:
        if name not in self.tasks:
            raise UnknownNameError("task", name, self.tasks)
        return toy_task(name, isomorphs=isomorphs, maximise=name != "loss")

    def check(self) -> None:
        pass


class SlowTask(TabularTask):
    """Answers after a while, and fails now and then."""

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        time.sleep(0.01)
        if arch.choices[:2] == (2, 1):
            raise FloatingPointError("diverged")
        return super().evaluate(arch, budget=budget, seed=seed)


class SlowTable(ToyTable):
    """One task that takes its time."""

    tasks = ("easy",)

    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> TabularTask:
        return toy_task(name, isomorphs=isomorphs, kind=SlowTask)


class LoggedTask:
    """A slow task that notes every evaluation in a file, so that tests can count them."""

    def __init__(self, task: TabularTask, log: Path, seconds: float = 0.0) -> None:
        self.task = task
        self.space = task.space
        self.goals = task.goals
        self.log = log
        self.seconds = seconds

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        time.sleep(self.seconds)
        if arch.choices[0] == 2 and arch.choices[1] == 1:
            reason = "diverged"
            self._note(arch, reason)
            raise FloatingPointError(reason)
        evaluation = self.task.evaluate(arch, budget=budget, seed=seed)
        self._note(arch, "done")
        return evaluation

    def _note(self, arch: Architecture, what: str) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{self.space.format(arch)} {what}\n".encode())
        os.close(descriptor)

    def count(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0
