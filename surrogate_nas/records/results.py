"""What a search found, and how good that is in a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import Goal, Trial

Stop = Literal["exhausted", "interrupted"]


@dataclass(frozen=True)
class SearchResult:
    """What a search did.

    Attributes:
        trials: All trials in the order in which they finished, with hidden metrics.
        goals: What was optimised.
        seconds: Duration of the search.
        stopped: ``"exhausted"`` if the space was used up, ``"interrupted"`` if a keyboard
            interrupt ended the search; None if all trials were made.
    """

    trials: tuple[Trial, ...]
    goals: tuple[Goal, ...]
    seconds: float = 0.0
    stopped: Stop | None = None

    @cached_property
    def incumbents(self) -> tuple[int | None, ...]:
        """Number of the best trial so far, after each trial; None before the first success.

        Only trials of the largest budget count, and an incumbent changes only on strictly
        better.
        """
        done = [t.evaluation for t in self.trials if t.evaluation is not None]
        largest = max((evaluation.budget for evaluation in done), default=0)
        best, best_value = None, -np.inf
        found = []
        for number, trial in enumerate(self.trials):
            evaluation = trial.evaluation
            if (
                evaluation is not None
                and evaluation.budget == largest
                and evaluation.value > best_value
            ):
                best, best_value = number, evaluation.value
            found.append(best)
        return tuple(found)

    @property
    def best(self) -> Trial | None:
        """The best trial by validation, or None if every trial failed."""
        last = self.incumbents[-1] if self.trials else None
        return None if last is None else self.trials[last]

    @property
    def value(self) -> float | None:
        """Value of the best trial, larger is better."""
        return None if self.best is None else self.best.value

    @cached_property
    def curve(self) -> FloatArray:
        """Best value so far after each trial, NaN before the first success: (trials,)."""
        values = [np.nan if t.value is None else t.value for t in self.trials]
        return np.array([np.nan if i is None else values[i] for i in self.incumbents])

    @cached_property
    def costs(self) -> FloatArray:
        """Cost of all trials so far in epochs, after each trial: (trials,)."""
        spent = [0.0 if t.evaluation is None else t.evaluation.cost for t in self.trials]
        return np.cumsum(spent, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Standing:
    """How good a trial is, by its task's table.

    Attributes:
        rank: 1 + the number of architectures with a strictly better validation value.
        percent: The rank in % of the table.
        regret: Distance to the best validation value, in the goal's unit.
        test: Test metric in its own sign.
    """

    rank: int | None = None
    percent: float | None = None
    regret: float | None = None
    test: float | None = None


def standing(task: TabularTask, trial: Trial | None) -> Standing:
    """Look a trial up; ranks and regrets are those of the largest budget only."""
    if trial is None or trial.evaluation is None:
        return Standing()
    test = trial.evaluation.hidden.get(task.goal.metric)
    if trial.evaluation.budget != task.budgets[-1]:
        return Standing(test=test)
    value = float(task.lookup(np.array([trial.arch.choices]))[0])
    rank = task.rank(value)
    return Standing(rank, 100 * rank / len(task), task.regret(value), test)
