"""The report of a table."""

from __future__ import annotations

import itertools
import json

import numpy as np

from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.reporting.digits import digits_of, number, short
from surrogate_nas.reporting.html.chart import Chart, figure
from surrogate_nas.reporting.html.decisions import importance
from surrogate_nas.reporting.html.heatmap import heatmap
from surrogate_nas.reporting.html.markup import Child, Html, join, tag
from surrogate_nas.reporting.html.network import network, operations
from surrogate_nas.reporting.html.noise import budgets, label_of, noise, rows_of
from surrogate_nas.reporting.html.page import (
    Section,
    Tile,
    definitions,
    multiples,
    page,
    paragraphs,
    table,
)
from surrogate_nas.reporting.html.scales import AxisScale, lie
from surrogate_nas.spaces.base import Architecture

_BINS = 40
_DRAWN = 3
_MOST_DECISIONS = 16


def table_report(benchmark: Benchmark) -> tuple[str, list[str]]:
    """The page about a table, and the titles of its sections."""
    tasks = [benchmark.task(name) for name in benchmark.tasks]
    sections = [
        _overview(tasks),
        _distributions(tasks),
        _correlations(tasks),
        _decisions(tasks),
        noise(tasks),
        budgets(tasks),
        _best(tasks),
        _settings(benchmark, tasks),
    ]
    tiles = [
        Tile("architectures", f"{benchmark.architectures:,}"),
        Tile("tasks", f"{len(tasks):,}"),
        Tile("space", benchmark.space.name),
        Tile("seeds", f"{max(task.seeds for task in tasks)}"),
        Tile("budgets", f"{max(len(task.budgets) for task in tasks)}"),
    ]
    subtitle = f"A table of architectures of the space {benchmark.space.name}"
    text = page(benchmark.name, subtitle, tiles, sections)
    return text, [section.title for section in sections if section is not None]


# Values -----------------------------------------------------------------------------------------


def _overview(tasks: list[TabularTask]) -> Section:
    rows = []
    for task in tasks:
        own = task.goal.sign * task.values
        decimals = digits_of(own)
        best = task.goal.sign * task.optimum
        numbers = [number(float(v), decimals) for v in (best, np.median(own))]
        spread = short(float(own.std()))
        aim = "larger" if task.goal.maximise else "smaller"
        head = [task.name, f"{len(task):,}", label_of(task), aim]
        rows.append([*head, *numbers, spread, f"{task.seeds}", f"{task.budgets[-1]:,}"])
    head = ["task", ">architectures", "metric", "better is", ">best", ">median"]
    head += [">standard deviation", ">seeds", ">largest budget"]
    return Section("overview", "Tasks", table(head, rows, caption="What the table holds"))


def _distributions(tasks: list[TabularTask]) -> Section:
    return Section(
        "distributions",
        "Distributions",
        multiples([_histogram(task) for task in tasks]),
    )


def _histogram(task: TabularTask) -> Html:
    own = task.goal.sign * task.values
    good = task.values >= np.quantile(task.values, 0.01)
    counts, edges = np.histogram(own[good], bins=_BINS)
    decimals = digits_of(edges)
    chart = Chart(
        AxisScale(float(edges[0]), float(edges[-1])),
        AxisScale(0.0, float(counts.max()) * 1.06),
        x_label=label_of(task),
        y_label="architectures",
        height=190,
    )
    tips = [
        f"{count:,} architectures\n{number(a, decimals)} to {number(b, decimals)}"
        for count, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    chart.bars(edges, counts.astype(np.float64), tips)
    middle = float(np.median(own))
    chart.rule(x=middle, label="median")
    cut = int((~good).sum())
    label = (
        f"Distribution of {label_of(task)} of {len(own):,} architectures, median {short(middle)}."
    )
    outside = f"The worst are left out: {lie(cut)} outside." if cut else None
    return figure(task.name, chart.html(label), caption=outside)


def _correlations(tasks: list[TabularTask]) -> Section | None:
    if len(tasks) < 2:
        return None
    choices = tasks[0].choices[rows_of(tasks[0])]
    columns = [task.lookup(choices) for task in tasks]
    found = np.eye(len(tasks))
    for i, j in itertools.combinations(range(len(tasks)), 2):
        both = np.isfinite(columns[i]) & np.isfinite(columns[j])
        enough = both.sum() > 1
        tau = kendall_tau(columns[i][both], columns[j][both]) if enough else np.nan
        found[i, j] = found[j, i] = tau
    names = [task.name for task in tasks]
    texts = [
        ["" if i == j else f"{v:.2f}" for j, v in enumerate(row)] for i, row in enumerate(found)
    ]
    np.fill_diagonal(found, np.nan)
    texts = [["" if np.isnan(v) else f"{v:.2f}" for v in row] for row in found]
    caption = "Kendall's τ of the values of two tasks, better as larger"
    note = (
        "Tasks that order architectures alike can learn from each other: that is what a "
        "meta-trained predictor transfers."
    )
    body = join(paragraphs(note), heatmap(names, names, found, texts, caption=caption))
    return Section("correlations", "Correlations between tasks", body)


def _decisions(tasks: list[TabularTask]) -> Section:
    space = tasks[0].space
    shares = []
    for task in tasks:
        rows = rows_of(task)
        choices = task.choices[rows]
        shares.append(importance(choices, task.values[rows], task.space.active(choices)))
    found = np.array(shares).T
    order = np.sort(np.argsort(-found.mean(axis=1), kind="stable")[:_MOST_DECISIONS])
    names = [space.decisions[i].name for i in order]
    texts = [[f"{100 * v:.0f} %" for v in row] for row in found[order]]
    scaled = found[order] / (found.max() or 1.0)
    caption = (
        "Share of the variance that a decision explains alone (adjusted η² of a one-way analysis "
        "of variance)"
    )
    body = heatmap(names, [task.name for task in tasks], scaled, texts, caption=caption)
    return Section("decisions", "Importance of decisions", body)


# Architectures ----------------------------------------------------------------------------------


def _best(tasks: list[TabularTask]) -> Section:
    rows: list[list[Child]] = []
    drawn: dict[Architecture, list[str]] = {}
    for task in tasks:
        best = int(task.values.argmax())
        arch = Architecture(task.space.name, tuple(task.choices[best].tolist()))
        drawn.setdefault(arch, []).append(task.name)
        own = task.goal.sign * task.values
        value = number(float(own[best]), digits_of(own))
        test = "–" if task.test_values is None else short(float(task.test_values[best]))
        rows.append([task.name, tag("span", task.space.format(arch), class_="arch"), value, test])
    drawable = operations(tasks[0].space, next(iter(drawn))) > 0
    pictures = [
        figure(tasks[0].space.format(arch), network(tasks[0].space, arch), caption=", ".join(names))
        for arch, names in list(drawn.items())[:_DRAWN]
    ]
    body = join(
        table(["task", "architecture", ">value", ">test"], rows, caption="The best of each task"),
        tag("div", pictures, class_="figures small") if drawable else None,
    )
    return Section("best", "Best architectures", body)


def _settings(benchmark: Benchmark, tasks: list[TabularTask]) -> Section:
    pairs: list[tuple[str, Child]] = [
        ("table", benchmark.name),
        ("space", benchmark.space.identity),
        ("decisions", f"{len(benchmark.space.decisions)}"),
    ]
    if benchmark.how_to_get:
        pairs.append(("source", benchmark.how_to_get))
    for task in tasks:
        pairs.append((f"fingerprint of {task.name}", task.fingerprint))
        if task.descriptor:
            numbers = ", ".join(f"{name} {number:g}" for name, number in task.descriptor.items())
            pairs.append((f"descriptor of {task.name}", numbers))
        if task.training is not None:
            text = json.dumps(dict(task.training), ensure_ascii=False, default=str)
            pairs.append((f"trainings of {task.name}", text))
    return Section("settings", "Settings", definitions(pairs))
