"""What a mean over tasks hides: the worst task, and the tasks on which gp alone is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surrogate_nas.records import ComparisonRecord, Measurement, MeasurementSummary
from surrogate_nas.records.comparison import Run, Summary, WorstTask
from surrogate_nas.reporting.statistics import grid

GUIDE = "gp"
"""The guide from scratch that others should not lose to."""


def summarise_measurements(
    results: Sequence[Measurement], against: str | None, others: Sequence[Measurement]
) -> tuple[MeasurementSummary, ...]:
    """The mean and the worst task at each number of labels.

    Args:
        results: Of a predictor.
        against: The predictor that it is compared with, or None.
        others: Measurements of that one on the same architectures.
    """
    found = []
    for size in dict.fromkeys(row.train_size for row in results):
        own, other = _taus(results, size), _taus(others, size)
        worst = min(own, key=lambda task: own[task], default=None)
        gaps = {task: other[task] - tau for task, tau in own.items() if task in other}
        behind = sorted((task for task in gaps if gaps[task] > 0), key=lambda task: -gaps[task])
        found.append(
            MeasurementSummary(
                train_size=size,
                kendall_tau=_mean(list(own.values())),
                worst_task=worst,
                worst_kendall_tau=None if worst is None else own[worst],
                against=against if gaps else None,
                against_kendall_tau=_mean(list(other.values())) if gaps else None,
                behind=tuple(behind),
                furthest=gaps[behind[0]] if behind else None,
            )
        )
    return tuple(found)


def _taus(rows: Sequence[Measurement], size: int) -> dict[str, float]:
    """Mean over the seeds of each task."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.train_size == size and row.kendall_tau is not None:
            found.setdefault(row.task, []).append(row.kendall_tau)
    return {task: float(np.mean(taus)) for task, taus in found.items()}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def worst_tasks(
    runs: Sequence[Run], sizes: Mapping[str, int], summary: Summary
) -> tuple[WorstTask, ...]:
    """The worst task of each method of a comparison.

    Args:
        runs: See `grid`.
        sizes: Number of architectures of each task.
        summary: Of these runs.
    """
    table = grid(runs, sizes)
    ranks, percent = table.ranks.mean(axis=2), table.percent.mean(axis=2)
    groups = summary.same if isinstance(summary.same, tuple) else ()
    shown = {name: group[0] for group in groups for name in group}
    searchers = {run.method: run.searcher for run in runs}
    found = []
    for m, method in enumerate(table.methods):
        other = f"{searchers[method]}+{GUIDE}"
        other = shown.get(other, other)
        compared = other in table.methods and other != method
        for at in summary.at:
            t = int(percent[m, :, at - 1].argmax())
            behind: list[str] = []
            if compared:
                gaps = percent[m, :, at - 1] - percent[table.methods.index(other), :, at - 1]
                behind = [table.tasks[i] for i in np.argsort(-gaps, kind="stable") if gaps[i] > 0]
            found.append(
                WorstTask(
                    method=method,
                    at=at,
                    task=table.tasks[t],
                    mean_rank=float(ranks[m, t, at - 1]),
                    mean_percent=float(percent[m, t, at - 1]),
                    against=other if compared else None,
                    behind=tuple(behind),
                )
            )
    return tuple(found)


# In words ---------------------------------------------------------------------------------------


def measured_worst(rows: Sequence[MeasurementSummary], *, tasks: int) -> list[str]:
    """A sentence for each number of labels: the worst of several tasks, and those behind."""
    told = []
    for row in rows:
        parts = []
        if tasks > 1 and row.worst_task is not None:
            parts.append(f"the worst task is {row.worst_task} with τ {row.worst_kendall_tau:.3f}")
        if row.against is not None:
            parts.append(_behind(row.behind, row.against, tasks))
            if row.furthest is not None:
                parts[-1] += f", by up to {row.furthest:.3f}"
        if parts:
            told.append(f"{row.train_size} labels: {'; '.join(parts)}")
    return told


def compared_worst(record: ComparisonRecord) -> list[str]:
    """A sentence for each method, after all trials of a comparison of several tasks."""
    rows = record.worst if isinstance(record.worst, tuple) else ()
    tasks = len({row.task for row in record.summary.tasks})
    told = []
    for row in rows:
        if tasks > 1 and row.at == record.summary.at[-1]:
            text = f"{row.method}: the worst task is {row.task} with {row.mean_rank:,.1f}"
            if row.against is not None:
                text += f"; {_behind(row.behind, row.against, tasks)}"
            told.append(text)
    return told


def _behind(names: Sequence[str], against: str, tasks: int) -> str:
    if tasks == 1:
        return f"{'behind' if names else 'not behind'} {against}"
    if not names:
        return f"behind {against} on none of {tasks} tasks"
    return f"behind {against} on {len(names)} of {tasks} tasks ({', '.join(names)})"
