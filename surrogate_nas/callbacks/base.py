"""The interface of objects that watch a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from surrogate_nas.evaluation import Goal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True, slots=True)
class SearchStart:
    """What is known when a search begins.

    Attributes:
        space: The space of the architectures.
        goals: The goals of the search.
        searcher: The searcher in one line, for people.
        trials: Number of evaluations of the whole budget.
        batch: Number of proposals that are made without knowing each other's values.
        workers: Number of processes.
        budget: Epochs of a whole trial; None if unknown.
        known: Number of trials that a store holds already. They are reported again, by
            `SearchCallback.on_trial`, before the first new one.
    """

    space: SearchSpace
    goals: tuple[Goal, ...]
    searcher: str
    trials: int
    batch: int = 1
    workers: int = 1
    budget: int | None = None
    known: int = 0


class SearchCallback:
    """Watches a search; every method does nothing unless it is overridden.

    An object goes to ``callbacks`` of `surrogate_nas.run.search` or
    `surrogate_nas.workflows.search.search_task`, beside plain functions, which get each trial. The
    methods run in the process of the search, between evaluations. What they raise ends the search.
    One object may watch several searches, one after another.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher, search
        >>> from surrogate_nas.spaces import open_space
        >>> class Counter(SearchCallback):
        ...     seen = 0
        ...     def on_trial(self, trial):
        ...         self.seen += 1
        >>> space, counter = open_space("nats-size"), Counter()
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> done = search(
        ...     make_searcher("random", space, seed=0), objective, trials=5, callbacks=[counter]
        ... )
        >>> counter.seen
        5
    """

    def on_start(self, start: SearchStart) -> None:
        """Called once, before the first proposal."""

    def on_trial(self, trial: Trial) -> None:
        """Called with each finished trial, failed ones included, in the order of their finishing.

        Trials carry their hidden test metrics, which a search never sees.
        """

    def on_end(self, result: SearchResult) -> None:
        """Called once, after the last trial, also where an interrupt ended the search."""

    def on_error(self, error: BaseException) -> None:
        """Called in place of `on_end` if an exception ends the search; it is raised afterwards."""

    def __call__(self, trial: Trial) -> None:
        """The same as `on_trial`, as a plain function is called."""
        self.on_trial(trial)


@contextmanager
def watched(callbacks: Iterable[SearchCallback], start: SearchStart) -> Iterator[None]:
    """Tell callbacks that a search begins, and of the exception that ends it."""
    begun: list[SearchCallback] = []
    try:
        for callback in callbacks:
            callback.on_start(start)
            begun.append(callback)
        yield
    except BaseException as error:
        for callback in begun:
            callback.on_error(error)
        raise
