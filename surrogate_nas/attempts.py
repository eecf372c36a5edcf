"""Evaluates proposals, here or in other processes; what fails is a failed trial."""

from __future__ import annotations

import contextlib
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from surrogate_nas.cluster import Cluster, ClusterOptions
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError, UnknownNameError
from surrogate_nas.evaluation import Objective, PlacedObjective, Proposal, Resumable, Trial
from surrogate_nas.limits import TrialLimits
from surrogate_nas.parallel import Pool, dispatch

EvaluationJob = tuple[Proposal, int | None, int | None]
"""A proposal with its budget and seed."""


def attempt(
    objective: Objective, proposal: Proposal, *, budget: int | None = None, seed: int | None = None
) -> Trial:
    """Evaluate a proposal once; a failure is a trial with the reason.

    Raises:
        UnknownNameError: If a name is wrong, since every trial would fail.
        MissingDependencyError: If a package is missing, since every trial would fail.
    """
    try:
        evaluation = objective.evaluate(proposal.arch, budget=budget, seed=seed)
        wanted, given = [goal.metric for goal in objective.goals], len(evaluation.values)
        if given != len(wanted):
            raise InvalidArgumentError(
                f"an evaluation must have a value for each goal ({', '.join(wanted)}), got {given}"
            )
        return Trial(proposal, evaluation)
    except (UnknownNameError, MissingDependencyError):
        raise
    except (Exception, SystemExit) as error:
        return _failed(proposal, error)


def _failed(proposal: Proposal, error: BaseException) -> Trial:
    return Trial(proposal, error=f"{type(error).__name__}: {error}")


def forget(objective: Objective, trial: Trial, job: EvaluationJob) -> None:
    """Let an objective remove how far an evaluation was, as its result is recorded.

    Of one that failed it may stay: whoever tries it again goes on from there.
    """
    if trial.evaluation is not None and isinstance(objective, Resumable):
        objective.forget(trial.arch, budget=job[1], seed=job[2])


Evaluate = Callable[[EvaluationJob], Trial]


@contextlib.contextmanager
def attempts(objective: Objective, limits: TrialLimits | None) -> Iterator[Evaluate]:
    """What evaluates one job after the other: here, or in another process where it is limited."""
    if not limits:
        yield lambda job: attempt(objective, job[0], budget=job[1], seed=job[2])
        return
    jobs: deque[EvaluationJob] = deque()
    take = lambda: jobs.popleft() if jobs else None  # noqa: E731
    sent, devices = _sent(objective)
    with Pool(1, _receive, sent, limits=limits) as pool:

        def evaluate(job: EvaluationJob) -> Trial:
            jobs.append(job)
            (trial,) = _trials(pool, take, devices)
            return trial

        yield evaluate


def evaluations(
    objective: Objective,
    take: Callable[[], EvaluationJob | None],
    *,
    workers: int,
    limits: TrialLimits | None = None,
    cluster: ClusterOptions | None = None,
) -> Generator[Trial, None, None]:
    """Evaluate in other processes, which share the devices of a `PlacedObjective`.

    Args:
        objective: Sent to each process.
        take: Returns the next job, see `surrogate_nas.parallel.dispatch`.
        workers: Number of processes.
        limits: Of each evaluation.
        cluster: Evaluates in place of processes of this machine.

    Returns:
        Trials in the order in which they finish; closing the iterator ends the processes.

    Raises:
        InvalidArgumentError: If the objective cannot be sent.
    """
    sent, devices = _sent(objective)
    if cluster is None:
        return _evaluations(Pool(workers, _receive, sent, limits=limits), take, devices)
    if isinstance(objective, PlacedObjective):  # a cluster shows each process its own GPUs
        devices = ["auto" if cluster.gpus else "cpu"]
    return _evaluations(Cluster(cluster, _receive, sent, limits=limits), take, devices)


def _sent(objective: Objective) -> tuple[bytes, Sequence[str | None]]:
    """An objective for other processes, and the devices that they share."""
    try:
        sent = pickle.dumps(objective)
    except Exception as error:
        raise InvalidArgumentError(
            "evaluations in other processes (several workers, or limits of time and memory) need "
            f"an objective that can be pickled ({error}); workers must be 1 without limits"
        ) from error
    if isinstance(objective, PlacedObjective):
        return sent, objective.devices()
    return sent, [None]


def _evaluations(
    pool: Pool | Cluster,
    take: Callable[[], EvaluationJob | None],
    devices: Sequence[str | None],
) -> Generator[Trial, None, None]:
    with pool:
        yield from _trials(pool, take, devices)


def _trials(
    pool: Pool | Cluster, take: Callable[[], EvaluationJob | None], devices: Sequence[str | None]
) -> Iterator[Trial]:
    for (proposal, _, _), result in dispatch(pool, _evaluate_there, take, devices):
        try:
            trial = result()
        except BrokenProcessPool as error:
            trial = Trial(proposal, error=str(error))
        yield trial


_received: Objective


def _receive(sent: bytes) -> None:
    global _received
    _received = pickle.loads(sent)


def _evaluate_there(job: EvaluationJob, device: str | None) -> Trial:
    (proposal, budget, seed), objective = job, _received
    if device is not None and isinstance(objective, PlacedObjective):
        objective = objective.on(device)
    try:
        return attempt(objective, proposal, budget=budget, seed=seed)
    except (KeyboardInterrupt, GeneratorExit) as error:  # of the user's function: Ctrl-C is blocked
        return _failed(proposal, error)
