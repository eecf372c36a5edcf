"""The answer of ``surrogate-nas compare``, and the file of each run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from surrogate_nas.records.base import ABSENT, Absence, JsonRecord
from surrogate_nas.records.frames import dataframe, html_table
from surrogate_nas.records.pictures import line_picture

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Run(JsonRecord):
    """One search of a comparison.

    The sequences have an entry for each whole trial, or for as many smaller ones as cost the same.

    Attributes:
        task: Name of the task.
        searcher: The searcher, without its predictor.
        predictor: Its predictor; null if it has none.
        guide: What the predictor ``auto`` means on this task, else the predictor.
        seed: Of all randomness.
        source_evaluations: How many values of other tasks the predictor has learnt from.
        values: The best validation value so far, in the metric's own sign; null before the first
            success.
        ranks: Its rank in the table: 1 + the number of architectures with a better value.
        costs: What all trials so far cost, in epochs.
        test: The test metric of the best so far, in its own sign.
        weights: The file of weights of the predictor, or null; earlier versions did not note it.
        candidates: Which architectures the guide compared: all, or those that its searcher
            visited; null without a guide. Earlier versions did not note it.
        hypervolumes: Of several goals, the share of the true front's hypervolume that the trials
            so far dominate.
    """

    task: str
    searcher: str
    predictor: str | None
    guide: str | None
    seed: int
    source_evaluations: int
    values: tuple[float | None, ...]
    ranks: tuple[int | None, ...]
    costs: tuple[float, ...]
    test: tuple[float | None, ...]
    weights: str | Literal[Absence.ABSENT] | None = ABSENT
    candidates: str | Literal[Absence.ABSENT] | None = ABSENT
    hypervolumes: tuple[float, ...] | Literal[Absence.ABSENT] = ABSENT

    @property
    def method(self) -> str:
        """The searcher with its predictor."""
        return self.searcher if self.predictor is None else f"{self.searcher}+{self.predictor}"


@dataclass(frozen=True, slots=True)
class FailedRun(JsonRecord):
    """A search of a comparison that ended with an error.

    Attributes:
        task: Name of the task.
        searcher: The searcher, without its predictor.
        predictor: Its predictor; null if it has none.
        seed: Of all randomness.
        error: What happened.
    """

    task: str
    searcher: str
    predictor: str | None
    seed: int
    error: str

    def __str__(self) -> str:
        method = self.searcher if self.predictor is None else f"{self.searcher}+{self.predictor}"
        return f"{self.task}, {method}, seed {self.seed}: {self.error}"


@dataclass(frozen=True, slots=True)
class MethodSummary(JsonRecord):
    """A method over all tasks and seeds; each sequence has a value for each number of trials.

    Attributes:
        method: The searcher with its predictor.
        mean_rank: Mean rank in the table of the best so far; of several goals, what is missing to
            the true front's hypervolume, in %, as in all that follows.
        median_rank: Likewise the median.
        mean_percent: Mean rank in % of the table.
        average_rank: Mean rank among the methods, 1 is best.
    """

    method: str
    mean_rank: tuple[float, ...]
    median_rank: tuple[float, ...]
    mean_percent: tuple[float, ...]
    average_rank: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TaskSummary(JsonRecord):
    """A method on one task, over the seeds.

    Attributes:
        task: Name of the task.
        method: The searcher with its predictor.
        mean_rank: Mean rank in the table of the best so far, for each number of trials.
        median_rank: Likewise the median.
    """

    task: str
    method: str
    mean_rank: tuple[float, ...]
    median_rank: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PairTest(JsonRecord):
    """Wilcoxon's signed-rank test of two methods, paired over task and seed.

    Attributes:
        at: Number of trials.
        better: The method with the smaller mean rank.
        worse: The other one.
        p_one_sided: The p-value of that order.
        p: The two-sided p-value.
        p_holm: The two-sided p-value, corrected for the number of pairs (Holm, "A simple
            sequentially rejective multiple test procedure", 1979).
    """

    at: int
    better: str
    worse: str
    p_one_sided: float
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Summary(JsonRecord):
    """Ranks of the methods of a comparison, and tests between them.

    Attributes:
        at: The numbers of trials that are looked at: a quarter, half and all.
        methods: Each method over all tasks.
        tasks: Each method on each task.
        tests: Each pair of methods, for each number of trials.
        same: Groups of methods that are one and the same search here. It ran once, and stands in
            all tables and tests under the name that comes first.
    """

    at: tuple[int, ...]
    methods: tuple[MethodSummary, ...]
    tasks: tuple[TaskSummary, ...]
    tests: tuple[PairTest, ...]
    same: tuple[tuple[str, ...], ...] | Literal[Absence.ABSENT] = ABSENT


@dataclass(frozen=True, slots=True)
class GuidanceTest(JsonRecord):
    """What guidance changes on one task, paired over the seeds.

    Attributes:
        task: Name of the task.
        budget: Number of whole trials.
        method: The guided method.
        alone: The same searcher without a guide.
        guided: Mean rank in the table of the best so far, with the guide; of several goals what is
            missing to the true front's hypervolume, in %.
        unguided: Likewise without it.
        p: The p-value of Wilcoxon's one-sided signed-rank test that guidance makes the rank worse.
        p_holm: The same, corrected for the number of tasks (Holm), for this method and budget.
    """

    task: str
    budget: int
    method: str
    alone: str
    guided: float
    unguided: float
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class WorstTask(JsonRecord):
    """The task on which a method does worst, which a mean over tasks may hide.

    Attributes:
        method: The searcher with its predictor.
        at: Number of trials.
        task: The task with the largest mean rank in % of its table.
        mean_rank: Its mean rank of the best so far; of several goals, what is missing to the true
            front's hypervolume, in %.
        mean_percent: The same in % of the table.
        against: The same searcher guided by gp, if it was compared; else null.
        behind: The tasks on which the mean rank is worse than with gp, the furthest first.
    """

    method: str
    at: int
    task: str
    mean_rank: float
    mean_percent: float
    against: str | None
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparisonRecord(JsonRecord):
    """Search methods side by side.

    Attributes:
        benchmark: Name of the table.
        runs: One for each task, method and seed.
        summary: Over all of them.
        against_unguided: Each guided method against its searcher alone, the worst task first; with
            ``--against-unguided`` only.
        sizes: Number of architectures of each task; earlier versions did not note it.
        failed: Runs that failed, with their reasons; the next comparison tries them again. In the
            summary they found nothing.
        worst: The worst task of each method, for each number of trials of the summary; earlier
            versions did not note it.
    """

    benchmark: str
    runs: tuple[Run, ...]
    summary: Summary
    against_unguided: tuple[GuidanceTest, ...] | Literal[Absence.ABSENT] = ABSENT
    sizes: Mapping[str, int] | Literal[Absence.ABSENT] = ABSENT
    failed: tuple[FailedRun, ...] | Literal[Absence.ABSENT] = ABSENT
    worst: tuple[WorstTask, ...] | Literal[Absence.ABSENT] = ABSENT

    @property
    def different_runs(self) -> tuple[Run, ...]:
        """The runs of methods that stand in the summary: those of one and the same search once."""
        names = {row.method for row in self.summary.methods}
        return tuple(run for run in self.runs if run.method in names)

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each run and trial, with the best value so far.

        Raises:
            MissingDependencyError: If pandas is not installed.
        """
        head = ("task", "searcher", "predictor", "guide", "seed", "source_evaluations")
        curves = {"value": "values", "rank": "ranks", "cost": "costs", "test": "test"}
        rows = [
            {name: getattr(run, name) for name in head}
            | {"trial": trial}
            | {name: getattr(run, curve)[trial - 1] for name, curve in curves.items()}
            for run in self.runs
            for trial in range(1, len(run.values) + 1)
        ]
        return dataframe(rows, [*head, "trial", *curves])

    def _repr_html_(self) -> str:
        """The methods as a table, and their mean ranks over trials, which notebooks show."""
        at = self.summary.at
        head = ["method", *(f"mean rank @{n}" for n in at), f"average rank @{at[-1]}"]
        rows = [
            [row.method, *(f"{v:,.1f}" for v in row.mean_rank), f"{row.average_rank[-1]:.2f}"]
            for row in self.summary.methods
        ]
        lines = {}
        for row in self.summary.methods:
            own = [run.ranks for run in self.runs if run.method == row.method]
            columns = ([r for r in column if r is not None] for column in zip(*own, strict=True))
            lines[row.method] = [sum(c) / len(c) if c else math.nan for c in columns]
        picture = line_picture(lines, x_label="trial", y_label="mean rank", log=True)
        return html_table(repr(self), head, rows) + picture

    def __repr__(self) -> str:
        methods = ", ".join(row.method for row in self.summary.methods)
        return f"{type(self).__name__}({self.benchmark}, {len(self.runs)} runs of {methods})"


# The file of each run ---------------------------------------------------------------------------


class TrialRow(NamedTuple):
    """One trial of a run, a row of ``runs.csv``.

    Values are in the metric's own sign; they are None for a failed trial.
    """

    number: int
    arch: str
    value: float | None
    cost: float | None
    error: str | None
    test: float | None
    best_value: float | None
    best_rank: int | None


@dataclass(frozen=True, slots=True)
class KeptRun(JsonRecord):
    """A finished run as its file holds it, beside the settings that decide it.

    Attributes:
        run: The run.
        trials: All of its trials.
    """

    run: Run
    trials: tuple[TrialRow, ...]
