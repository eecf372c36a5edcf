"""The report of a comparison of search methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.records.base import Absence
from surrogate_nas.records.comparison import MethodSummary
from surrogate_nas.reporting.digits import digits_of, digits_of_error, number, short, unit_of_costs
from surrogate_nas.reporting.html.chart import Chart, figure, legend
from surrogate_nas.reporting.html.heatmap import heatmap
from surrogate_nas.reporting.html.markup import Child, Html, join, tag
from surrogate_nas.reporting.html.page import (
    Section,
    Tile,
    code,
    definitions,
    multiples,
    page,
    paragraphs,
    table,
)
from surrogate_nas.reporting.html.scales import AxisScale
from surrogate_nas.reporting.statistics import (
    Grid,
    band,
    by_cost,
    coinciding,
    equal,
    grid,
    listed,
    shown_ranks,
    standard_error,
)

_ALPHA = 0.05


@dataclass(frozen=True)
class ComparisonSubject:
    """A comparison, with everything that its report shows.

    Attributes:
        record: The runs and their summary.
        sizes: Number of architectures of each task; empty where they are unknown.
        settings: Names and values, for people to read.
        versions: Of the libraries.
        command: What repeats it, or None.
        remarks: What the reader should know.
    """

    record: ComparisonRecord
    sizes: Mapping[str, int]
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    remarks: tuple[str, ...] = ()


def comparison_report(subject: ComparisonSubject) -> tuple[str, list[str]]:
    """The page about a comparison, and the titles of its sections."""
    record = subject.record
    runs = grid(record.different_runs, subject.sizes or _unknown(record))
    sections = [
        _summary(subject, several=runs.several),
        _curves(subject, runs),
        _tests(record, several=runs.several),
        _guidance(record, several=runs.several),
        _values(record, several=runs.several),
        _settings(subject),
    ]
    methods, tasks = len(runs.methods), len(runs.tasks)
    subtitle = (
        f"{methods} {'method' if methods == 1 else 'methods'} on {tasks} "
        f"{'task' if tasks == 1 else 'tasks'}"
    )
    text = page(f"Comparison on {record.benchmark}", subtitle, _tiles(record, runs), sections)
    return text, [section.title for section in sections if section is not None]


def _unknown(record: ComparisonRecord) -> dict[str, int]:
    """Sizes that make percentages ranks, where the tables are not at hand."""
    return {run.task: 100 for run in record.runs}


def _best(record: ComparisonRecord) -> list[MethodSummary]:
    return sorted(record.summary.methods, key=lambda row: row.average_rank[-1])


def _tiles(record: ComparisonRecord, runs: Grid) -> list[Tile]:
    best = _best(record)[0]
    equal = [m.method for m in _best(record) if m.average_rank[-1] == best.average_rank[-1]]
    shape = runs.ranks.shape
    return [
        Tile("best on average", ", ".join(equal), f"average rank {best.average_rank[-1]:.2f}"),
        Tile(
            f"its mean {_what(runs.several)}",
            short(best.mean_rank[-1]),
            f"after {record.summary.at[-1]} trials",
        ),
        Tile("tasks", f"{shape[1]:,}"),
        Tile("seeds", f"{shape[2]:,}"),
        Tile("runs", f"{len(record.runs):,}"),
    ]


def _what(several: bool) -> str:
    """What ranks in a comparison's record are."""
    return "missing hypervolume (%)" if several else "rank"


# Summary ----------------------------------------------------------------------------------------


def _summary(subject: ComparisonSubject, *, several: bool) -> Section:
    record, digits = subject.record, 3 if several else 1
    at = record.summary.at
    rows: list[list[Child]] = []
    ordered = _best(record)
    least = [min(row.mean_rank[i] for row in ordered) for i in range(len(at))]
    for row in ordered:
        cells: list[Child] = [row.method]
        for value, smallest in zip(row.mean_rank, least, strict=True):
            text = f"{value:,.{digits}f}"
            cells.append(tag("span", text, class_="best") if value == smallest else text)
        cells += [f"{value:,.{digits}f}" for value in row.median_rank]
        rows.append([*cells, f"{row.average_rank[-1]:.2f}"])
    head = ["method", *(f">mean @{n}" for n in at), *(f">median @{n}" for n in at)]
    caption = (
        "What is missing to the true front's hypervolume after that many trials, in %"
        if several
        else "Rank in the table of the best architecture so far after that many trials, 1 is the "
        "optimum"
    )
    caption += "; the smallest mean is bold"
    body = join(
        [tag("p", remark) for remark in (*subject.remarks, *equal(record))],
        _failed(record),
        table([*head, ">average rank"], rows, caption=caption),
        _ranks(record, ordered),
    )
    return Section("summary", "Summary", body)


def _ranks(record: ComparisonRecord, ordered: list[MethodSummary]) -> Html | None:
    """Average ranks among the methods as points on a line."""
    if len(ordered) < 2:
        return None
    scale = AxisScale(1.0, float(len(ordered)), whole=True)
    y = AxisScale(0.0, float(len(ordered)))
    chart = Chart(
        scale,
        y,
        x_label="average rank among the methods, 1 is best",
        y_label="",
        height=44 * len(ordered),
    )
    chart.y_ticks = [(1 - (i + 0.5) / len(ordered), row.method) for i, row in enumerate(ordered)]
    x = np.array([row.average_rank[-1] for row in ordered])
    places = len(ordered) - np.arange(len(ordered)) - 0.5
    for value, place in zip(x, places, strict=True):
        chart.line(np.array([1.0, value]), np.array([place, place]))
    tips = [f"{row.method}: {row.average_rank[-1]:.2f}" for row in ordered]
    chart.dots(x, places, tips, style="star")
    for value, place in zip(x, places, strict=True):
        chart.text(float(value), float(place), f"{value:.2f}")
    label = "Average ranks: " + ", ".join(tips)
    return figure("Average rank among the methods", chart.html(label))


# Curves -----------------------------------------------------------------------------------------


def _curves(subject: ComparisonSubject, runs: Grid) -> Section:
    known = bool(subject.sizes)
    label = "rank of the best so far (% of the table)" if known else "rank of the best so far"
    if runs.several:
        label = "missing hypervolume (% of the true front's)"
    names = list(enumerate(runs.methods))
    trials = np.arange(1, runs.percent.shape[-1] + 1, dtype=np.float64)
    seeds = runs.percent.shape[2]
    bands = f"Lines are means of {seeds} seeds, bands 95 % bootstrap intervals of the mean."
    caption = (bands if seeds > 1 else "One seed.") + _coinciding(runs)
    mean = runs.percent.mean(axis=1)
    spent, percent = by_cost(runs)
    unit = unit_of_costs(runs.costs)
    cost = f"cost ({unit})" if unit else "cost"
    several = len(runs.tasks) > 1
    what = "mean of the tasks" if several else runs.tasks[0]
    figures = [
        figure(
            f"Over trials: {what}",
            legend(names),
            _chart(trials, mean, runs.methods, "trials", label, 340),
            caption=caption,
        ),
        figure(
            f"Over cost: {what}",
            legend(names),
            _chart(spent, percent.mean(axis=1), runs.methods, cost, label, 280),
        ),
    ]
    panels = [
        figure(task, _chart(trials, runs.percent[:, t], runs.methods, "trials", label, 190))
        for t, task in enumerate(runs.tasks)
    ]
    each = multiples(panels) if several else None
    return Section("curves", "Anytime curves", join(figures, each))


def _chart(
    x: FloatArray, samples: FloatArray, methods: tuple[str, ...], unit: str, label: str, height: int
) -> Html:
    """Mean and band of each method; samples (methods, seeds, points)."""
    means = samples.mean(axis=1)
    limits = [band(one) for one in samples]
    every = [means, *(np.array(pair) for pair in limits if pair is not None)]
    chart = Chart(
        AxisScale(float(x[0]) if unit == "trials" else 0.0, float(x[-1]), whole=unit == "trials"),
        AxisScale.of(np.concatenate([np.ravel(part) for part in every]), log=True, margin=0.04),
        x_label=unit,
        y_label=label,
        height=height,
    )
    for m, pair in enumerate(limits):
        if pair is not None:
            chart.band(x, *pair, of=m)
    for m, mean in enumerate(means):
        over = any(np.array_equal(mean, other) for other in means[:m])
        chart.line(x, mean, of=m, dashes="5 8" if over else None)
    ends = (
        f"{name} ends at {short(float(mean[-1]))}"
        for name, mean in zip(methods, means, strict=True)
    )
    return chart.html(f"Mean {label} over {unit}: {', '.join(ends)}.")


def _coinciding(runs: Grid) -> str:
    """A sentence on methods whose lines lie on each other."""
    found = coinciding(runs)
    return "".join(f" The lines of {listed(group)} coincide." for group in found)


def _failed(record: ComparisonRecord) -> Html | None:
    """The runs that failed, which count as if they had found nothing."""
    if not isinstance(record.failed, tuple) or not record.failed:
        return None
    rows = [
        [run.task, run.searcher, run.predictor or "none", f"{run.seed}", run.error]
        for run in record.failed
    ]
    head = ["task", "searcher", "predictor", ">seed", "reason"]
    return table(head, rows, caption="Runs that failed; here they count as if they found nothing")


# Tests ------------------------------------------------------------------------------------------


def _tests(record: ComparisonRecord, *, several: bool) -> Section | None:
    at = record.summary.at[-1]
    tests = {(t.better, t.worse): t for t in record.summary.tests if t.at == at}
    if not tests:
        return None
    names = [row.method for row in _best(record)]
    values = np.full((len(names), len(names)), np.nan)
    texts: list[list[Child]] = []
    for i, one in enumerate(names):
        line: list[Child] = []
        for j, other in enumerate(names):
            test = tests.get((one, other))
            if test is None:
                line.append("" if (other, one) not in tests else "·")
                continue
            values[i, j] = float(test.p_holm < _ALPHA) * 0.8
            text = f"p = {short(test.p_holm)}"
            line.append(tag("strong", text) if test.p_holm < _ALPHA else text)
        texts.append(line)
    caption = (
        f"The row's method has a smaller mean {_what(several)} than the column's after {at} "
        "trials: two-sided p-values of Wilcoxon's signed-rank test, paired over task and seed, "
        "corrected by Holm; coloured and bold below .05"
    )
    body = heatmap(names, names, values, texts, caption=caption)
    return Section("tests", "Paired tests", body)


def _guidance(record: ComparisonRecord, *, several: bool) -> Section | None:
    """Guided methods against their searchers alone; None where they were not compared."""
    if isinstance(record.against_unguided, Absence) or not record.against_unguided:
        return None
    digits = 3 if several else 1
    rows: list[list[Child]] = []
    for test in record.against_unguided:
        means = f"{test.guided:,.{digits}f}", f"{test.unguided:,.{digits}f}"
        p = short(test.p), short(test.p_holm)
        rows.append([test.task, test.method, test.alone, f"{test.budget:,}", *means, *p])
    head = ["task", "method", "alone", ">trials", ">guided", ">alone", ">p", ">p (Holm)"]
    caption = (
        f"Mean {_what(several)} guided and alone, the worst task first; p of Wilcoxon's one-sided "
        "test that guidance makes it worse"
    )
    return Section("guidance", "With and without a guide", table(head, rows, caption=caption))


def _values(record: ComparisonRecord, *, several: bool) -> Section:
    """Mean and standard error of the best values after all trials."""
    rows: list[list[Child]] = []
    for task in dict.fromkeys(run.task for run in record.runs):
        for row in record.summary.methods:
            own = [r for r in record.different_runs if (r.task, r.method) == (task, row.method)]
            cells: list[Child] = [task, row.method]
            for column in ("values", "test"):
                found = [getattr(run, column)[-1] for run in own]
                cells.append(_spread([v for v in found if v is not None]))
            ranks = [shown_ranks(run)[-1] for run in own]
            cells.append(_spread([float(v) for v in ranks if v is not None]))
            failed = sum(v is None for v in ranks)
            rows.append([*cells, f"{len(own)}", f"{failed}" if failed else ""])
    head = ["task", "method", ">validation", ">test", f">{_what(several)}", ">runs"]
    head.append(">without a result")
    caption = "Mean ± standard error of the best architecture after all trials"
    return Section("values", "Values", table(head, rows, caption=caption))


def _spread(found: list[float]) -> str:
    if not found:
        return "–"
    mean, error = float(np.mean(found)), standard_error(found)
    if error is None:
        return number(mean, min(4, digits_of([mean])))
    decimals = digits_of_error(error) if error > 0 else min(4, digits_of([mean]))
    return f"{number(mean, decimals)} ± {number(error, decimals)}"


def _settings(subject: ComparisonSubject) -> Section:
    parts: list[Child] = []
    if subject.command is not None:
        parts += [
            paragraphs("This command repeats it:"),
            code(subject.command, label="Command that repeats the comparison"),
        ]
    parts.append(definitions(subject.settings.items()))
    if subject.versions:
        rows = list(subject.versions.items())
        parts.append(table(["library", "version"], rows, caption="Versions of the libraries"))
    return Section("settings", "Settings", join(parts))
