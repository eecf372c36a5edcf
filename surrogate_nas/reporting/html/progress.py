"""The section on the best value so far: over trials, cost and seconds."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.records.results import keeps
from surrogate_nas.reporting.digits import short, unit_of_costs
from surrogate_nas.reporting.html.chart import Chart, figure, legend
from surrogate_nas.reporting.html.markup import Html, join, tag
from surrogate_nas.reporting.html.page import Section
from surrogate_nas.reporting.html.scales import AxisScale, lie
from surrogate_nas.reporting.html.subject import SearchSubject

_CUT = 0.1  # of the trials, the worst ones, may lie outside


def progress(subject: SearchSubject) -> Section | None:
    """Draw the best so far over trials, over cost and over seconds; None without success."""
    if not subject.best_first:
        return None
    best = subject.goal.sign * subject.result.curve
    scale, outside = _scale(subject, best)
    spent = subject.result.costs
    numbers = np.arange(len(best), dtype=np.float64)
    first = _by_trials(subject, scale, numbers, best, outside)
    others = []
    equal = bool(np.allclose(spent, (numbers + 1) * (spent[0] if spent.size else 1)))
    if spent.size and spent[-1] > 0:
        caption = "Every trial costs the same, so this is the curve above in another unit."
        unit = unit_of_costs(spent)
        others.append(_over(subject, scale, spent, best, "cost", unit, caption * equal))
    seconds = np.asarray(subject.seconds, dtype=np.float64)
    if np.isfinite(seconds).any():
        caption = "Pauses of a search that was stopped and went on are included."
        others.append(_over(subject, scale, seconds, best, "time", "seconds", caption))
    return Section("progress", "Best so far", join(first, tag("div", others, class_="figures")))


def _scale(subject: SearchSubject, best: FloatArray) -> tuple[AxisScale, int]:
    """A scale of values without the worst trials, and how many lie outside it."""
    values = subject.whole[np.isfinite(subject.whole)]
    sign = subject.goal.sign
    worst = sign * float(np.quantile(sign * values, _CUT))
    shown = [*values[sign * values >= sign * worst], *best[np.isfinite(best)]]
    if subject.task is not None:
        shown.append(sign * subject.task.optimum)
    scale = AxisScale.of(shown, margin=0.08)
    return scale, int(((values < scale.low) | (values > scale.high)).sum())


def _by_trials(
    subject: SearchSubject, scale: AxisScale, numbers: FloatArray, best: FloatArray, outside: int
) -> Html:
    goal = subject.goal
    label = f"{goal.metric}{subject.unit}"
    chart = Chart(
        AxisScale(0, len(numbers), whole=True), scale, x_label="trial", y_label=label, height=340
    )
    tips = [subject.tip(i) for i in range(len(numbers))]
    inside = np.where((subject.whole >= scale.low) & (subject.whole <= scale.high), 1.0, np.nan)
    chart.dots(numbers, subject.whole * inside, tips, style="faint")
    chart.line(numbers, best, step=True)
    if subject.task is not None:
        chart.rule(y=goal.sign * subject.task.optimum, label="best of the table")
    reached = subject.best_first[0]
    summary = (
        f"Best {goal.metric} so far over {len(numbers)} trials: it reaches "
        f"{subject.text(float(subject.whole[reached]))} with trial {reached}."
    )
    cut = f" {lie(outside)} outside the picture, among the worse ones." if outside else ""
    evaluations = [trial.evaluation for trial in subject.trials]
    beyond = sum(e is not None and not keeps(subject.goals, e) for e in evaluations)
    lower = int((np.isnan(subject.whole) & np.isfinite(subject.values[:, 0])).sum()) - beyond
    partial = f" Trials not shown: {lower} of smaller budgets." if lower else ""
    partial += f" Trials not shown: {beyond} beyond a limit." if beyond else ""
    failed = sum(trial.error is not None for trial in subject.trials)
    broken = f" Failed trials: {failed}." if failed else ""
    return figure(
        f"Best {goal.metric} over trials",
        legend([(0, "best so far")]),
        chart.html(summary + " Arrow keys read the trials."),
        caption=f"Points are trials. {summary}{cut}{partial}{broken}",
    )


def _over(
    subject: SearchSubject,
    scale: AxisScale,
    spent: FloatArray,
    best: FloatArray,
    what: str,
    unit: str,
    caption: str,
) -> Html:
    goal = subject.goal
    chart = Chart(
        AxisScale(0.0, float(np.nanmax(spent)) or 1.0),
        scale,
        x_label=f"{what} ({unit})" if unit else what,
        y_label=f"{goal.metric}{subject.unit}",
        height=240,
    )
    chart.line(spent, best, step=True)
    if subject.task is not None:
        chart.rule(y=goal.sign * subject.task.optimum, label="best of the table")
    reached = float(spent[subject.best_first[0]])
    after = f"{short(reached)} {unit}" if unit else f"a {what} of {short(reached)}"
    summary = f"The best value was found after {after}."
    return figure(
        f"Best {goal.metric} over {what}",
        chart.html(f"Best {goal.metric} so far over {what}. {summary}"),
        caption=f"{summary} {caption}".strip(),
    )
