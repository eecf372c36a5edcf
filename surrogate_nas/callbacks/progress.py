"""Shows how far a search is."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from surrogate_nas._types import OnStep, Progress
from surrogate_nas.callbacks.base import SearchCallback, SearchStart
from surrogate_nas.number_text import rounded
from surrogate_nas.progress import as_progress, bar
from surrogate_nas.records.results import keeps

if TYPE_CHECKING:
    from surrogate_nas.evaluation import Trial
    from surrogate_nas.records import SearchResult


class ProgressBar(SearchCallback):
    """Shows how far a search is, and its best value so far; ``search(…, progress=True)``.

    It advances by whole trials, so that several with smaller budgets are one step. Where there are
    limits, the best value is that of a trial that keeps them.
    """

    def __init__(self, progress: Progress | bool = True, label: str = "search") -> None:
        """Store the arguments.

        Args:
            progress: True for a bar, or what makes another display.
            label: Names the search.
        """
        self._label = label
        self._progress = partial(bar, unit="trial") if progress is True else as_progress(progress)
        self._opened = ExitStack()
        self._advance: OnStep | None = None
        self._start: SearchStart | None = None
        self._best: float | None = None
        self._succeeded = False
        self._spent = 0

    def on_start(self, start: SearchStart) -> None:
        """Open the display."""
        self._start, self._best, self._spent = start, None, 0
        self._succeeded = False
        self._advance = self._opened.enter_context(self._progress(self._label, start.trials))

    def on_trial(self, trial: Trial) -> None:
        """Advance by a whole trial, or by nothing for a part of one, and show the best value."""
        start = self._start
        if start is None or self._advance is None:
            return
        whole = start.budget or 1
        budget = trial.proposal.budget or whole
        if trial.evaluation is not None and trial.value is not None and budget == whole:
            self._succeeded = True
            if keeps(start.goals, trial.evaluation):
                self._best = trial.value if self._best is None else max(self._best, trial.value)
        before, self._spent = self._spent // whole, self._spent + budget
        for _ in range(self._spent // whole - before):
            self._advance(self._text(start))

    def _text(self, start: SearchStart) -> str:
        if self._best is None:
            return "none keeps the limits yet" if self._succeeded else "nothing succeeded yet"
        goal = start.goals[0]
        return f"best {goal.metric} {rounded(goal.sign * self._best)}"

    def on_end(self, result: SearchResult) -> None:
        """Close the display."""
        self._close()

    def on_error(self, error: BaseException) -> None:
        """Close the display."""
        self._close()

    def _close(self) -> None:
        self._advance = None
        self._opened.close()
