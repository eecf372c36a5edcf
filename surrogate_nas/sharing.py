"""The part of the search loop that works with others on one study."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol, runtime_checkable

from surrogate_nas.errors import SpaceExhaustedError
from surrogate_nas.evaluation import News, Proposal, Trial
from surrogate_nas.searchers.base import Searcher

_PAUSE, _LONGEST = 0.05, 1.0  # seconds between two looks while others work


@runtime_checkable
class Board(Protocol):
    """Where processes claim what they evaluate, such as `surrogate_nas.store.shared.Shared`."""

    @property
    def finished(self) -> Sequence[Proposal]:
        """The proposals of all finished trials."""
        ...

    @property
    def running(self) -> Sequence[Proposal]:
        """What is being evaluated, by whomever."""
        ...

    @property
    def abandoned(self) -> Sequence[Proposal]:
        """What others began and did not end."""
        ...

    def news(self) -> News:
        """What happened since the last call."""
        ...

    def claim(self, proposal: Proposal, fits: Callable[[list[Proposal]], bool]) -> Proposal | None:
        """Claim a proposal if nobody has it, and it fits beside what others have."""
        ...

    def deadly(self, proposal: Proposal) -> bool:
        """Whether processes die of an architecture."""
        ...

    def record(self, trial: Trial) -> None:
        """Write the result of a claim."""
        ...

    def owned(self) -> AbstractContextManager[None]:
        """Take part as long as the context lasts."""
        ...


class SharedSearch:
    """One process's part of a search that several processes share."""

    def __init__(
        self,
        searcher: Searcher,
        board: Board,
        total: float,
        cost: Callable[[Proposal], float],
        tell: Callable[[list[Trial]], None],
        finish: Callable[[Trial], None],
    ) -> None:
        """Take part in a search.

        Args:
            searcher: This process's own; it learns what all processes find.
            board: Where the processes meet.
            total: Of all processes, in the unit of ``cost``.
            cost: What a proposal costs.
            tell: Tells the searcher finished trials.
            finish: Called with each finished trial, of all processes.
        """
        self.searcher = searcher
        self.board = board
        self.total = total
        self._cost = cost
        self._tell = tell
        self._finish = finish
        self._asked: dict[int, Proposal] = {}  # the searcher's own, by the study's number
        self._later: Proposal | None = None  # proposed, and there was no room
        self._exhausted: SpaceExhaustedError | None = None

    def next(self, *, wait: bool = True) -> Proposal | None:
        """The next claim of this process; None if there is none yet, or no more.

        Args:
            wait: Whether to wait for others, so that None means the end of the search.

        Raises:
            SpaceExhaustedError: If every architecture was proposed already, and none is under way.
        """
        pause = _PAUSE
        while True:
            self._learn()
            if self._spent(self.board.finished) >= self.total:
                return None
            proposal = self._choose()
            if proposal is not None:
                claimed = self._claim(proposal)
                if claimed is not None:
                    return claimed
                pause = _PAUSE
            elif not self.board.running:
                if self._exhausted is not None:
                    raise self._exhausted
                return None  # what is left is less than a proposal costs
            elif not wait:
                return None
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST)

    def record(self, trial: Trial) -> None:
        """Keep the result of a claim."""
        self.board.record(trial)

    def _learn(self) -> None:
        news = self.board.news()
        for trial in news.finished:
            self._finish(trial)
        asked = [self._asked.pop(t.proposal.number, t.proposal) for t in news.finished]
        pairs = zip(news.finished, asked, strict=True)
        self._tell([replace(trial, proposal=own) for trial, own in pairs])
        self.searcher.forget([proposal.arch for proposal in news.ended])
        self.searcher.expect([proposal.arch for proposal in news.running])

    def _choose(self) -> Proposal | None:
        """What to claim next: what others left behind, or what the searcher proposes."""
        under_way = [*self.board.finished, *self.board.running]
        fitting = [p for p in self.board.abandoned if self._fits(p, under_way)]
        if fitting:
            return fitting[0]
        if self._spent(under_way) >= self.total:
            return None
        if self._later is None:
            try:
                (self._later,) = self.searcher.ask(1)
            except SpaceExhaustedError as error:
                self._exhausted = error
                return None
        return self._later if self._fits(self._later, under_way) else None

    def _claim(self, proposal: Proposal) -> Proposal | None:
        if proposal is self._later:
            self._later = None
        claimed = self.board.claim(proposal, lambda older: self._fits(proposal, older))
        if claimed is None:
            return None
        if self.board.deadly(proposal):
            reason = "BrokenProcessPool: every process that evaluated it died"
            self.board.record(Trial(claimed, error=reason))
            return None
        self._asked[claimed.number] = proposal
        self.searcher.expect([proposal.arch])  # which another process may have proposed
        return claimed

    def _fits(self, proposal: Proposal, others: Sequence[Proposal]) -> bool:
        return self._spent(others) + self._cost(proposal) <= self.total

    def _spent(self, proposals: Sequence[Proposal]) -> float:
        return sum(map(self._cost, proposals))
