"""What all trackers of experiments have in common: numbers of a trial, settings of a search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

from surrogate_nas._version import __version__
from surrogate_nas.callbacks.base import SearchCallback, SearchStart
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.records.results import keeps

Status = Literal["finished", "interrupted", "failed"]


class TrackingCallback(SearchCallback, ABC):
    """Writes each search as one run of a tracker of experiments.

    A tracker defines four methods. They get, with the number of the trial as the step:

    - each goal's metric in its own sign, and ``best METRIC`` if there is one goal, of the trials
      that keep all limits;
    - ``predicted METRIC``, what a predictor believed when it proposed the architecture;
    - ``cost``, all epochs so far, and ``failed``, the number of failed trials so far;
    - further metrics of the evaluation, by their names.

    Hidden test metrics are left out, so that nobody selects by them.

    Args:
        params: Further settings to record, such as the names of the data and of the method.
    """

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params = dict(params or {})
        self._start: SearchStart | None = None
        self._step = self._failed = 0
        self._cost = 0.0
        self._best: float | None = None

    # What a tracker defines --------------------------------------------------------------------

    @abstractmethod
    def open_run(self, params: Mapping[str, str | int | float | bool]) -> None:
        """Begin a run with these settings."""

    @abstractmethod
    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Write numbers of one trial."""

    @abstractmethod
    def write_text(self, name: str, text: str, step: int) -> None:
        """Write a text, such as the notation of the best architecture so far."""

    @abstractmethod
    def close_run(self, status: Status) -> None:
        """End the run; nothing is written afterwards."""

    # What a search calls -----------------------------------------------------------------------

    def on_start(self, start: SearchStart) -> None:
        """Begin a run."""
        self._start, self._best, self._cost = start, None, 0.0
        self._step = self._failed = 0
        settings = {
            "space": start.space.name,
            "goals": ", ".join(goal.metric for goal in start.goals),
            "searcher": start.searcher,
            "trials": start.trials,
            "batch": start.batch,
            "workers": start.workers,
            "budget": start.budget,
            "surrogate_nas": __version__,
            **self.params,
        }
        self.open_run({name: _plain(value) for name, value in settings.items()})

    def on_trial(self, trial: Trial) -> None:
        """Write the numbers of a trial, and its architecture where it is the best so far."""
        if self._start is None:
            raise InvalidArgumentError("on_start must be called before on_trial, as a search does")
        metrics, better = self._numbers(self._start, trial)
        self.write(metrics, self._step)
        if better:
            self.write_text("best architecture", self._start.space.format(trial.arch), self._step)
        if trial.error is not None:
            self.write_text("error", trial.error, self._step)
        self._step += 1

    def on_end(self, result: SearchResult) -> None:
        """End the run."""
        self.close_run("interrupted" if result.stopped == "interrupted" else "finished")

    def on_error(self, error: BaseException) -> None:
        """End the run as a failed one."""
        self.close_run("failed")

    def _numbers(self, start: SearchStart, trial: Trial) -> tuple[dict[str, float], bool]:
        """The metrics of a trial, and whether it is the best so far."""
        evaluation = trial.evaluation
        one = len([goal for goal in start.goals if goal.limit is None]) == 1
        better = False
        metrics: dict[str, float] = {}
        if evaluation is None:
            self._failed += 1
        else:
            self._cost += evaluation.cost
            metrics |= {name: float(value) for name, value in evaluation.metrics.items()}
            for goal, value in zip(start.goals, evaluation.values, strict=True):
                metrics[goal.metric] = goal.sign * value
            whole = trial.proposal.budget in (None, start.budget)
            if whole and one and keeps(start.goals, evaluation):
                better = self._best is None or evaluation.value > self._best
                self._best = evaluation.value if better else self._best
        if one:
            goal, predicted = start.goals[0], trial.proposal.info.get("predicted")
            if predicted is not None:
                metrics[f"predicted {goal.metric}"] = goal.sign * float(predicted)
            if self._best is not None:
                metrics[f"best {goal.metric}"] = goal.sign * self._best
        return metrics | {"cost": self._cost, "failed": float(self._failed)}, better


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)
