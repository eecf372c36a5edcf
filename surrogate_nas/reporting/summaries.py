"""Values of a comparison's methods, as rows of ``summary.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import standard_error

Column = Literal["values", "test"]
"""Of a run: what the search saw, or what it did not see."""

ALL = "all"
"""Stands for all tasks together."""

_HEAD = (
    *("method", "task", "trials", "runs", "failed", "mean_rank", "median_rank", "mean_percent"),
    *("average_rank", "validation", "validation_se", "test", "test_se"),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """Values of a method on a task, over the seeds.

    Attributes:
        values: Those of runs that found anything, by their seeds.
        missing: Number of runs that found nothing, or failed.
    """

    values: dict[int, float]
    missing: int

    @property
    def mean(self) -> float | None:
        """The mean, or None without a value."""
        return float(np.mean([*self.values.values()])) if self.values else None

    @property
    def error(self) -> float | None:
        """The standard error of the mean, or None for fewer than two values."""
        return standard_error([*self.values.values()])


def spread(record: ComparisonRecord, method: str, task: str, column: Column, at: int) -> Spread:
    """The best values of a method on a task after a number of trials, in the metric's own sign."""
    own = [run for run in record.different_runs if (run.method, run.task) == (method, task)]
    found = {run.seed: getattr(run, column)[at - 1] for run in own}
    values = {seed: float(value) for seed, value in found.items() if value is not None}
    seeds = len({run.seed for run in record.runs if run.task == task})
    return Spread(values, seeds - len(values))


def tasks_of(record: ComparisonRecord) -> list[str]:
    """The tasks in their order."""
    return list(dict.fromkeys(run.task for run in record.runs))


def summary_csv(record: ComparisonRecord) -> str:
    """The text of ``summary.csv``: a row for each method, task and number of trials.

    ``mean_percent`` and ``average_rank`` are over all tasks; values are of single tasks, as those
    of different tasks have different units. A number that does not exist is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    writer.writerows(_rows(record))
    return text.getvalue()


def _rows(record: ComparisonRecord) -> Iterator[Sequence[object]]:
    tasks, summary = tasks_of(record), record.summary
    of_task = {(row.method, row.task): row for row in summary.tasks}
    for row in summary.methods:
        for i, at in enumerate(summary.at):
            parts = [spread(record, row.method, task, "values", at) for task in tasks]
            runs = sum(len(part.values) + part.missing for part in parts)
            failed = sum(part.missing for part in parts)
            ranks = row.mean_rank[i], row.median_rank[i], row.mean_percent[i], row.average_rank[i]
            numbers = [_text(value) for value in ranks]
            yield (row.method, ALL, at, runs, failed, *numbers, "", "", "", "")
            for task, part in zip(tasks, parts, strict=True):
                own = of_task[row.method, task]
                test = spread(record, row.method, task, "test", at)
                values = part.mean, part.error, test.mean, test.error
                runs, failed = len(part.values) + part.missing, part.missing
                found = _text(own.mean_rank[i]), _text(own.median_rank[i])
                yield (
                    *(row.method, task, at, runs, failed, *found, "", ""),
                    *(_text(value) for value in values),
                )


def _text(value: float | None) -> str:
    """A number with six digits, which are more than any of these means."""
    return "" if value is None else f"{value:.6g}"
