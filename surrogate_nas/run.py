"""The one loop in which a searcher and an objective meet."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol, runtime_checkable

from surrogate_nas._types import Progress
from surrogate_nas.attempts import Evaluate, EvaluationJob, attempt, attempts, evaluations, forget
from surrogate_nas.callbacks.base import SearchCallback, SearchStart, watched
from surrogate_nas.callbacks.progress import ProgressBar
from surrogate_nas.cluster import ClusterOptions
from surrogate_nas.errors import (
    InvalidArgumentError,
    SpaceExhaustedError,
    WrongValueError,
)
from surrogate_nas.evaluation import (
    Budgeted,
    KnowsCosts,
    Objective,
    Proposal,
    Resumable,
    Stopping,
    Trial,
)
from surrogate_nas.limits import TrialLimits
from surrogate_nas.parallel import one_thread
from surrogate_nas.records import SearchResult, Stop
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.sharing import Board, SharedSearch
from surrogate_nas.spaces.base import Architecture, SearchSpace

__all__ = ["SearchResult", "check_arguments", "search"]

_LOG = logging.getLogger(__name__)

Callback = Callable[[Trial], None]
_WRONG = f"{WrongValueError.__name__}: "


@runtime_checkable
class Remembering(Protocol):
    """An objective that keeps trials, such as `surrogate_nas.store.Stored`."""

    @property
    def objective(self) -> Objective:
        """The objective that evaluates new trials."""
        ...

    @property
    def known(self) -> Sequence[Trial]:
        """The trials of earlier runs, in the order of their numbers."""
        ...

    def record(self, trial: Trial) -> None:
        """Keep a new trial durably, before the search continues."""
        ...


@runtime_checkable
class Owned(Remembering, Protocol):
    """An objective whose trials one process at a time adds to."""

    def owned(self) -> AbstractContextManager[None]:
        """Keep other processes away as long as the context lasts, or refuse."""
        ...


def owned(memory: Remembering | None) -> AbstractContextManager[None]:
    """Own what keeps the trials, if it can be owned."""
    return memory.owned() if isinstance(memory, Owned) else contextlib.nullcontext()


def search(
    searcher: Searcher,
    objective: Objective,
    *,
    trials: int,
    batch: int = 1,
    workers: int = 1,
    budget: int | None = None,
    callbacks: Iterable[Callback] = (),
    progress: Progress | bool = False,
    limits: TrialLimits | None = None,
    cluster: ClusterOptions | None = None,
) -> SearchResult:
    """Let a searcher propose and an objective evaluate, ``trials`` times.

    A proposal with a smaller budget counts as a fraction of a trial, so a search over several
    budgets makes more evaluations, at the same cost in epochs.

    An exception of the objective is a failed trial, as is an evaluation with another number of
    values than there are goals, or with one that is not finite. A function that returns no number
    at the first trial ends the search; if every trial failed, a warning tells the first reason. The
    searcher never sees hidden metrics. A keyboard interrupt ends the search early; what was
    evaluated is in the result. An objective that remembers trials (`surrogate_nas.store.Stored`) is
    resumed.

    Args:
        searcher: Proposes architectures; its state advances.
        objective: Evaluates them. With several workers it is sent to other processes; those of a
            `PlacedObjective` are shared out over its devices.
        trials: Number of evaluations of the whole budget, failed ones included.
        batch: Number of proposals that are made without knowing each other's values.
        workers: Number of processes; results are told as they come. More than one needs a main
            module that can be imported (``if __name__ == "__main__":``).
        budget: Epochs of an evaluation; None for the largest. A proposal's own budget wins.
        callbacks: Called with each finished trial, in order. Those of the class
            `surrogate_nas.callbacks.SearchCallback` are also told when the search begins and ends.
        progress: True for a bar, in a terminal or a notebook, or what makes another display.
        limits: Time and memory of each evaluation, which then runs in another process, also with
            one worker. Beyond them the process is ended, and the trial failed.
        cluster: Evaluates, in place of ``workers`` on this machine; the searcher stays here.

    Raises:
        WrongValueError: If the objective returned no number at the first trial.
        InvalidArgumentError: If an argument is out of range, the space has fewer than
            ``trials`` architectures, or the searcher serves one goal and the objective has
            several.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> result = search(make_searcher("evolution", space, seed=0), objective, trials=50)
        >>> result.value > 20
        True
    """
    memory = objective if isinstance(objective, Remembering) else None
    inner = objective if memory is None else memory.objective
    check_arguments(inner, trials=trials, batch=batch, workers=workers, budget=budget)
    searcher.pursue(inner.goals, inner.known_costs if isinstance(inner, KnowsCosts) else None)
    called: tuple[Callback, ...] = tuple(callbacks)
    if progress is not False:
        called = (*called, ProgressBar(progress))
    watchers = [callback for callback in called if isinstance(callback, SearchCallback)]
    with owned(memory):
        loop = _Loop(
            searcher, inner, memory, trials, batch, budget, called, limits=limits, cluster=cluster
        )
        with watched(watchers, loop.begun(workers)):
            result = _run(loop, workers)
    for callback in watchers:
        callback.on_end(result)
    if result.failure is not None:
        warnings.warn(result.failure, stacklevel=2)
    return result


def _run(loop: _Loop, workers: int) -> SearchResult:
    cluster = loop.cluster
    stopped: Stop | None = None
    start = time.perf_counter()
    try:
        with one_thread():
            board: object = loop.memory
            if isinstance(board, Board):
                loop.run_shared(board, workers)
            elif workers == 1 and cluster is None:
                loop.run_here()
            else:
                loop.run_in_processes(workers)
    except SpaceExhaustedError:
        stopped = "exhausted"
    except KeyboardInterrupt:
        stopped = "interrupted"
    seconds = time.perf_counter() - start
    objective = loop.objective
    return SearchResult(tuple(loop.done), objective.goals, seconds, stopped, objective.space)


def check_arguments(
    objective: Objective,
    *,
    trials: int,
    batch: int = 1,
    workers: int = 1,
    budget: int | None = None,
) -> None:
    """Refuse invalid arguments of `search`; it does so itself before it starts.

    Raises:
        InvalidArgumentError: See `search`.
    """
    for name, number in (("trials", trials), ("batch", batch), ("workers", workers)):
        if number < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, got {number}")
    available = _size(objective.space)
    if trials > available:
        raise InvalidArgumentError(
            f"trials must be at most {available}, the number of architectures that can be "
            f"searched here, got {trials}"
        )
    if budget is not None and isinstance(objective, Budgeted) and budget not in objective.budgets:
        listed = ", ".join(map(str, objective.budgets))
        raise InvalidArgumentError(f"budget must be one of those recorded ({listed}), got {budget}")
    if budget is not None and budget < 1:
        raise InvalidArgumentError(f"budget must be at least 1, got {budget}")


def whole_budget(objective: Objective, budget: int | None = None) -> int | None:
    """Epochs of one whole trial: ``budget``, else the largest recorded, None if unknown."""
    if budget is None and isinstance(objective, Budgeted):
        return max(objective.budgets, default=None)
    return budget


def _size(space: SearchSpace) -> int:
    return space.size if space.countable else space.encodings


class _Loop:
    """State of one search."""

    def __init__(
        self,
        searcher: Searcher,
        objective: Objective,
        memory: Remembering | None,
        trials: int,
        batch: int,
        budget: int | None,
        callbacks: tuple[Callback, ...],
        *,
        limits: TrialLimits | None,
        cluster: ClusterOptions | None,
    ) -> None:
        self.searcher = searcher
        self.objective = objective
        self.resumable = isinstance(objective, Resumable)  # slow to ask for every trial
        self.memory = memory
        self.batch = batch
        self.budget = budget
        self.trials = trials
        self.whole = whole_budget(objective, budget)
        self.left = trials * (self.whole or 1)  # epochs, where a whole trial has a known number
        self.callbacks = callbacks
        self.done: list[Trial] = []
        self.known: deque[Trial] = deque(() if memory is None else memory.known)
        self.warm: set[tuple[Architecture, int | None]] = set()
        self.queue: deque[Proposal] = deque()  # of several processes
        self.under_way = 0  # in the unit of ``left``
        self.limits = limits
        self.cluster = cluster

    def begun(self, workers: int) -> SearchStart:
        """What callbacks are told when the search begins."""
        return SearchStart(
            space=self.objective.space,
            goals=self.objective.goals,
            searcher=repr(self.searcher),
            trials=self.trials,
            batch=self.batch,
            workers=workers,
            budget=self.whole,
            known=len(self.known),
        )

    # One process -----------------------------------------------------------------------------

    def run_here(self) -> None:
        """Evaluate batch after batch, replaying what is known."""
        with attempts(self.objective, self.limits) as evaluate:
            self._run_batches(evaluate)

    def _run_batches(self, evaluate: Evaluate) -> None:
        over = self.left <= 0
        while not over:
            # Always a whole batch, so that a larger number of trials continues the same search.
            told: list[Trial] = []
            for proposal in self.searcher.ask(self.batch):
                over = self._cost(proposal) > self.left
                if over:
                    break
                trial = self._recall(proposal)
                if trial is None and self.known:
                    self._diverge(told)
                    told = []
                if trial is None:
                    if self._cost(proposal) > self.left or self._key(proposal) in self.warm:
                        continue
                    trial = evaluate(self._job(proposal))
                    self._record(trial)
                self._finish(trial)
                told.append(trial)
            self._tell(told)
            over = over or self.left <= 0

    def _recall(self, proposal: Proposal) -> Trial | None:
        """The known trial at this position, if it is what the searcher asks for."""
        if not self.known or not self._same(self.known[0], proposal):
            return None
        return replace(self.known.popleft(), proposal=proposal)

    def _same(self, trial: Trial, proposal: Proposal) -> bool:
        if trial.arch != proposal.arch or trial.proposal.budget != proposal.budget:
            return False
        budget = self._budget_of(proposal)
        if trial.evaluation is None or budget in (None, trial.evaluation.budget):
            return True
        stops = isinstance(self.objective, Stopping) and self.objective.stop is not None
        return stops and trial.evaluation.budget < (budget or 0)

    def _diverge(self, told: list[Trial]) -> None:
        warnings.warn(
            f"from trial {len(self.done)} on, the search no longer repeats the stored one "
            "(another version of a library, several workers or processes); the stored trials that "
            f"remain ({len(self.known)}) are taken as a warm start",
            stacklevel=4,
        )
        self._tell(told)
        self._warm_start()

    def _warm_start(self) -> None:
        """Tell the remaining known trials as ones that were not asked for."""
        self._tell(self.known)
        for trial in self.known:
            self.warm.add(self._key(trial.proposal))
            self._finish(trial)
        self.known.clear()

    def _key(self, proposal: Proposal) -> tuple[Architecture, int | None]:
        return self.searcher.space.key(proposal.arch), proposal.budget

    # Several processes -----------------------------------------------------------------------

    def run_in_processes(self, workers: int) -> None:
        """Keep every process busy, and tell each result as it arrives."""
        workers = min(workers, self.trials)
        found = self._evaluations(self._next, workers)
        self._warm_start()
        with contextlib.closing(found):
            for trial in found:
                self.under_way -= self._cost(trial.proposal)
                self._record(trial)
                self._finish(trial)
                self._tell([trial])

    def _next(self) -> EvaluationJob | None:
        """The next proposal to evaluate while others are pending, or None."""
        free = self.left - self.under_way
        if free <= 0 or (not self.queue and not self._refill()):
            return None
        if self._cost(self.queue[0]) > free:
            return None
        proposal = self.queue.popleft()
        self.under_way += self._cost(proposal)
        return self._job(proposal)

    def _refill(self) -> bool:
        try:
            self.queue.extend(self.searcher.ask(self.batch))
        except SpaceExhaustedError:
            if self.under_way:  # the space is used up, but results are pending
                return False
            raise
        return True

    # With other processes on one study -------------------------------------------------------

    def run_shared(self, board: Board, workers: int) -> None:
        """Evaluate what this process can claim, until the study has all its trials."""
        shared = SharedSearch(self.searcher, board, self.left, self._cost, self._tell, self._finish)
        try:
            if workers > 1 or self.limits or self.cluster is not None:
                self._share_in_processes(shared, min(workers, self.trials))
                return
            while (proposal := shared.next()) is not None:
                trial = attempt(self.objective, proposal, budget=self._budget_of(proposal))
                shared.record(trial)
                self._forget(trial)
        finally:
            self.done.sort(key=lambda trial: trial.proposal.number)

    def _share_in_processes(self, shared: SharedSearch, workers: int) -> None:
        def take() -> EvaluationJob | None:
            proposal = shared.next(wait=self.under_way == 0)
            if proposal is None:
                return None
            self.under_way += 1
            return self._job(proposal)

        with contextlib.closing(self._evaluations(take, workers)) as found:
            for trial in found:
                self.under_way -= 1
                shared.record(trial)
                self._forget(trial)

    def _evaluations(
        self, take: Callable[[], EvaluationJob | None], workers: int
    ) -> Generator[Trial, None, None]:
        return evaluations(
            self.objective, take, workers=workers, limits=self.limits, cluster=self.cluster
        )

    # Both ------------------------------------------------------------------------------------

    def _cost(self, proposal: Proposal) -> int:
        """Epochs of a proposal; those of a whole trial if it has no budget of its own."""
        if self.whole is None:
            return 1
        return self.whole if proposal.budget is None else proposal.budget

    def _budget_of(self, proposal: Proposal) -> int | None:
        return self.budget if proposal.budget is None else proposal.budget

    def _job(self, proposal: Proposal) -> EvaluationJob:
        return proposal, self._budget_of(proposal), None

    def _forget(self, trial: Trial) -> None:
        if self.resumable:
            forget(self.objective, trial, self._job(trial.proposal))

    def _tell(self, trials: Collection[Trial]) -> None:
        if trials:
            self.searcher.tell([_stripped(trial) for trial in trials])

    def _record(self, trial: Trial) -> None:
        if not self.done and (trial.error or "").startswith(_WRONG):
            raise WrongValueError((trial.error or "").removeprefix(_WRONG))
        if self.memory is not None:
            self.memory.record(trial)
        self._forget(trial)

    def _finish(self, trial: Trial) -> None:
        _LOG.debug("trial %d: %s", len(self.done), trial)
        self.done.append(trial)
        self.left -= self._cost(trial.proposal)
        for callback in self.callbacks:
            callback(trial)


def _stripped(trial: Trial) -> Trial:
    """The trial without what a searcher must not see."""
    if trial.evaluation is None or not trial.evaluation.hidden:
        return trial
    return replace(trial, evaluation=replace(trial.evaluation, hidden={}))
