"""The sections of a table's report on noise between seeds and on short trainings."""

from __future__ import annotations

import itertools

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.reporting.digits import digits_of, number, short
from surrogate_nas.reporting.html.chart import Chart, figure, legend
from surrogate_nas.reporting.html.markup import Html, join
from surrogate_nas.reporting.html.page import Section, multiples, paragraphs, table
from surrogate_nas.reporting.html.scales import AxisScale

_MOST_ROWS = 10_000  # of a table, drawn at random, for statistics that take long
_GROUPS = 20  # of architectures with neighbouring values
_MOST_BUDGETS = 12


def label_of(task: TabularTask) -> str:
    """The metric of a task with its unit."""
    unit = f" ({task.goal.unit})" if task.goal.unit else ""
    return f"{task.goal.metric}{unit}"


def rows_of(task: TabularTask) -> IntArray:
    """Positions of architectures: all, or a random part of many."""
    if len(task) <= _MOST_ROWS:
        return np.arange(len(task))
    drawn = np.random.default_rng(0).choice(len(task), size=_MOST_ROWS, replace=False)
    return np.asarray(np.sort(drawn))


def noise(tasks: list[TabularTask]) -> Section | None:
    """How much the seeds of a training decide; None for tables of one seed."""
    repeated = [task for task in tasks if task.seeds > 1]
    if not repeated:
        return None
    rows, charts = [], []
    for task in repeated:
        part = rows_of(task)
        cells = np.stack([task.lookup_rows(part, seed=s) for s in range(task.seeds)], axis=1)
        cells = cells[np.isfinite(cells).all(axis=1)]
        if len(cells) < 2:
            continue
        rows.append(_noise_row(task, cells))
        charts.append(_noise_chart(task, cells))
    head = ["task", ">seeds", ">noise σ", ">noise σ, best 5 %", ">between σ", ">noise share"]
    caption = (
        "Standard deviation of one training between seeds and between architectures, the noise's "
        "share of the variance of single trainings, and the agreement of two seeds"
    )
    note = (
        "One training of an architecture is as good as luck with its seed allows. Differences far "
        "below the noise of the best architectures mean nothing."
    )
    body = join(
        paragraphs(note),
        table([*head, ">τ of two seeds"], rows, caption=caption),
        multiples(charts),
    )
    return Section("noise", "Noise between seeds", body)


def _noise_row(task: TabularTask, cells: FloatArray) -> list[str]:
    within = cells.var(axis=1, ddof=1)
    means = cells.mean(axis=1)
    best = means >= np.quantile(means, 0.95)
    between = max(0.0, float(means.var(ddof=1) - within.mean() / cells.shape[1]))
    share = float(within.mean()) / (float(within.mean()) + between or 1.0)
    pairs = itertools.islice(itertools.combinations(range(cells.shape[1]), 2), 3)
    taus = [kendall_tau(cells[:, i], cells[:, j]) for i, j in pairs]
    sigmas = [np.sqrt(within.mean()), np.sqrt(within[best].mean()), np.sqrt(between)]
    texts = [short(float(s)) for s in sigmas]
    tau = f"{np.mean(taus):.2f}"
    return [task.name, f"{cells.shape[1]}", *texts, f"{100 * share:.0f} %", tau]


def _noise_chart(task: TabularTask, cells: FloatArray) -> Html:
    means = cells.mean(axis=1)
    order = np.argsort(means, kind="stable")[len(means) // 100 :]
    groups = [g for g in np.array_split(order, min(_GROUPS, len(order))) if g.size]
    x = task.goal.sign * np.array([means[g].mean() for g in groups])
    y = np.array([np.sqrt(cells[g].var(axis=1, ddof=1).mean()) for g in groups])
    chart = Chart(
        AxisScale.of(x, margin=0.04),
        AxisScale(0.0, float(y.max()) * 1.08 or 1.0),
        x_label=f"mean {label_of(task)}",
        y_label="standard deviation between seeds",
        height=190,
    )
    up = np.argsort(x)
    chart.line(x[up], y[up])
    decimals = digits_of(x)
    tips = [f"{number(a, decimals)}: σ {short(b)}" for a, b in zip(x, y, strict=True)]
    chart.dots(x, y, tips)
    label = f"Noise of {task.name} by the mean of the seeds, in groups of architectures."
    return figure(task.name, chart.html(label))


def budgets(tasks: list[TabularTask]) -> Section | None:
    """How well short trainings order architectures."""
    several = [task for task in tasks if len(task.budgets) > 1]
    if not several:
        return None
    chart = Chart(
        AxisScale(
            float(several[0].budgets[0]),
            float(max(task.budgets[-1] for task in several)),
            whole=True,
        ),
        AxisScale(0.0, 1.02),
        x_label="budget (epochs)",
        y_label="Kendall's τ with the largest budget",
        height=280,
    )
    for of, task in enumerate(several):
        rows = rows_of(task)
        epochs = sorted({task.budgets[i] for i in _spaced(len(task.budgets))})
        taus = []
        for budget in epochs:
            early = task.lookup_rows(rows, budget=budget)
            there = np.isfinite(early)
            taus.append(kendall_tau(early[there], task.values[rows][there]))
        x, y = np.array(epochs, dtype=np.float64), np.array(taus)
        chart.line(x, y, of=of)
        chart.dots(
            x,
            y,
            [f"{task.name}\n{b} epochs: τ {t:.2f}" for b, t in zip(epochs, taus, strict=True)],
            of=of,
        )
    names = [(of, task.name) for of, task in enumerate(several)]
    label = "Agreement of the order after few epochs with that after all."
    body = figure("Short and whole trainings", legend(names), chart.html(label))
    return Section("budgets", "Budgets", body)


def _spaced(count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, _MOST_BUDGETS))})
