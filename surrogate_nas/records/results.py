"""The result of a search, and the standing of trials in a table."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import Evaluation, Goal, Trial
from surrogate_nas.fronts import nondominated
from surrogate_nas.number_text import rounded
from surrogate_nas.records.frames import dataframe, html_table
from surrogate_nas.records.pictures import line_picture
from surrogate_nas.spaces.base import SearchSpace

if TYPE_CHECKING:
    import pandas as pd

Stop = Literal["exhausted", "interrupted"]

_SHOWN = 5  # trials in a notebook


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        trials: All trials in the order in which they finished, with hidden metrics.
        goals: The goals of the search.
        seconds: Duration of the search.
        stopped: ``"exhausted"`` if the space was used up, ``"interrupted"`` if a keyboard
            interrupt ended the search; None if all trials were made.
        space: The space of the architectures, for their notation.
    """

    trials: tuple[Trial, ...]
    goals: tuple[Goal, ...]
    seconds: float = 0.0
    stopped: Stop | None = None
    space: SearchSpace | None = field(default=None, compare=False)

    @cached_property
    def incumbents(self) -> tuple[int | None, ...]:
        """Number of the best trial so far, after each trial; None before the first success.

        Only trials of the largest budget that keep all limits count, and an incumbent changes
        only on strictly better. With several goals the first decides.
        """
        largest = self.largest_budget
        best, best_value = None, -np.inf
        found = []
        for number, trial in enumerate(self.trials):
            evaluation = trial.evaluation
            if (
                evaluation is not None
                and evaluation.budget == largest
                and evaluation.value > best_value
                and keeps(self.goals, evaluation)
            ):
                best, best_value = number, evaluation.value
            found.append(best)
        return tuple(found)

    @cached_property
    def largest_budget(self) -> int:
        """The largest budget of all evaluations, 0 where there is none."""
        done = [t.evaluation for t in self.trials if t.evaluation is not None]
        return max((evaluation.budget for evaluation in done), default=0)

    @cached_property
    def front_numbers(self) -> tuple[int, ...]:
        """Numbers of the trials of `front`."""
        found: dict[tuple[float, ...], int] = {}
        for number, trial in enumerate(self.trials):
            done = trial.evaluation
            if done is not None and done.budget == self.largest_budget and keeps(self.goals, done):
                free = zip(self.goals, done.values, strict=True)
                found.setdefault(tuple(v for goal, v in free if goal.limit is None), number)
        if not found:
            return ()
        rows = list(found)
        on = [row for row, kept in zip(rows, nondominated(np.array(rows)), strict=True) if kept]
        return tuple(found[row] for row in sorted(on, reverse=True))

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other one dominates, of those that keep all limits.

        The best by the first goal comes first; of equal ones only the earliest. With one goal this
        is the best trial.
        """
        return tuple(self.trials[number] for number in self.front_numbers)

    @property
    def violations(self) -> int:
        """Number of trials that were measured and do not keep all limits."""
        done = [t.evaluation for t in self.trials if t.evaluation is not None]
        return sum(not keeps(self.goals, evaluation) for evaluation in done)

    @property
    def failure(self) -> str | None:
        """That every trial failed, and the first reason; None where that is not so."""
        if not self.trials or any(trial.error is None for trial in self.trials):
            return None
        reason = " ".join((self.trials[0].error or "").split())
        return f"every trial failed; the first reason was: {reason}"

    @property
    def best(self) -> Trial | None:
        """The best trial by validation, or None if every trial failed or violates a limit.

        If every trial failed, a warning says so, with the first reason.
        """
        if self.failure is not None:
            warnings.warn(self.failure, stacklevel=2)
        return self.incumbent

    @property
    def incumbent(self) -> Trial | None:
        """The same as `best`, without a warning."""
        last = self.incumbents[-1] if self.trials else None
        return None if last is None else self.trials[last]

    @property
    def value(self) -> float | None:
        """Value of the best trial, larger is better."""
        return None if self.incumbent is None else self.incumbent.value

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

    # For people ------------------------------------------------------------------------------

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each trial, in their order.

        Returns:
            ``number``, ``arch``; ``value_METRIC`` for each goal, in the metric's own sign;
            ``test_METRIC``, which the search did not see; ``metric_NAME`` of further metrics;
            ``budget`` and ``cost`` in epochs; ``seed``; ``error``. Values that a trial does not
            have are missing.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        rows = [self._row(number) for number in range(len(self.trials))]
        names = dict.fromkeys(name for row in rows for name in row)
        own = [f"value_{goal.metric}" for goal in self.goals]
        tests = [name for name in names if name.startswith("test_")]
        metrics = [name for name in names if name.startswith("metric_")]
        columns = ["number", "arch", *own, *tests, *metrics, "budget", "cost", "seed", "error"]
        return dataframe(rows, columns)

    def _row(self, number: int) -> dict[str, Any]:
        trial = self.trials[number]
        row: dict[str, Any] = {"number": number, "arch": self._text(trial), "error": trial.error}
        evaluation = trial.evaluation
        if evaluation is None:
            return row
        values = zip(self.goals, evaluation.values, strict=True)
        row |= {f"value_{goal.metric}": goal.sign * value for goal, value in values}
        row |= {f"test_{name}": value for name, value in evaluation.hidden.items()}
        row |= {f"metric_{name}": value for name, value in evaluation.metrics.items()}
        return row | {
            "budget": evaluation.budget,
            "cost": evaluation.cost,
            "seed": evaluation.seed,
        }

    def _text(self, trial: Trial) -> str:
        if self.space is None:
            return "-".join(map(str, trial.arch.choices))
        return self.space.format(trial.arch)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def _summary(self) -> str:
        parts = [f"{len(self.trials)} trial{'s' * (len(self.trials) != 1)}"]
        failed = sum(trial.error is not None for trial in self.trials)
        if failed:
            parts.append(f"{failed} failed")
        if self.failure is not None:
            parts.append(self.failure)
        if self.incumbent is not None and self.incumbent.evaluation is not None:
            values = zip(self.goals, self.incumbent.evaluation.values, strict=True)
            found = ", ".join(
                f"{goal.metric} {rounded(goal.sign * value)}" for goal, value in values
            )
            parts.append(f"best {found}")
        if len(self.goals) > 1:
            parts.append(f"front of {len(self.front_numbers)}")
        if self.stopped is not None:
            parts.append(self.stopped)
        return ", ".join([*parts, f"{self.seconds:.1f} s"])

    def _repr_html_(self) -> str:
        """The best trials as a table, and the best value so far, which notebooks show."""
        done = [(n, t.evaluation) for n, t in enumerate(self.trials) if t.evaluation is not None]
        best = sorted(done, key=lambda pair: -pair[1].value)[:_SHOWN]
        rows = [
            [
                self._text(self.trials[number]),
                *(rounded(g.sign * v) for g, v in zip(self.goals, found.values, strict=True)),
                f"{found.cost:g}",
                str(number),
            ]
            for number, found in best
        ]
        units = [f"{g.metric} ({g.unit})" if g.unit else g.metric for g in self.goals]
        table = html_table(self._summary(), ["architecture", *units, "cost", "trial"], rows)
        sign = self.goals[0].sign
        values = [math.nan if t.value is None else sign * t.value for t in self.trials]
        curve = sign * self.curve
        lines = {f"best {self.goals[0].metric} so far": curve}
        label = f"best {units[0]} so far"
        return table + line_picture(lines, x_label="trial", y_label=label, points=values)


def keeps(goals: tuple[Goal, ...], evaluation: Evaluation) -> bool:
    """Whether an evaluation keeps all limits."""
    return all(
        goal.limit is None or value >= goal.sign * goal.limit
        for goal, value in zip(goals, evaluation.values, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing of a trial in its task's table.

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
    """Look a trial up; ranks and regrets are those of the largest budget only.

    With limits they are those among the architectures that keep them. Of several goals without a
    limit there are none.
    """
    if trial is None or trial.evaluation is None:
        return Standing()
    test = trial.evaluation.hidden.get(task.goal.metric)
    if trial.evaluation.budget != task.budgets[-1] or sum(g.limit is None for g in task.goals) > 1:
        return Standing(test=test)
    value = float(task.lookup(np.array([trial.arch.choices]))[0])
    rank = task.rank(value)
    return Standing(rank, 100 * rank / len(task), task.regret(value), test)
