"""The settings that `compare` and `evaluate` share: tasks, repetitions, sources and proxies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.parallel import cores
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.training.proxies.table import ProxyTable
from surrogate_nas.transfer import (
    PredictorChoice,
    WantedWeights,
    choose_predictor,
    train_ahead,
)
from surrogate_nas.workflows.goals import WantedGoals
from surrogate_nas.workflows.proxies import task_proxies


@dataclass(frozen=True, slots=True)
class Experiment:
    """Repetitions on tasks of a table.

    Attributes:
        benchmark: A registered name or the path of a table.
        tasks: Names of tasks.
        seeds: Number of repetitions on each task, with the seeds 0, 1, …
        workers: Processes; None for all cores.
        isomorphs: See `TabularTask`.
        sources: Tasks that meta-learners are trained on, see
            `surrogate_nas.transfer.choose_predictor`.
        leave_one_out: Whether the sources are all other tasks of the benchmark.
        proxies: Zero-cost proxies that predictors see beside the structure, or None. See
            `surrogate_nas.workflows.proxies.task_proxies`.
        dataset: Images for the proxies, where the table records none.
        data_dir: Where the files of the images are.
        goals: What is optimised and limited. Where it combines tasks, all tasks are one.
    """

    benchmark: str
    tasks: Sequence[str]
    seeds: int
    workers: int | None = None
    isomorphs: Isomorphs = "separate"
    sources: str | None = None
    leave_one_out: bool = False
    proxies: Sequence[str] | None = None
    dataset: str | None = None
    data_dir: str | os.PathLike[str] | None = None
    goals: WantedGoals = field(default_factory=WantedGoals)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what `open` opens."""
        return ("+".join(self.tasks),) if self.goals.combines else tuple(self.tasks)

    def open(self) -> tuple[Benchmark, list[TabularTask]]:
        """The table, and the tasks in their order.

        Raises:
            UnknownNameError: If there is no such benchmark or task.
            InvalidArgumentError: If there are no seeds or no tasks.
        """
        if self.seeds < 1:
            raise InvalidArgumentError(f"seeds must be at least 1, got {self.seeds}")
        if len(self.tasks) == 0:
            raise InvalidArgumentError("tasks must have at least one entry, got none")
        opened = open_benchmark(self.benchmark)
        tasks = [opened.task(name, isomorphs=self.isomorphs) for name in self.tasks]
        if self.goals.combines:
            return opened, [self.goals.of(tasks)]
        return opened, [self.goals.of([task]) for task in tasks]

    @property
    def trains_learners(self) -> bool:
        """Whether meta-learners are trained, instead of using installed weights."""
        return self.sources is not None or self.leave_one_out

    @property
    def processes(self) -> int:
        """Number of processes."""
        return self.workers or cores()

    def train_ahead(
        self,
        names: Sequence[str],
        tasks: Sequence[TabularTask],
        progress: Progress | bool = False,
    ) -> None:
        """Meta-train together what `predictor` would train for one task after another.

        Args:
            names: Meta-learners.
            tasks: The tasks, as `open` gives them.
            progress: Shows the tasks that are done.
        """
        if not self.trains_learners or self.goals != WantedGoals():
            return
        if self.sources is not None and self.leave_one_out:
            return  # `predictor` refuses it
        wanted = [
            WantedWeights(
                name, self.benchmark, task.name, self.isomorphs, task.fingerprint, self.sources
            )
            for task in tasks
            for name in names
        ]
        train_ahead(wanted, workers=self.workers, progress=progress)

    def predictor(
        self, name: str, task: TabularTask, *, from_sources: bool, progress: Progress | bool = False
    ) -> PredictorChoice:
        """Choose a predictor, see `surrogate_nas.transfer.choose_predictor`.

        Args:
            name: Name of the predictor.
            task: One of the tasks.
            from_sources: Whether it may learn from the sources, as it is a meta-learner.
            progress: Shows a meta-training.
        """
        return choose_predictor(
            name,
            task,
            sources=self.sources if from_sources else None,
            leave_one_out=self.leave_one_out and from_sources,
            workers=self.workers,
            progress=progress,
        )

    def features(
        self, task: TabularTask, proxies: Sequence[str], progress: Progress | bool = False
    ) -> ProxyTable:
        """Proxies of all architectures of a task, from the cache or computed."""
        return task_proxies(
            task,
            proxies,
            dataset=self.dataset,
            data_dir=self.data_dir,
            workers=self.workers,
            progress=progress,
        )
