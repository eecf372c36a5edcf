"""What searches of tables and searches by training report alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surrogate_nas.cli.console import note

if TYPE_CHECKING:
    from surrogate_nas._types import OnStep
    from surrogate_nas.evaluation import Goal, Trial
    from surrogate_nas.records import SearchResult
    from surrogate_nas.spaces.base import SearchSpace


class Steps:
    """Moves the progress bar by whole trials, with the best value so far beside it."""

    def __init__(self, goal: Goal, whole: int, advance: OnStep) -> None:
        self._goal, self._whole, self._advance = goal, whole, advance
        self._value: float | None = None
        self._spent = 0

    def after(self, trial: Trial) -> None:
        """Take note of a finished trial."""
        budget = trial.proposal.budget or self._whole
        better = trial.value is not None and (self._value is None or trial.value > self._value)
        if better and budget == self._whole:
            self._value = trial.value
        before = self._spent // self._whole
        self._spent += budget
        if self._spent // self._whole > before:
            self._advance(self._text())

    def _text(self) -> str:
        if self._value is None:
            return "nothing succeeded yet"
        return f"best {self._goal.metric} {self._goal.sign * self._value:.6g}"


def trial_report(space: SearchSpace, goal: Goal, result: SearchResult) -> dict[str, Any]:
    """``trials`` and ``best`` of a search's JSON, in the metric's own sign."""
    trials = [
        {
            "number": number,
            "arch": space.format(trial.arch),
            "value": None if trial.value is None else goal.sign * trial.value,
            "cost": None if trial.evaluation is None else trial.evaluation.cost,
            "error": trial.error,
        }
        for number, trial in enumerate(result.trials)
    ]
    best, winner = result.best, None
    if best is not None and best.evaluation is not None:
        winner = {
            "arch": space.format(best.arch),
            "value": goal.sign * best.evaluation.value,
            "metrics": dict(best.evaluation.metrics),
            "test": best.evaluation.hidden.get(goal.metric),
        }
    return {"trials": trials, "best": winner}


def going_on(known: int, store: str) -> None:
    """Say that a search was begun before."""
    from surrogate_nas.reporting.terminal import counted

    are = "is" if known == 1 else "are"
    note(f"{counted(known, 'trial')} of this search {are} in {store}: going on")


def ending(result: SearchResult) -> int:
    """Say how a search ended; the exit code.

    Raises:
        KeyboardInterrupt: If one ended it.
    """
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    if result.stopped == "exhausted":
        from surrogate_nas.reporting.terminal import counted

        note(f"the space is used up after {counted(len(result.trials), 'trial')}")
    if result.best is None:
        reason = next((trial.error for trial in result.trials if trial.error is not None), None)
        if reason is not None:
            note(f"every trial failed; the first reason was: {' '.join(reason.split())}")
            return 1
    return 0
