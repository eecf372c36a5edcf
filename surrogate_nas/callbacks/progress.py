"""A progress bar for searches from Python, also in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from surrogate_nas._types import OnStep, Progress, no_progress
from surrogate_nas.callbacks.base import SearchCallback, SearchStart

if TYPE_CHECKING:
    from surrogate_nas.evaluation import Trial
    from surrogate_nas.records import SearchResult


class ProgressBar(SearchCallback):
    """Shows how far a search is, and its best value so far; ``search(…, progress=True)``.

    The bar is that of tqdm: a line in a terminal, and a widget in a notebook that has them.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._best: float | None = None
        self._start: SearchStart | None = None
        self._spent = 0

    def on_start(self, start: SearchStart) -> None:
        """Open the bar."""
        self._bar, self._best, self._start, self._spent = (
            _bar("search", start.trials),
            None,
            start,
            0,
        )

    def on_trial(self, trial: Trial) -> None:
        """Advance by a whole trial, or by nothing for a part of one, and show the best value."""
        start = self._start
        if self._bar is None or start is None:
            return
        whole = start.budget or 1
        budget = trial.proposal.budget or whole
        before, self._spent = self._spent // whole, self._spent + budget
        if trial.value is not None and budget == whole:
            self._best = trial.value if self._best is None else max(self._best, trial.value)
        if self._best is not None:
            goal = start.goals[0]
            self._bar.set_postfix_str(f"{goal.metric} {goal.sign * self._best:.6g}", refresh=False)
        self._bar.update(self._spent // whole - before)

    def on_end(self, result: SearchResult) -> None:
        """Close the bar."""
        self._close()

    def on_error(self, error: BaseException) -> None:
        """Close the bar."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None


@contextmanager
def bar(label: str, total: int) -> Iterator[OnStep]:
    """A bar of tqdm, as workflows take it for ``progress``."""
    shown = _bar(label, total)
    try:

        def advance(text: str) -> None:
            shown.set_postfix_str(text, refresh=False)
            shown.update()

        yield advance
    finally:
        shown.close()


def as_progress(wanted: Progress | bool) -> Progress:
    """What shows progress: the given context, or for True a bar, for False nothing."""
    if isinstance(wanted, bool):
        return bar if wanted else no_progress
    return wanted


def _bar(label: str, total: int) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm tells that notebooks without widgets get text
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=label, unit="trial", leave=True)
