"""Plots of results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.files import cannot_write, writing
from surrogate_nas.records import ComparisonRecord, SearchResult
from surrogate_nas.records.comparison import Summary
from surrogate_nas.records.front import knee
from surrogate_nas.reporting.digits import unit_of_costs
from surrogate_nas.reporting.statistics import Grid, band, by_cost, coinciding, grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, whose colours differ for colour-blind people, too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_STYLES = ("-", "--", ":")
_OVER: Any = (0, (4, 6))
_ACROSS = 3
_MEAN = "mean of the tasks"
_ALPHA = 0.05
_STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
}


def draw_search(path: Path, task: TabularTask, result: SearchResult, *, method: str) -> None:
    """Draw each trial's value, the best so far, and the optimum of the table."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sign = task.goal.sign
    numbers = np.arange(1, len(result.trials) + 1)
    values = sign * np.array([np.nan if t.value is None else t.value for t in result.trials])
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        optimum = sign * task.optimum
        outside = _limit(axes, values, optimum)
        label = f"trial ({outside} outside)" if outside else "trial"
        axes.scatter(numbers, values, s=16, color="#9a9a9a", linewidths=0, label=label)
        axes.step(
            numbers, sign * result.curve, where="post", color=_COLOURS[0], lw=2, label="best so far"
        )
        axes.axhline(optimum, color=_COLOURS[1], lw=1.2, ls="--", label="best of the table")
        unit = f" ({task.goal.unit})" if task.goal.unit else ""
        axes.set(
            xlabel="trials",
            ylabel=f"validation {task.goal.metric}{unit}",
            title=f"{task.benchmark} / {task.name}: {method}",
            xlim=(0, len(numbers) + 1),
        )
        axes.legend(
            loc="lower right" if sign > 0 else "upper right",
            frameon=True,  # trials may lie behind it
            facecolor="white",
            framealpha=0.8,
            edgecolor="none",
        )
        _save(figure, path)


def draw_front(path: Path, result: SearchResult, *, title: str, true: FloatArray | None) -> None:
    """Draw the trials and their front, one panel for each pair of goals.

    Args:
        path: The picture.
        result: The search.
        title: Of the picture.
        true: The table's true front, larger is better: (n, goals without a limit), or None.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    free = [i for i, goal in enumerate(result.goals) if goal.limit is None]
    goals = [result.goals[i] for i in free]
    signs = np.array([goal.sign for goal in goals])
    done = [t.evaluation.values for t in result.trials if t.evaluation is not None]
    values = np.array(done).reshape(-1, len(result.goals))[:, free] * signs
    on = [t.evaluation.values for t in result.front if t.evaluation is not None]
    front = np.array(on).reshape(-1, len(result.goals))[:, free] * signs
    names = [f"{goal.metric} ({goal.unit})" if goal.unit else goal.metric for goal in goals]
    pairs = list(itertools.combinations(range(len(goals)), 2))
    across = min(_ACROSS, len(pairs))
    down = math.ceil(len(pairs) / across)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.6 * across + 0.8, 4 * down), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).flat
        for axes, (i, j) in zip(panels, pairs, strict=False):
            axes.scatter(*values[:, [j, i]].T, s=14, color="#9a9a9a", linewidths=0, label="trial")
            if true is not None:
                shown = (true * signs)[:, [j, i]].T
                axes.scatter(*shown, s=26, marker="x", lw=1, color=_COLOURS[1], label="true front")
            label = "front"
            if len(goals) == 2 and len(front):
                axes.plot(*_stairs(front[:, [j, i]], signs[[j, i]]), color=_COLOURS[0], lw=1.2)
            axes.scatter(*front[:, [j, i]].T, s=26, color=_COLOURS[0], linewidths=0, label=label)
            if len(front) > 2:
                at = front[knee(front * signs)]
                axes.scatter(at[j], at[i], s=90, fc="none", ec=_COLOURS[0], lw=1.4, label="knee")
            axes.set(xlabel=names[j], ylabel=names[i])
        for axes in list(panels)[len(pairs) :]:
            axes.remove()
        figure.suptitle(title, fontsize=11)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        _save(figure, path)


def _stairs(points: FloatArray, signs: IntArray) -> tuple[FloatArray, FloatArray]:
    """Corners of the region that a front of two goals dominates: x and y."""
    order = np.argsort(points[:, 0])
    x, y = points[order].T
    # Between two points the attained value of the second goal is that of the one it costs less.
    x, y = np.repeat(x, 2), np.repeat(y, 2)
    return (x[1:], y[:-1]) if signs[0] < 0 else (x[:-1], y[1:])


def _limit(axes: Axes, values: FloatArray, optimum: float) -> int:
    """Leave the worst tenth of the trials out, so that the interesting part can be seen.

    Returns:
        How many lie outside.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0
    worst = float(np.quantile(finite, 0.1 if optimum >= finite.max() else 0.9))
    margin = 0.06 * abs(optimum - worst) or 1.0
    low, high = sorted((worst, optimum))
    low, high = low - margin, high + margin
    axes.set_ylim(low, high)
    return int(((finite < low) | (finite > high)).sum())


def draw_comparison(
    folder: Path, result: ComparisonRecord, sizes: Mapping[str, int], *, form: str = "png"
) -> list[Path]:
    """Draw anytime curves over trials and over cost, and the average ranks of the methods.

    Args:
        folder: Where the pictures go.
        result: Of `surrogate_nas.workflows.compare.compare`.
        sizes: Number of architectures of each task.
        form: ``png``, ``pdf`` or ``svg``.

    Returns:
        The files.
    """
    import matplotlib as mpl

    table = grid(result.different_runs, sizes)
    trials = np.arange(1, table.percent.shape[-1] + 1, dtype=np.float64)
    spent, percent = by_cost(table)
    title, unit = result.benchmark, unit_of_costs(table.costs)
    paths = [folder / f"{name}.{form}" for name in ("by_trials", "by_cost", "ranks")]
    with mpl.rc_context(_STYLE):
        _save(_curves(table, trials, table.percent, "trials", title), paths[0])
        _save(_curves(table, spent, percent, f"cost ({unit})" if unit else "cost", title), paths[1])
        if len(table.methods) > 1:
            _save(_ranks(result.summary, title), paths[2])
    return paths if len(table.methods) > 1 else paths[:2]


def _curves(table: Grid, x: FloatArray, percent: FloatArray, label: str, title: str) -> Figure:
    """One panel for the mean of the tasks, if there are several, and one for each."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    names, hidden = _names(table)
    panels = [(task, percent[:, t]) for t, task in enumerate(table.tasks)]
    if len(panels) > 1:
        panels.insert(0, (_MEAN, percent.mean(axis=1)))
    across = min(_ACROSS, math.ceil(math.sqrt(len(panels))))
    down = math.ceil(len(panels) / across)
    size = (3.6 * across, 2.7 * down + 0.6) if across > 1 else (6.4, 4.4)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).flat
    for ax, (name, samples) in zip(axes, panels, strict=False):
        for m, samples_of_method in enumerate(samples):
            _curve(ax, x, samples_of_method, m, names[m], over=hidden[m])
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        # Plain numbers between the powers of ten, where less than one of these is spanned.
        ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
        ax.set_title(name, fontweight="bold" if name == _MEAN else "normal")
    for ax in axes[len(panels) :]:
        ax.remove()
    for ax in axes[max(0, len(panels) - across) : len(panels)]:  # the lowest of each column
        ax.set_xlabel(label)
    what = "missing hypervolume (% of the true front's)"
    figure.supylabel(
        what if table.several else "rank of the best so far (% of the table)", fontsize=10
    )
    seeds = percent.shape[2]
    of = f"mean of {seeds} seeds, 95 % bootstrap bands" if seeds > 1 else "one seed"
    figure.suptitle(f"{title}: {of}", fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def _names(table: Grid) -> tuple[list[str], list[bool]]:
    """Names of the lines, and which of them lie on the line of an earlier method."""
    first = {name: group[0] for group in coinciding(table) for name in group[1:]}
    names = [f"{name} (= {first[name]})" if name in first else name for name in table.methods]
    return names, [name in first for name in table.methods]


def _curve(
    ax: Axes, x: FloatArray, samples: FloatArray, number: int, name: str, *, over: bool
) -> None:
    """Draw the mean and its band; ``over`` another line, dashes leave that one visible."""
    colour = _COLOURS[number % len(_COLOURS)]
    style = _OVER if over else _STYLES[number // len(_COLOURS) % len(_STYLES)]
    ax.plot(x, samples.mean(axis=0), color=colour, ls=style, lw=1.8, label=name)
    limits = band(samples)
    if limits is not None:
        ax.fill_between(x, *limits, color=colour, alpha=0.18, lw=0)


def _ranks(summary: Summary, title: str) -> Figure:
    """Average ranks among the methods; a bar joins those that do not differ significantly."""
    from matplotlib.figure import Figure

    rows = sorted(summary.methods, key=lambda row: row.average_rank[-1])
    at, count = summary.at[-1], len(rows)
    after = "1 trial" if at == 1 else f"{at} trials"
    same = {
        frozenset((test.better, test.worse))
        for test in summary.tests
        if test.at == at and test.p_holm >= _ALPHA
    }
    figure = Figure(figsize=(7, 1.5 + 0.4 * count), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows):
        rank = row.average_rank[-1]
        axes.plot([1, rank], [y, y], color="#d0d0d0", lw=1.2, zorder=1)
        axes.scatter(rank, y, s=46, color=_COLOURS[0], zorder=2)
        axes.annotate(f"{rank:.2f}", (rank, y), (8, -3.5), textcoords="offset points")
    groups = _groups([row.method for row in rows], same)
    for step, (first, last) in enumerate(groups):
        x = count * (1.12 + 0.04 * step)
        axes.plot([x, x], [first - 0.15, last + 0.15], color="#444444", lw=4)
    axes.set_yticks(range(count), [row.method for row in rows])
    axes.set_xticks(range(1, count + 1))
    axes.set(
        xlim=(0.95, count * (1.15 + 0.04 * len(groups))),
        ylim=(count - 0.5, -0.5),
        xlabel=f"average rank among the methods after {after} (1 is best)",
    )
    axes.set_title(title + (": bars join what does not differ (p ≥ .05, Holm)" if groups else ""))
    axes.grid(visible=False, axis="y")
    return figure


def _groups(names: list[str], same: set[frozenset[str]]) -> list[tuple[int, int]]:
    """Longest runs of neighbours (first, last) in which no two differ."""
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and all(
            frozenset((names[i], names[last + 1])) in same for i in range(first, last + 1)
        ):
            last += 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _save(figure: Figure, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    form = path.suffix[1:].lower()
    # No dates, so that the same result is the same file.
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    try:
        with writing(path) as file, mpl.rc_context({"svg.hashsalt": "surrogate-nas"}):
            figure.savefig(file, dpi=150, format=form, metadata=date)
    except OSError as error:
        raise cannot_write(path, error, "the picture") from error
