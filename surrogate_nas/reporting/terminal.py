"""Results as tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.listing import Listing
from surrogate_nas.number_text import exact
from surrogate_nas.records import (
    ABSENT,
    ComparisonRecord,
    Measurement,
    MeasurementRecord,
    MetaTrainingRecord,
    SearchResult,
    standing,
)
from surrogate_nas.records.base import Absence
from surrogate_nas.records.comparison import GuidanceTest
from surrogate_nas.records.front import LimitRecord
from surrogate_nas.records.search import SearchRecord, SearchSeconds
from surrogate_nas.records.verification import VerificationRecord
from surrogate_nas.reporting.columns import FittedTable
from surrogate_nas.reporting.digits import digits_of, number, percent, short
from surrogate_nas.reporting.statistics import equal
from surrogate_nas.reporting.worst import compared_worst, measured_worst

if TYPE_CHECKING:
    from rich.console import Console

_BEST = 5
_NAMES = ("task", "train_size", "seed", "predictor", "weights")  # no measured quality
_PLAIN_WIDTH = 160  # of a file or a pipe, which has no width of its own


def print_benchmarks(rows: Sequence[Listing]) -> None:
    """Print what can be searched."""
    table = FittedTable("benchmark", "?space", "?tasks", "?>architectures", "available")
    for row in rows:
        available = "yes" if row.available else f"no: {row.how_to_get}"
        table.add_row(
            row.name,
            row.space or "–",
            ", ".join(row.tasks),
            "–" if row.architectures is None else f"{row.architectures:,}",
            available,
        )
    _console().print(table)


def print_search(
    task: TabularTask,
    result: SearchResult,
    *,
    method: str,
    seed: int,
    seconds: SearchSeconds,
    guide: str | None = None,
) -> None:
    """Print the best architectures of a search, how good the best one is, and the weights used."""
    console = _console()
    console.print(f"{task.benchmark} / {task.name}: {method}, seed {seed}", style="bold")
    _print_best(console, task, result)
    goal, best = task.goal, result.incumbent
    if best is not None and best.value is not None:
        found = standing(task, best)
        both = [goal.sign * best.value, goal.sign * task.optimum]
        value, optimum = _alike(both, _shown(result))
        line = f"best {goal.metric} {value}"
        if found.rank is not None and found.percent is not None:
            line += (
                f", optimum {optimum}: "
                f"regret {short(found.regret)}, rank {found.rank:,} of {len(task):,} "
                f"({percent(found.percent)} % of the table)"
            )
        console.print(line)
    if guide is not None:
        console.print(f"weights: {guide}")
    failed = sum(trial.error is not None for trial in result.trials)
    console.print(
        f"{counted(len(result.trials), 'trial')}{f', {failed} failed' if failed else ''}; "
        f"seconds: {seconds.load:.1f} loading, {seconds.search:.1f} searching, "
        f"{seconds.total:.1f} in all"
    )


def print_front(record: SearchRecord, *, title: str, guide: str | None = None) -> None:
    """Print the front of a search of several goals, or the best that keeps its limits."""
    console = _console()
    console.print(f"{title}, seed {record.seed}", style="bold")
    goals = () if isinstance(record.goals, Absence) else record.goals
    limits = () if isinstance(record.limits, Absence) else record.limits
    front = () if isinstance(record.front, Absence) else record.front
    units = {goal.metric: f" ({goal.unit})" if goal.unit else "" for goal in goals}
    names = [*units, *(limit.metric for limit in limits)]
    tests = list(dict.fromkeys(name for point in front for name in point.test))
    heads = [f">{name}{units.get(name, '')}" for name in names]
    table = FittedTable(
        "", "architecture", *heads, *(f"?>test {name}" for name in tests), "?>trial"
    )
    columns = [_alike([point.values[name] for point in front]) for name in names]
    columns += [_alike([point.test.get(name) for point in front]) for name in tests]
    for position, point in enumerate(front, start=1):
        cells = [column[position - 1] for column in columns]
        knee = " knee" if point.knee and len(front) > 2 else ""
        table.add_row(str(position), point.arch, *cells, f"{point.number}{knee}")
    if front:
        console.print(table)
    if isinstance(record.hypervolume, float):
        console.print(
            f"the front dominates {100 * record.hypervolume:.4g} % of the "
            + ("table's true front" if record.benchmark is not None else "box of all trials")
        )
    for limit in limits:
        console.print(_kept(limit))
    known = [goal.metric for goal in goals if goal.known]
    known += [limit.metric for limit in limits if limit.known]
    if known:
        console.print(f"known without a trial: {', '.join(known)}")
    failed = sum(trial.error is not None for trial in record.trials)
    console.print(
        f"{counted(len(record.trials), 'trial')}{f', {failed} failed' if failed else ''}; "
        f"seconds: {record.seconds.load:.1f} loading, {record.seconds.search:.1f} searching, "
        f"{record.seconds.total:.1f} in all"
    )
    if guide is not None:
        console.print(f"weights: {guide}")


def _kept(limit: LimitRecord) -> str:
    return f"{counted(limit.violations, 'trial')} beyond the limit {_bound(limit)}"


def unmet(limit: LimitRecord) -> str:
    """Tell that no trial keeps all limits, and how near one came to this one."""
    extreme = "largest" if limit.at_least is not None else "smallest"
    return (
        f"no trial keeps all limits; the {extreme} {limit.metric} seen is "
        f"{short(limit.nearest)}, and the limit is {_bound(limit)}"
    )


def _bound(limit: LimitRecord) -> str:
    least, most = limit.at_least, limit.at_most
    bound = "" if most is None else f"<={exact(most)}"
    return f"{limit.metric}{bound if least is None else f'>={exact(least)}'}"


def print_training_search(record: SearchRecord, *, title: str, guide: str | None = None) -> None:
    """Print the best architectures of a search by training."""
    console, trials, best = _console(), record.trials, record.best
    console.print(f"{title}, seed {record.seed}", style="bold")
    done = [trial for trial in trials if trial.value is not None]
    done.sort(key=lambda trial: -(trial.value or 0.0))
    table = FittedTable("", "architecture", ">validation (%)", "?>epochs", "?>trial")
    shown = [trial.value for trial in done[:_BEST]]
    values = _alike(shown)
    for position, (trial, value) in enumerate(zip(done[:_BEST], values, strict=True), start=1):
        table.add_row(str(position), trial.arch, value, short(trial.cost), str(trial.number))
    if best is not None:
        console.print(table)
        console.print(
            f"best validation accuracy {values[0]} %, test {_alike([best.test], shown)[0]} %"
        )
    if guide is not None:
        console.print(f"weights: {guide}")
    failed, seconds = len(trials) - len(done), record.seconds
    console.print(
        f"{counted(len(trials), 'trial')}{f', {failed} failed' if failed else ''}; seconds: "
        f"{seconds.load:.1f} loading, {seconds.search:.1f} searching"
    )


def _print_best(console: Console, task: TabularTask, result: SearchResult) -> None:
    done = [(i, t) for i, t in enumerate(result.trials) if t.value is not None]
    done.sort(key=lambda pair: -(pair[1].value or 0.0))
    if not done:
        return
    goal = task.goal
    unit = f" ({goal.unit})" if goal.unit else ""
    heads = f">validation{unit}", f"?>test{unit}", ">rank", "?>trial"
    table = FittedTable("", "architecture", *heads)
    best = done[:_BEST]
    standings = [standing(task, trial) for _, trial in best]
    values = _alike([goal.sign * (trial.value or 0.0) for _, trial in best], _shown(result))
    tests = _alike([found.test for found in standings])
    for position, (trial_number, trial) in enumerate(best):
        rank = standings[position].rank
        table.add_row(
            str(position + 1),
            task.space.format(trial.arch),
            values[position],
            tests[position],
            "–" if rank is None else f"{rank:,}",
            str(trial_number),
        )
    console.print(table)


def _shown(result: SearchResult) -> list[float]:
    """The values of the best trials, which decide how many digits are shown."""
    values = sorted((t.value for t in result.trials if t.value is not None), reverse=True)
    return values[:_BEST]


def print_comparison(result: ComparisonRecord) -> None:
    """Print the summary of a comparison."""
    console, summary = _console(), result.summary
    at = summary.at
    tasks = len({row.task for row in summary.tasks})
    runs = len({(run.task, run.seed) for run in result.runs})
    several = any(isinstance(run.hypervolumes, tuple) for run in result.runs)
    what = "rank in the table of the best so far"
    if several:
        what = "what is missing to the true front's hypervolume, in %"
    console.print(
        f"{result.benchmark}: {what}, {counted(runs, 'run')} of "
        f"each method on {counted(tasks, 'task')}",
        style="bold",
    )
    heads = [f"{'?' * (what == 'median')}>{what} @{n}" for what in ("mean", "median") for n in at]
    table = FittedTable("method", *heads, f">average rank @{at[-1]}")
    for row in summary.methods:
        digits = 3 if several else 1
        cells = [f"{v:,.{digits}f}" for v in (*row.mean_rank, *row.median_rank)]
        table.add_row(row.method, *cells, f"{row.average_rank[-1]:.2f}")
    console.print(table)
    for sentence in equal(result):
        console.print(sentence)
    if isinstance(result.failed, tuple):
        for run in result.failed:
            console.print(f"failed, and counted as if it found nothing: {run}")
    for line in compared_worst(result):
        console.print(line)
    _print_weights(console, [(r.task, r.method, r.weights) for r in result.different_runs])
    tests = [test for test in summary.tests if test.at == at[-1]]
    if tests:
        console.print(
            f"Wilcoxon's signed-rank test after {counted(at[-1], 'trial')}, p corrected by Holm"
        )
        table = FittedTable("better", "worse", ">p", "?>p one-sided, uncorrected")
        for test in tests:
            table.add_row(test.better, test.worse, f"{test.p_holm:.2g}", f"{test.p_one_sided:.2g}")
        console.print(table)
    if result.against_unguided is not ABSENT:
        _print_guidance(console, result.against_unguided, several=several)


def _print_guidance(console: Console, tests: Sequence[GuidanceTest], *, several: bool) -> None:
    """Print guided methods against their searchers alone, the worst task first."""
    what, digits = ("missing hypervolume (%)", 3) if several else ("rank", 1)
    console.print(
        f"Mean {what} guided and alone, the worst task first; p of Wilcoxon's one-sided test that "
        "guidance makes it worse"
    )
    table = FittedTable(
        "task", "method", "?alone", ">trials", ">guided", ">alone", "?>p", ">p (Holm)"
    )
    for test in tests:
        ranks = f"{test.guided:,.{digits}f}", f"{test.unguided:,.{digits}f}"
        p = f"{test.p:.2g}", f"{test.p_holm:.2g}"
        table.add_row(test.task, test.method, test.alone, f"{test.budget:,}", *ranks, *p)
    console.print(table)


def print_evaluation(predictor: str, record: MeasurementRecord) -> None:
    """Print a predictor's quality, as means over the seeds, and the weights on each task."""
    console, results = _console(), record.results
    seeds = len({row.seed for row in results})
    console.print(f"{predictor}, mean of {counted(seeds, 'seed')}", style="bold")
    names = [field.name for field in fields(Measurement)]
    metrics = [name for name in names if name not in _NAMES]
    heads = [f"{'?' * (i > 2)}>{name.replace('_', ' ')}" for i, name in enumerate(metrics)]
    table = FittedTable("task", ">labels", *heads)
    for task, size in dict.fromkeys((row.task, row.train_size) for row in results):
        rows = [row for row in results if (row.task, row.train_size) == (task, size)]
        table.add_row(task, str(size), *_means(rows, metrics))
    if len({row.task for row in results}) > 1:
        table.add_section()
        for size in dict.fromkeys(row.train_size for row in results):
            rows = [row for row in results if row.train_size == size]
            table.add_row("all", str(size), *_means(rows, metrics))
    console.print(table)
    if isinstance(record.summary, tuple):
        for line in measured_worst(record.summary, tasks=len({row.task for row in results})):
            console.print(line)
    _print_weights(console, [(r.task, r.predictor, r.weights) for r in results])


def _print_weights(console: Console, used: Sequence[tuple[str, str, object]]) -> None:
    """Print the weights of each task, where a predictor came with some."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for task, predictor, weights in dict.fromkeys(used):
        if isinstance(weights, str):
            tasks.setdefault((predictor, weights), []).append(task)
    for (predictor, weights), named in tasks.items():
        console.print(f"{', '.join(named)}: {predictor} with {Path(weights).name}")


def _means(rows: Sequence[Measurement], names: Sequence[str]) -> list[str]:
    columns = ([getattr(row, name) for row in rows] for name in names)
    known = ([value for value in column if value is not None] for column in columns)
    return [f"{float(np.mean(values)):.3g}" if values else "–" for values in known]


def print_meta_training(result: MetaTrainingRecord, path: str) -> None:
    """Print what a predictor was meta-trained on, and how well it does on held-out tasks."""
    console = _console()
    console.print(
        f"learnt from {counted(result.labels, 'value')} of "
        f"{counted(len(result.tasks), 'task')} in "
        f"{result.seconds:.0f} s: {', '.join(result.tasks)}\n{path}"
    )
    held_out = result.held_out
    if held_out:
        sizes = list(dict.fromkeys(size for taus in held_out.values() for size in taus))
        table = FittedTable(
            "held-out task, Kendall tau", *(f">{counted(int(size), 'label')}" for size in sizes)
        )
        for task, taus in held_out.items():
            table.add_row(task, *(short(taus.get(size)) for size in sizes))
        console.print(table)


def print_verification(record: VerificationRecord, *, title: str, tabulated: bool) -> None:
    """Print predicted values of architectures, those that the search saw, and trained ones.

    Args:
        record: The trainings.
        title: Title of the table.
        tabulated: Whether the search was of a benchmark's table, not by training.
    """
    console, rows = _console(), record.architectures
    console.print(title, style="bold")
    seeds = max(len(row.trained) for row in rows)
    source = "table" if tabulated else "search"
    numbers = ("predicted", source, "trained (%)", f"its {counted(seeds, 'seed')}")
    heads = [f"{'?' * (name == numbers[-1])}>{name}" for name in numbers]
    table = FittedTable("", "architecture", *heads)
    of_search = [value for row in rows for value in (row.predicted, row.table)]
    told = _alike([row.predicted for row in rows], of_search)
    measured = _alike([row.table for row in rows], of_search)
    for position, row in enumerate(rows, start=1):
        done = [value for value in row.trained if value is not None]
        table.add_row(
            str(position),
            row.arch,
            told[position - 1],
            measured[position - 1],
            f"{np.mean(done):.2f}" if done else "–",
            "  ".join("–" if value is None else f"{value:.2f}" for value in row.trained),
        )
    console.print(table)
    if record.best is not None and len(rows) > 1:
        console.print(f"best by its trainings: {record.best}")
    console.print(
        f"Kendall tau of {source} and trained: {short(record.kendall_tau)}; "
        f"{record.seconds:.1f} seconds"
    )


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it needs one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _alike(values: Sequence[float | None], others: Sequence[float | None] = ()) -> list[str]:
    """Numbers with as many decimals as distinguish them, and others beside them."""
    known = [value for value in (*values, *others) if value is not None]
    decimals = digits_of(known)
    return [number(value, decimals) for value in values]


def _console() -> Console:
    from rich.console import Console

    class Plain(Console):
        def print(self, *objects: Any, **settings: Any) -> None:
            super().print(*objects, **{"crop": False, **settings})

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # the library would exit with 1

    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Plain(width=width, highlight=False, markup=False)
