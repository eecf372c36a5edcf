"""Runs a complete search, with its store, verification and record."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.callbacks.progress import ProgressBar
from surrogate_nas.cluster import ClusterOptions
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, KnowsCosts, Objective, Trial
from surrogate_nas.limits import TrialLimits
from surrogate_nas.records import (
    ABSENT,
    Absence,
    ExportRecord,
    SearchResult,
    Standing,
    standing,
)
from surrogate_nas.records.front import Box
from surrogate_nas.records.search import (
    SearchRecord,
    SearchSeconds,
    best_record,
    front_fields,
    trial_records,
)
from surrogate_nas.run import Callback, Remembering, search
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.candidates import Extent, extent
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.options import TrainingOptions
from surrogate_nas.transfer import PredictorChoice

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from surrogate_nas.training.proxies.table import ProxyTable
    from surrogate_nas.workflows.export import ExportPlan
    from surrogate_nas.workflows.verify import Verification, VerificationPlan


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of every search.

    Attributes:
        trials: See `surrogate_nas.run.search`, also for ``batch``, ``workers`` and ``budget``.
        seed: Seed of all randomness.
        proxies: Zero-cost proxies for the predictors that read them, or None.
        store: Keeps the trials, see `surrogate_nas.store.open_storage`; None keeps none.
        share: Whether other processes may work on the same stored search at once, each started with
            the same options, see `surrogate_nas.store.Shared`; ``trials`` is their total.
        cluster: A Ray cluster where networks are trained, in place of ``workers``; None for none.
        verify: Number of best architectures to train afterwards, `VERIFICATION_SEEDS` times each;
            None for none.
        export: A file for the network of the best architecture, which is trained for it, see
            `surrogate_nas.workflows.export`; None for none.
        candidates: What a guide compares, ``"all"`` or ``"visited"``, see
            `surrogate_nas.searchers.guided.Guided`; None for its default.
        training: How architectures are trained. In a search by training that is every trial. In a
            search of a table it overrides the table's settings, for verification and proxies.
        trial_timeout: Seconds after which a trial is ended, and failed; None for none.
        trial_memory: Gigabytes of its process from which on a trial is ended, and failed.
        isolated: Whether trials have a process of their own also without those, so that a crash
            ends one trial alone; from a script this needs ``if __name__ == "__main__":``.
        accept: Settings of a stored search that may differ from the recorded ones, which they then
            replace: ``"network"``, where a repaired module of another name builds the same.
    """

    trials: int = 100
    batch: int = 5
    workers: int = 1
    budget: int | None = None
    seed: int = 0
    proxies: Sequence[str] | None = None
    store: str | os.PathLike[str] | None = None
    share: bool = False
    cluster: ClusterOptions | None = None
    verify: int | None = None
    export: str | os.PathLike[str] | None = None
    candidates: str | None = None
    training: TrainingOptions = field(default_factory=TrainingOptions)
    trial_timeout: float | None = None
    trial_memory: float | None = None
    isolated: bool = False
    accept: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.share and self.store is None:
            raise InvalidArgumentError(
                "--share (share=True) is for searches that a --store keeps; name one that all "
                "processes reach"
            )
        if self.share and self.verify is not None:
            raise InvalidArgumentError(
                "--verify is for searches of one process; leave it out with --share, and train the "
                "best afterwards with `surrogate-nas verify`"
            )

    def searcher_seed(self) -> int:
        """The seed of the searcher; a new one for each of the processes that share a search."""
        if not self.share:
            return self.seed
        own = np.random.SeedSequence(
            [self.seed, int(np.random.SeedSequence().generate_state(1)[0])]
        )
        return int(own.generate_state(1)[0])

    @property
    def trial_limits(self) -> TrialLimits:
        """Time and memory of each trial."""
        return TrialLimits(self.trial_timeout, self.trial_memory, self.isolated)

    @property
    def limits(self) -> dict[str, Any]:
        """The numeric arguments of `surrogate_nas.run.search`."""
        names = ("trials", "batch", "workers", "budget")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class SearchSetup:
    """Everything that one search needs, see `surrogate_nas.workflows.setups`.

    Attributes:
        label: The task, for people to read.
        where: Keys of the record that name the task: ``benchmark`` and ``task``, or ``space``,
            ``dataset`` and ``epochs``.
        space: The space of the architectures.
        objective: Evaluates architectures; with a store, it remembers trials.
        method: The searcher's name and the predictor that was asked for.
        searcher: The searcher; its state advances, so a setup serves one search.
        guide: The predictor that was chosen.
        features: Proxies of all architectures, or None.
        options: The other options.
        task: The task of a table, or None.
        store: The storage that keeps trials, or None.
        verification: How the best are trained afterwards, or None.
        export: How the best becomes a file, or None.
    """

    label: str
    where: Mapping[str, Any]
    space: SearchSpace
    objective: Objective
    method: Method
    searcher: Searcher
    guide: PredictorChoice | None
    features: ProxyTable | None
    options: SearchOptions
    task: TabularTask | None = None
    store: BaseStorage | None = None
    verification: VerificationPlan | None = None
    export: ExportPlan | None = None

    @property
    def goal(self) -> Goal:
        """What is optimised; the first of several goals."""
        return self.objective.goals[0]

    @property
    def known_metrics(self) -> tuple[str, ...]:
        """Metrics of goals that the search can read of all architectures."""
        objective = self.objective
        objective = objective.objective if isinstance(objective, Remembering) else objective
        if len(objective.goals) == 1 or not isinstance(objective, KnowsCosts):
            return ()
        one = self.space.sample_choices(np.random.default_rng(0), 1)
        return tuple(objective.known_costs(one))

    @property
    def shown(self) -> str:
        """The method, for people to read."""
        name = self.method.name
        return name if self.guide is None else f"{name} + {self.guide.name}"

    @property
    def guide_text(self) -> str | None:
        """The weights of the guide, for people to read; None if it learns from the task alone."""
        return None if self.guide is None else self.guide.learnt

    @property
    def candidates(self) -> Extent | None:
        """What the guide compares; None without a guide."""
        return None if self.guide is None else extent(self.options.candidates, self.space)

    @property
    def title(self) -> str:
        """The task and the method, for people to read."""
        return f"{self.label}{',' if self.task is None else ''} {self.shown}"

    @property
    def known(self) -> int:
        """Number of trials that the store holds already."""
        return len(self.objective.known) if isinstance(self.objective, Remembering) else 0


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """The outcome of a search.

    Attributes:
        result: All trials, with their architectures and values.
        record: The same, as the command `search` prints it, see `SearchRecord.to_json`.
        verification: The real trainings of the best, or None.
        setup: What was searched, and how.
        finished: When each trial was finished, in seconds since the start of the search.
    """

    result: SearchResult
    record: SearchRecord
    verification: Verification | None
    setup: SearchSetup = field(repr=False)
    finished: tuple[float, ...] = field(default=(), repr=False)

    def _repr_html_(self) -> str:
        """The search as notebooks show it."""
        return self.result._repr_html_()


def search_task(
    setup: SearchSetup,
    *,
    callbacks: Iterable[Callback] = (),
    progress: Progress | bool = False,
    started: float | None = None,
) -> SearchOutcome:
    """Search, keep the trials, and train the best, as the command `search` does.

    A keyboard interrupt ends the search early; what was evaluated is in the result.

    Args:
        setup: See `surrogate_nas.workflows.setups`.
        callbacks: Called with each finished trial, in order.
        progress: Shows the search, and then the verification; True for bars, also in a notebook.
        started: Value of `time.perf_counter` when the work began; None for now.

    Raises:
        SurrogateNASError: See `surrogate_nas.run.search` and
            `surrogate_nas.workflows.verify.verify_trials`.
    """
    loaded = time.perf_counter()
    started = loaded if started is None else started
    options = setup.options
    shown, clock = ProgressBar(progress, setup.title), _Clock()
    result = search(
        setup.searcher,
        setup.objective,
        **options.limits,
        callbacks=[shown, clock, *callbacks],
        limits=options.trial_limits,
        cluster=options.cluster if setup.task is None else None,
    )
    verification = None
    if (
        setup.verification is not None
        and result.incumbent is not None
        and result.stopped != "interrupted"
    ):
        from surrogate_nas.workflows.verify import verify_trials

        verification = verify_trials(
            result.trials,
            setup.verification,
            goals=setup.objective.goals,
            store=setup.store,
            workers=options.workers,
            cluster=options.cluster,
            limits=options.trial_limits,
            progress=progress,
        )
    exported = _export(setup, result, progress)
    total = time.perf_counter() - started
    seconds = SearchSeconds(load=loaded - started, search=result.seconds, total=total)
    record = _record(setup, result, verification, seconds)
    record = replace(record, export=exported)
    return SearchOutcome(result, record, verification, setup, tuple(clock.finished))


def _export(
    setup: SearchSetup, result: SearchResult, progress: Progress | bool
) -> ExportRecord | Literal[Absence.ABSENT] | None:
    """Train and write the best network, if that was asked for and there is one."""
    if setup.export is None:
        return ABSENT
    if result.incumbent is None or result.stopped == "interrupted":
        return None
    from surrogate_nas.workflows.export import export_best

    facts = _facts(setup, result)
    return export_best(
        result.incumbent, setup.export, goal=setup.goal, facts=facts, progress=progress
    )


def _facts(setup: SearchSetup, result: SearchResult) -> dict[str, Any]:
    """What a model card tells of the search."""
    weights = None if setup.guide is None else setup.guide.weights
    return {
        "found by": f"{setup.shown}, {len(result.trials)} trials, seed {setup.options.seed}",
        "searched": setup.label,
        "weights of the guide": None if weights is None else os.path.basename(weights),
    }


def _record(
    setup: SearchSetup,
    result: SearchResult,
    verification: Verification | None,
    seconds: SearchSeconds,
) -> SearchRecord:
    task, guide, features = setup.task, setup.guide, setup.features
    several = sum(goal.limit is None for goal in result.goals) > 1
    at = Standing() if task is None else standing(task, result.incumbent)
    checked = None if verification is None else verification.record()
    return SearchRecord(
        **setup.where,
        searcher=setup.method.name,
        predictor=setup.method.predictor,
        guide=None if guide is None else guide.name,
        candidates=setup.candidates,
        proxies=None if features is None else tuple(features.names),
        seed=setup.options.seed,
        trials=trial_records(setup.space, setup.goal, result),
        best=best_record(setup.space, setup.goal, result),
        optimum=None if task is None or several else task.goal.sign * task.optimum,
        regret=at.regret,
        rank=at.rank,
        source_evaluations=0 if guide is None else guide.source_evaluations,
        weights=None if guide is None else guide.weights,
        verification=ABSENT if setup.verification is None else checked,
        seconds=seconds,
        **front_fields(setup.space, result, front_box(setup, result), setup.known_metrics),
    )


def front_box(setup: SearchSetup, result: SearchResult) -> Box | None:
    """The box of the table's true front, or of all trials of a search by training."""
    return Box.of_result(result) if setup.task is None else Box.of_task(setup.task)


class _Clock:
    """Notes when each trial was finished, in seconds since the search began."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.finished: list[float] = []

    def __call__(self, trial: Trial) -> None:
        self.finished.append(time.perf_counter() - self._started)
