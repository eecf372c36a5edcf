"""The answer of ``surrogate-nas evaluate``: measurements of a predictor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from surrogate_nas.records.base import ABSENT, Absence, JsonRecord, plain
from surrogate_nas.records.frames import dataframe, html_table

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("kendall_tau", "spearman", "coverage_90")  # in a notebook


@dataclass(frozen=True, slots=True)
class Measurement(JsonRecord):
    """How good a predictor is on the architectures that it was not trained on.

    What means nothing is null.

    Attributes:
        task: Name of the task.
        train_size: Number of architectures that it learnt from.
        seed: Which architectures these are.
        kendall_tau: Kendall's τ-b of predicted and true values, 0 where one is constant; null
            where fewer than two architectures are left to test on.
        spearman: Likewise Spearman's ρ.
        precision_at_10: Share of the 10 % predicted best that are among the true 10 % best.
        regret_at_10: The best true value minus the best true value among the 10 predicted best.
        nll: Mean negative log density of the true values under the predictions, in nats; null
            without labels.
        coverage_90: Share of true values inside the predicted central 90 % interval; null without
            labels.
        fit_seconds: Time to learn.
        predict_seconds: Time to predict all others.
        predictor: What was measured; where auto was asked for, what it means on this task.
        weights: Its file of weights, or null.
    """

    task: str
    train_size: int
    seed: int
    kendall_tau: float | None
    spearman: float | None
    precision_at_10: float
    regret_at_10: float
    nll: float | None
    coverage_90: float | None
    fit_seconds: float
    predict_seconds: float
    predictor: str
    weights: str | None


@dataclass(frozen=True, slots=True)
class MeasurementSummary(JsonRecord):
    """Kendall's τ of a predictor over all tasks, which a mean alone may hide.

    Attributes:
        train_size: Number of architectures that it learnt from.
        kendall_tau: Mean over tasks and seeds; null where it is not known.
        worst_task: The task with the smallest mean over the seeds.
        worst_kendall_tau: That mean.
        against: The predictor that it is compared with, on the same architectures; null if none.
        against_kendall_tau: Its mean over tasks and seeds.
        behind: The tasks whose mean is below that of the other predictor, the furthest first.
        furthest: How far the first of them is below; null if there is none.
    """

    train_size: int
    kendall_tau: float | None
    worst_task: str | None
    worst_kendall_tau: float | None
    against: str | None
    against_kendall_tau: float | None
    behind: tuple[str, ...]
    furthest: float | None


@dataclass(frozen=True, slots=True)
class MeasurementRecord(JsonRecord):
    """Measurements of a predictor.

    Attributes:
        results: One for each task, number of labels and seed.
        summary: Over all tasks, one for each number of labels; earlier versions did not note it.
    """

    results: tuple[Measurement, ...]
    summary: tuple[MeasurementSummary, ...] | Literal[Absence.ABSENT] = ABSENT

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each measurement.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        columns = [field.name for field in dataclasses.fields(Measurement)]
        return dataframe([plain(row) for row in self.results], columns)

    def _repr_html_(self) -> str:
        """Means over the seeds as a table, which notebooks show."""
        head = ["task", "labels", "Kendall's τ", "Spearman's ρ", "coverage of 90 % intervals"]
        rows = []
        for task, size in dict.fromkeys((row.task, row.train_size) for row in self.results):
            own = [r for r in self.results if (r.task, r.train_size) == (task, size)]
            numbers = [_mean([getattr(row, name) for row in own]) for name in _SHOWN]
            rows.append([task, str(size), *numbers])
        return html_table(repr(self), head, rows)

    def __repr__(self) -> str:
        tasks = ", ".join(dict.fromkeys(row.task for row in self.results))
        return f"{type(self).__name__}({len(self.results)} measurements on {tasks})"


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "–"
