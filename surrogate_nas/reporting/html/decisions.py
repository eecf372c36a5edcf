"""The section on decisions: parallel coordinates, and how much each decides."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.reporting.digits import short
from surrogate_nas.reporting.html.chart import figure, plot
from surrogate_nas.reporting.html.markup import Html, join, tag
from surrogate_nas.reporting.html.page import Section, table
from surrogate_nas.reporting.html.subject import SearchSubject
from surrogate_nas.spaces.decisions import Decision

_MOST_AXES = 12
_MOST_LABELS = 12  # of an axis
_LEVELS = 5  # groups of values by colour
_BINS = 5  # of a decision with more options than that can be told apart
_FEW = 8  # trials, fewer say nothing about decisions
_CLEAR = 80  # lines that can be told apart; more are fainter
_SIZE = 1_000


def decisions(subject: SearchSubject) -> Section | None:
    """Show which options good architectures have; None with too few successful trials."""
    numbers = np.array(sorted(subject.best_first), dtype=np.int64)
    if len(numbers) < _FEW:
        return None
    choices = np.array([subject.trials[i].arch.choices for i in numbers])
    values = subject.whole[numbers]
    active = subject.space.active(choices)
    shares = importance(choices, values, active)
    order = np.argsort(-shares, kind="stable")
    shown = np.sort(order[:_MOST_AXES])
    picture = _parallel(subject, numbers, choices, values, active, shown)
    return Section(
        "decisions",
        "Decisions",
        join(picture, _importance(subject, choices, values, active, shares, order)),
    )


def importance(choices: IntArray, values: FloatArray, active: BoolArray) -> FloatArray:
    """Share of the values' variance that each decision explains alone.

    It is the adjusted η² (ε²) of a one-way analysis of variance, which is 0 on average where a
    decision does not matter (Kelley, "An unbiased correlation ratio measure", 1935).

    Args:
        choices: int (n, decisions).
        values: float (n,).
        active: Whether each decision is active, bool (n, decisions).

    Returns:
        float (decisions,), from 0 to 1.
    """
    found = np.zeros(choices.shape[1])
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0:
        return found
    for decision, column in enumerate(np.where(active, choices, -1).T):
        groups = _groups(column)
        kinds, members = np.unique(groups, return_inverse=True)
        left = len(values) - len(kinds)
        if len(kinds) < 2 or left < 1:
            continue
        means = np.bincount(members, values) / np.bincount(members)
        within = float(((values - means[members]) ** 2).sum())
        found[decision] = max(0.0, 1 - (within / left) / (total / (len(values) - 1)))
    return found


def _groups(column: IntArray) -> IntArray:
    """The options, or groups of neighbouring ones where there are many for the trials."""
    kinds = np.unique(column)
    if len(kinds) <= max(_BINS, len(column) // 4):
        return column
    edges = np.quantile(column, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, column, side="right"))


# Parallel coordinates ---------------------------------------------------------------------------


def _parallel(
    subject: SearchSubject,
    numbers: IntArray,
    choices: IntArray,
    values: FloatArray,
    active: BoolArray,
    shown: IntArray,
) -> Html:
    goal = subject.goal
    axes = [subject.space.decisions[i] for i in shown]
    order = np.argsort(goal.sign * values, kind="stable")  # the best are drawn last, on top
    level = np.empty(len(values), dtype=np.int64)
    level[order] = np.arange(len(values)) * _LEVELS // len(values)
    heights = np.stack(
        [
            _heights(decision, choices[:, i], active[:, i], order)
            for decision, i in zip(axes, shown, strict=True)
        ],
        axis=1,
    )
    places = np.empty(len(values))
    places[np.argsort(values, kind="stable")] = np.linspace(0, 1, len(values))
    heights = np.concatenate([heights, places[:, None]], axis=1)
    across = np.linspace(0, _SIZE, heights.shape[1]).round().astype(int)
    marks = []
    for row in order:
        points = zip(across, ((1 - heights[row]) * _SIZE).round().astype(int), strict=True)
        path = "M" + "L".join(f"{x} {y}" for x, y in points)
        winner = " winner" if row == order[-1] else ""
        tip = subject.tip(int(numbers[row]))
        marks.append(tag("path", d=path, class_=f"q{level[row]}{winner}", data_tip=tip))
    stems = tag("path", d="".join(f"M{x} 0V{_SIZE}" for x in across), class_="stem")
    svg = tag(
        "svg",
        stems,
        marks,
        viewBox=f"0 0 {_SIZE} {_SIZE}",
        preserveAspectRatio="none",
        style=f"--a:{min(1.0, (_CLEAR / len(values)) ** 0.5):.2f}",
    )
    texts = [
        *_axis_texts(axes, active[:, shown], across),
        *_value_texts(subject, values),
    ]
    names = [*(decision.name for decision in axes), goal.metric]
    heads = [
        tag("div", name, class_="axis", style=f"left:{x / 10:.2f}%;width:{90 / len(names):.1f}%")
        for name, x in zip(names, across, strict=True)
    ]
    left_out = len(subject.space.decisions) - len(shown)
    more = f" The {len(shown)} of {len(subject.space.decisions)} that explain most are shown."
    colours = (tag("i", style=f"background:var(--q{i})") for i in range(_LEVELS))
    label = (
        f"Parallel coordinates of {len(values)} architectures: a line joins the options of each, "
        f"and ends at its {goal.metric}. Arrow keys read them, the worst first."
    )
    width = 88 * len(names) - 60
    return figure(
        "Architectures by their decisions",
        plot(label, svg, tag("div", texts, class_="levels"), heads, kind="lines", least=width),
        caption=(
            "Each line is an architecture. From the worst fifth to the best: ",
            tag("span", colours, class_="key"),
            " The best of all is the thick line. The last axis is spaced by rank.",
            more if left_out else "",
        ),
    )


def _heights(
    decision: Decision, column: IntArray, active: BoolArray, order: IntArray
) -> FloatArray:
    """Position of each architecture on an axis; those of one option are spread by their values."""
    count = len(decision.options)
    middle = (column + 0.5) / count
    room = 0.62 / count if count <= _MOST_LABELS else 0.0
    spread = np.zeros(len(column))
    for option in np.unique(column):
        members = order[column[order] == option]
        spread[members] = (np.arange(len(members)) + 0.5) / len(members) - 0.5
    return np.where(active, middle + room * spread, 0.0)


def _axis_texts(axes: list[Decision], active: BoolArray, across: IntArray) -> list[Html]:
    texts = []
    for decision, here, x in zip(axes, active.T, across, strict=False):
        count = len(decision.options)
        for option in range(0, count, max(1, -(-count // _MOST_LABELS))):
            at = (option + 0.5) / count
            texts.append(_text(decision.options[option], int(x), at))
        if not here.all():
            texts.append(_text("not used", int(x), 0.0))
    return texts


def _value_texts(subject: SearchSubject, values: FloatArray) -> list[Html]:
    quartiles = np.linspace(0, 1, 5)
    found = np.quantile(values, quartiles).tolist()
    levels = zip(quartiles.tolist(), found, strict=True)
    return [_text(subject.text(value), _SIZE, at) for at, value in levels]


def _text(text: str, x: int, at: float) -> Html:
    return tag("span", text, class_="option", style=f"left:{x / 10:.2f}%;bottom:{100 * at:.2f}%")


# Importance -------------------------------------------------------------------------------------


def _importance(
    subject: SearchSubject,
    choices: IntArray,
    values: FloatArray,
    active: BoolArray,
    shares: FloatArray,
    order: IntArray,
) -> Html:
    rows = []
    for decision in order[:_MOST_AXES]:
        name = subject.space.decisions[decision].name
        share = float(shares[decision])
        bar = tag("i", style=f"width:{7 * share / (shares.max() or 1):.2f}rem", aria_hidden="true")
        text = tag("span", f"{100 * share:.0f} %")
        there = active[:, decision]
        best, worst = _extremes(subject, decision, choices[there, decision], values[there])
        rows.append((name, tag("span", bar, text, class_="share"), best, worst))
    head = ["decision", "explains", "best option on average", "worst option on average"]
    caption = (
        "Share of the variance of the values that the decision explains alone (adjusted η² of a "
        "one-way analysis of variance)"
    )
    return figure(
        "Importance of decisions",
        table(head, rows, caption=caption),
        caption="A search looks at good architectures more often, so shares are those of what it "
        "looked at, not of the whole space. What decisions do together is not in them.",
    )


def _extremes(
    subject: SearchSubject, decision: int, column: IntArray, values: FloatArray
) -> tuple[str, str]:
    """The options with the best and the worst mean, among those of at least two trials."""
    options, members, counts = np.unique(column, return_inverse=True, return_counts=True)
    means = np.bincount(members, values) / counts
    often = np.flatnonzero(counts >= 2)
    if often.size < 2:
        return "–", "–"
    names = subject.space.decisions[decision].options
    ranked = often[np.argsort(-subject.goal.sign * means[often], kind="stable")]
    texts = [
        f"{names[int(options[i])]}: {short(float(means[i]))} ({counts[i]} trials)"
        for i in (ranked[0], ranked[-1])
    ]
    return texts[0], texts[1]
