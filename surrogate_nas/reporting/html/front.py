"""The sections on several goals: the front, its hypervolume, and limits."""

from __future__ import annotations

import itertools

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.evaluation import Goal
from surrogate_nas.records.front import Box, knee, limit_records
from surrogate_nas.records.results import keeps
from surrogate_nas.reporting.digits import digits_of, number, short
from surrogate_nas.reporting.html.chart import Chart, figure, legend
from surrogate_nas.reporting.html.markup import Child, Html, join, tag
from surrogate_nas.reporting.html.page import Section, multiples, table
from surrogate_nas.reporting.html.scales import AxisScale, lie
from surrogate_nas.reporting.html.subject import SearchSubject

_MOST_PAIRS = 6
_WORST = 0.1  # of the trials may lie outside, in each goal


def front(subject: SearchSubject) -> Section | None:
    """Draw the front of each pair of goals; None for one goal, or without a trial that counts."""
    free = [i for i, goal in enumerate(subject.goals) if goal.limit is None]
    numbers = np.array(subject.result.front_numbers, dtype=np.int64)
    if len(free) < 2 or not numbers.size:
        return None
    signs = np.array([subject.goals[i].sign for i in free])
    at = int(numbers[knee(subject.values[numbers][:, free] * signs)])
    pairs = list(itertools.combinations(free, 2))[:_MOST_PAIRS]
    charts = [_pair(subject, x, y, numbers, at) for y, x in pairs]
    body = join(
        multiples(charts) if len(charts) > 1 else charts,
        _points(subject, numbers, at),
        _hypervolume(subject),
    )
    return Section("front", "Front", body)


def _label(goal: Goal) -> str:
    return f"{goal.metric} ({goal.unit})" if goal.unit else goal.metric


def _pair(subject: SearchSubject, x: int, y: int, front: IntArray, at: int) -> Html:
    """Trials, the front, and the true front of the table in two of the goals."""
    values = subject.values[:, [x, y]]
    goals = [subject.goals[x], subject.goals[y]]
    feasible = np.array(
        [t.evaluation is not None and keeps(subject.goals, t.evaluation) for t in subject.trials]
    )
    true = _true_front(subject, x, y)
    scales = [_scale(goal, values[:, i], values[front, i]) for i, goal in enumerate(goals)]
    chart = Chart(
        scales[0], scales[1], x_label=_label(goals[0]), y_label=_label(goals[1]), height=360
    )
    tips = [subject.tip(i) for i in range(len(values))]
    inside = _inside(values, scales)
    for kept, style in ((feasible, "faint"), (~feasible, "out")):
        rows = np.flatnonzero(kept & inside)
        chart.dots(values[rows, 0], values[rows, 1], [tips[i] for i in rows], style=style)
    if true is not None:
        shown = true[_inside(true, scales)]
        told = [f"on the table's true front\n{short(a)}, {short(b)}" for a, b in shown]
        chart.dots(shown[:, 0], shown[:, 1], told, of=1)
    if len([g for g in subject.goals if g.limit is None]) == 2:
        chart.line(*_stairs(values[front], goals))
    chart.dots(values[front, 0], values[front, 1], [tips[i] for i in front])
    chart.dots(values[[at], 0], values[[at], 1], [f"knee\n{tips[at]}"], style="star")
    names = [(0, "front, its knee larger")] + [(1, "true front of the table")] * (true is not None)
    cut = int((np.isfinite(values).all(axis=1) & ~inside).sum())
    beyond = int((~feasible & np.isfinite(values).all(axis=1)).sum())
    notes = [f"{lie(cut)} outside the picture."] * (cut > 0)
    notes += [f"{beyond:,} trials that break a limit are faint squares."] * (beyond > 0)
    label = (
        f"Front of {len(front)} trials in {goals[0].metric} and {goals[1].metric}, of "
        f"{len(values)} trials. Arrow keys read them."
    )
    return figure(
        f"{goals[1].metric} and {goals[0].metric}",
        legend(names, style="dot"),
        chart.html(label),
        caption=" ".join(["Small points are trials.", *notes]),
    )


def _true_front(subject: SearchSubject, x: int, y: int) -> FloatArray | None:
    """The table's true front in two goals, in their own signs."""
    if subject.task is None or subject.task.goals != subject.goals:
        return None
    free = [i for i, goal in enumerate(subject.goals) if goal.limit is None]
    columns = [free.index(x), free.index(y)]
    signs = np.array([subject.goals[x].sign, subject.goals[y].sign])
    return np.asarray(subject.task.front[:, columns] * signs)


def _scale(goal: Goal, values: FloatArray, front: FloatArray) -> AxisScale:
    """All but the worst trials, and the whole front."""
    good = values[np.isfinite(values)] * goal.sign
    kept = good[good >= np.quantile(good, _WORST)] * goal.sign
    return AxisScale.of([*kept, *front], margin=0.07)


def _inside(points: FloatArray, scales: list[AxisScale]) -> BoolArray:
    low = np.array([scale.low for scale in scales])
    high = np.array([scale.high for scale in scales])
    return np.asarray(((points >= low) & (points <= high)).all(axis=1))


def _stairs(points: FloatArray, goals: list[Goal]) -> tuple[FloatArray, FloatArray]:
    """Corners of the region that a front of two goals dominates: x and y."""
    x, y = points[np.argsort(points[:, 0], kind="stable")].T
    x, y = np.repeat(x, 2), np.repeat(y, 2)
    # Between two points the second goal has the value of the one that the first goal allows.
    return (x[1:], y[:-1]) if not goals[0].maximise else (x[:-1], y[1:])


def _points(subject: SearchSubject, numbers: IntArray, at: int) -> Html:
    decimals = [digits_of(column) for column in subject.values[numbers].T]
    hidden = list(
        dict.fromkeys(
            name
            for i in numbers
            if (found := subject.trials[i].evaluation) is not None
            for name in found.hidden
        )
    )
    rows: list[list[Child]] = []
    for i in numbers.tolist():
        values = zip(subject.values[i].tolist(), decimals, strict=True)
        evaluation = subject.trials[i].evaluation
        tests = {} if evaluation is None else evaluation.hidden
        name = tag("span", subject.names[i], class_="arch")
        cells = [number(v, d) for v, d in values]
        cells += [short(tests.get(metric)) for metric in hidden]
        rows.append([name, *cells, f"{i}", "knee" if i == at else ""])
    head = ["architecture", *(f">{_label(goal)}" for goal in subject.goals)]
    head += [*(f">test {name}" for name in hidden), ">trial", "note"]
    caption = "The front: no trial is better in one goal without being worse in another"
    return table(head, rows, caption=caption)


def _hypervolume(subject: SearchSubject) -> Html | None:
    """The dominated share of the box over trials."""
    of_table = subject.task is not None and subject.task.goals == subject.goals
    box = (
        Box.of_task(subject.task)
        if of_table and subject.task is not None
        else Box.of_result(subject.result)
    )
    if box is None:
        return None
    curve = box.curve(subject.result)
    chart = Chart(
        AxisScale(0, len(curve), whole=True),
        AxisScale(0.0, max(1.0, float(curve.max())) * 1.03),
        x_label="trial",
        y_label="hypervolume",
        height=220,
    )
    chart.line(np.arange(len(curve), dtype=np.float64), curve, step=True)
    whole = "that of the table's true front" if of_table else "the box of all trials"
    point = ", ".join(f"{metric} {short(value)}" for metric, value in box.reference.items())
    summary = f"It ends at {float(curve[-1]):.3f}, as a part of {whole}; the reference is {point}."
    return figure("Hypervolume over trials", chart.html(summary), caption=summary)


def limits(subject: SearchSubject) -> Section | None:
    """How trials kept the limits; None without limits."""
    limited = [i for i, goal in enumerate(subject.goals) if goal.limit is not None]
    if not limited:
        return None
    records = limit_records(subject.result, ())
    rows = [
        [
            subject.goals[i].text,
            f"{record.violations:,} of {len(subject.trials):,}",
            short(record.nearest),
        ]
        for i, record in zip(limited, records, strict=True)
    ]
    head = ["limit", ">trials beyond", ">farthest on the allowed side"]
    charts = [_limit(subject, i) for i in limited]
    body = join(
        table(head, rows, caption="How far the trials are from each limit"), multiples(charts)
    )
    return Section("limits", "Limits", body)


def _limit(subject: SearchSubject, i: int) -> Html:
    goal, values = subject.goals[i], subject.values[:, i]
    bound = float(goal.limit or 0.0)
    good = values[np.isfinite(values)]
    ends = np.quantile(good, [0.02, 0.98]) if good.size else np.array([bound])
    scale = AxisScale.of([*ends, bound], margin=0.08)
    chart = Chart(
        AxisScale(0, len(values), whole=True),
        scale,
        x_label="trial",
        y_label=_label(goal),
        height=200,
    )
    chart.rule(y=bound, label=goal.text)
    shown = np.where((values >= scale.low) & (values <= scale.high), values, np.nan)
    tips = [subject.tip(k) for k in range(len(values))]
    chart.dots(np.arange(len(values), dtype=np.float64), shown, tips, style="faint")
    cut = int((np.isfinite(values) & np.isnan(shown)).sum())
    caption = f"{lie(cut)} outside the picture." if cut else None
    return figure(
        goal.text, chart.html(f"{goal.metric} of each trial, limit {goal.text}."), caption=caption
    )
