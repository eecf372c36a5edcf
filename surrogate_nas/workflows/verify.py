"""Trains a search's winners, and compares predicted, tabulated and trained values.

Retraining rarely reproduces the values of a search. The best of many noisy values is biased
upwards, and a table's recipe is not the user's. So winners are trained with seeds that the search
never saw.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.attempts import EvaluationJob, attempts, evaluations, forget
from surrogate_nas.cluster import ClusterOptions
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, Proposal, Trial
from surrogate_nas.fronts import best_first
from surrogate_nas.limits import TrialLimits
from surrogate_nas.parallel import default_workers, one_thread
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.progress import as_progress, renamed
from surrogate_nas.records.results import keeps
from surrogate_nas.records.verification import VerificationRecord, VerifiedArchitecture
from surrogate_nas.reporting.terminal import counted
from surrogate_nas.run import Remembering, owned
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.plan import study_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


TRAINED = "accuracy"
"""What trainings measure."""


@dataclass(frozen=True, slots=True)
class Winner:
    """One of the best architectures of a search.

    Attributes:
        arch: The architecture.
        value: The value that the search measured, larger is better.
        predicted: The value that a predictor gave before that, or None.
    """

    arch: Architecture
    value: float
    predicted: float | None = None


@dataclass(frozen=True, slots=True)
class VerificationPlan:
    """How the best trials of a search are trained.

    Attributes:
        top: Number of trials; fewer if there are no more.
        training: Trains them.
        plan: Its settings as tables record them, see `surrogate_nas.training.plan.plan_training`.
        seeds: Seeds of the trainings of each.
        metric: The metric of the search that trainings measure, too.
    """

    top: int
    training: TrainingObjective
    plan: Mapping[str, Any]
    seeds: Sequence[int]
    metric: str = TRAINED

    def __str__(self) -> str:
        epochs = counted(self.plan["epochs"], "epoch")
        learnt = self.plan.get("optimizer")
        own = f" with the optimizer {learnt['identity']}" if learnt else ""
        return f"{self.plan['dataset']}, {epochs} of {self.plan['recipe']}{own}"


@dataclass(frozen=True, slots=True)
class Verification:
    """The results of the trainings.

    Attributes:
        goal: The goal of the search that is trained, for the sign of its values.
        space: The space, for the notation.
        winners: The winners, the best first.
        trained: Accuracy in % for each winner and seed, None where the training failed or was
            not made.
        errors: The reasons of failures, with winner and seed.
        seconds: Duration of the call.
        interrupted: Whether a keyboard interrupt ended it.
    """

    goal: Goal
    space: SearchSpace
    winners: tuple[Winner, ...]
    trained: tuple[tuple[float | None, ...], ...]
    errors: tuple[str, ...]
    seconds: float
    interrupted: bool = False

    @property
    def kendall_tau(self) -> float | None:
        """Kendall's τ-b of the search's values and mean trained ones; None where one is constant.

        Winners without a training that succeeded do not count.
        """
        means = [_mean(values) for values in self.trained]
        pairs = [(w.value, m) for w, m in zip(self.winners, means, strict=True) if m is not None]
        promised, found = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        if len(pairs) < 2 or np.ptp(promised) == 0 or np.ptp(found) == 0:
            return None
        return kendall_tau(promised, found)

    def record(self) -> VerificationRecord:
        """The answer of `surrogate-nas verify`, in the metric's own sign."""
        sign = self.goal.sign
        rows = tuple(
            VerifiedArchitecture(
                arch=self.space.format(winner.arch),
                predicted=None if winner.predicted is None else sign * winner.predicted,
                table=sign * winner.value,
                trained=tuple(trained),
            )
            for winner, trained in zip(self.winners, self.trained, strict=True)
        )
        means = {row.arch: mean for row in rows if (mean := _mean(row.trained)) is not None}
        best = max(means, key=means.__getitem__) if means else None
        return VerificationRecord(rows, self.kendall_tau, self.seconds, self.errors, best)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def winners(
    space: SearchSpace,
    trials: Iterable[Trial],
    top: int,
    goals: Sequence[Goal] = (),
    compared: int = 0,
) -> tuple[Winner, ...]:
    """The best trials of the largest budget, each network once.

    Of several goals these are the trials that keep all limits, front by front, and in each front
    those that are the farthest from the others first.

    Args:
        space: The space of the trials.
        trials: All trials of a search; failed ones are ignored.
        top: Number of trials; fewer if there are no more.
        goals: Of the search; none for one without a limit.
        compared: Position of the goal whose values are compared with trained ones.

    Raises:
        InvalidArgumentError: If no trial succeeded, or none keeps the limits.
    """
    done = [(t.evaluation, t.proposal) for t in trials if t.evaluation is not None]
    if not done:
        raise InvalidArgumentError("the search has no trial that succeeded, so nothing to verify")
    largest = max(evaluation.budget for evaluation, _ in done)
    whole = [pair for pair in done if pair[0].budget == largest]
    kept = [pair for pair in whole if keeps(tuple(goals), pair[0])] if goals else whole
    if not kept:
        raise InvalidArgumentError("no trial of the search keeps all limits: nothing to verify")
    free = [i for i, goal in enumerate(goals) if goal.limit is None]
    if len(free) > 1:
        values = np.array([[evaluation.values[i] for i in free] for evaluation, _ in kept])
        order = best_first(values).tolist()
    else:
        at = free[0] if free else 0
        order = sorted(range(len(kept)), key=lambda i: -kept[i][0].values[at])
    found: dict[Architecture, Winner] = {}
    for evaluation, proposal in (kept[i] for i in order):
        network = space.canonical(proposal.arch)
        if network not in found and len(found) < top:
            predicted = proposal.info.get("predicted") if compared == 0 else None
            found[network] = Winner(proposal.arch, evaluation.values[compared], predicted)
    return tuple(found.values())


def trained_goal(goals: Sequence[Goal], metric: str) -> int:
    """Position of the goal whose values trainings can repeat.

    Args:
        goals: Of a search.
        metric: What trainings measure.

    Raises:
        InvalidArgumentError: If it is none of several goals.
    """
    if len(goals) == 1:
        return 0
    for position, goal in enumerate(goals):
        if goal.metric == metric:
            return position
    raise InvalidArgumentError(
        f"a verification trains the best and compares their {metric}, which is none of the goals "
        f"({', '.join(goal.text for goal in goals)}); leave it out, or add --goal {metric}"
    )


def verify_trials(
    trials: Iterable[Trial],
    plan: VerificationPlan,
    *,
    goals: Sequence[Goal],
    store: BaseStorage | None = None,
    workers: int | None = 1,
    cluster: ClusterOptions | None = None,
    limits: TrialLimits | None = None,
    progress: Progress | bool = False,
) -> Verification:
    """Train the best trials of a search, see `verify`.

    Args:
        trials: All trials of the search; failed ones are ignored.
        plan: How they are trained.
        goals: The goals of the search, with their limits.
        store: Keeps the trainings in a separate study; those that it holds are not repeated.
        workers: See `verify`.
        cluster: See `verify`.
        limits: See `verify`.
        progress: See `verify`.

    Raises:
        InvalidArgumentError: If no trial succeeded, or what trainings measure is none of the
            goals.
        SurrogateNASError: See `verify`.
    """
    compared = trained_goal(goals, plan.metric)
    best = winners(plan.training.space, trials, plan.top, goals, compared)
    memory = None
    if store is not None:
        from surrogate_nas.store import Stored

        name, settings = study_of(plan.training.space, plan.plan)
        memory = Stored(plan.training, store, name=name, settings=settings)
    return verify(
        best,
        plan.training,
        goal=goals[compared],
        seeds=plan.seeds,
        workers=workers,
        cluster=cluster,
        limits=limits,
        memory=memory,
        progress=renamed(as_progress(progress), f"verify: {plan}"),
    )


def verify(
    best: Sequence[Winner],
    training: TrainingObjective,
    *,
    goal: Goal,
    seeds: Sequence[int],
    workers: int | None = 1,
    cluster: ClusterOptions | None = None,
    limits: TrialLimits | None = None,
    memory: Remembering | None = None,
    progress: Progress | bool = False,
) -> Verification:
    """Train winners, each with all seeds; a failure is part of the result.

    A keyboard interrupt ends it early; what was trained is in the result.

    Args:
        best: The winners to train.
        training: Trains them, see `surrogate_nas.training.plan.plan_training`.
        goal: The goal of the search.
        seeds: Seeds of the trainings.
        workers: Number of processes; None for one a GPU, or else a core. More than one needs a
            main module that can be imported (``if __name__ == "__main__":``).
        cluster: A Ray cluster that trains, in place of ``workers``.
        limits: Time and memory of each training; beyond them it is ended, and failed.
        memory: Keeps the trainings, such as `surrogate_nas.store.Stored`; those that it holds are
            not repeated.
        progress: Shows the trainings; True for a bar, also in a notebook.

    Raises:
        UnknownNameError: If a name is wrong, since every training would fail.
        InvalidArgumentError: If ``workers`` is not positive.
    """
    if workers is not None and workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    started = time.perf_counter()
    jobs = [(winner.arch, seed) for seed in seeds for winner in best]
    done, interrupted = dict[_Job, Trial](), False
    try:
        trainings = _trainings(training, jobs, workers, cluster, limits, memory)
        shown = _shown(trainings, training.space, progress, len(jobs))
        with one_thread(), owned(memory), closing(shown) as trials:
            for trial in trials:
                done[_job(trial)] = trial
    except KeyboardInterrupt:
        interrupted = True
    values = {job: trial.value for job, trial in done.items()}
    return Verification(
        goal=goal,
        space=training.space,
        winners=tuple(best),
        trained=tuple(tuple(values.get((w.arch, seed)) for seed in seeds) for w in best),
        errors=tuple(_errors(training.space, jobs, done)),
        seconds=time.perf_counter() - started,
        interrupted=interrupted,
    )


def _shown(
    trainings: Generator[Trial, None, None],
    space: SearchSpace,
    progress: Progress | bool,
    total: int,
) -> Generator[Trial, None, None]:
    """The trainings, each of which is a step of the progress when it has been taken note of."""
    with as_progress(progress)("verify", total) as advance, closing(trainings) as trials:
        for trial in trials:
            yield trial
            arch, seed = _job(trial)
            value = "failed" if trial.value is None else f"{trial.value:.2f} %"
            advance(f"{space.format(arch)}, seed {seed}: {value}")


_Job = tuple[Architecture, int]  # an architecture and a seed


def _errors(
    space: SearchSpace, jobs: Iterable[_Job], done: Mapping[_Job, Trial]
) -> Generator[str, None, None]:
    for arch, seed in jobs:
        if (arch, seed) in done and done[arch, seed].error is not None:
            yield f"{space.format(arch)}, seed {seed}: {done[arch, seed].error}"


def _trainings(
    training: TrainingObjective,
    jobs: Sequence[_Job],
    workers: int | None,
    cluster: ClusterOptions | None,
    limits: TrialLimits | None,
    memory: Remembering | None,
) -> Generator[Trial, None, None]:
    """Yield the known trainings, then make and keep the missing ones."""
    known = {} if memory is None else {_job(trial): trial for trial in memory.known}
    yield from (known[job] for job in jobs if job in known)
    missing = [
        Proposal(number, arch, info={"seed": seed})
        for number, (arch, seed) in enumerate(jobs)
        if (arch, seed) not in known
    ]
    with closing(_train(training, missing, workers, cluster, limits)) as trials:
        for trial in trials:
            if memory is not None:
                memory.record(trial)
            forget(training, trial, _job_of(trial.proposal))
            yield trial


def _train(
    training: TrainingObjective,
    proposals: Sequence[Proposal],
    workers: int | None,
    cluster: ClusterOptions | None,
    limits: TrialLimits | None,
) -> Generator[Trial, None, None]:
    jobs = deque(map(_job_of, proposals))

    def take() -> EvaluationJob | None:
        return jobs.popleft() if jobs else None

    if cluster is not None and jobs:
        yield from evaluations(training, take, workers=1, limits=limits, cluster=cluster)
        return
    workers = min(workers or default_workers(training.devices()), len(proposals))
    if workers > 1:
        yield from evaluations(training, take, workers=workers, limits=limits)
    with attempts(training, limits) as evaluate:
        for job in jobs:
            yield evaluate(job)


def _job_of(proposal: Proposal) -> EvaluationJob:
    return proposal, None, proposal.info["seed"]


def _job(trial: Trial) -> _Job:
    return trial.arch, trial.proposal.info["seed"]
