"""The sections on the best architectures, on real trainings of them, and on failures."""

from __future__ import annotations

import shlex
from collections import Counter

import numpy as np

from surrogate_nas import registry
from surrogate_nas.records import standing
from surrogate_nas.records.verification import VerifiedArchitecture
from surrogate_nas.reporting.digits import digits_of, number, short, unit_of_costs
from surrogate_nas.reporting.html.chart import Chart, figure, legend
from surrogate_nas.reporting.html.markup import Child, Html, join, tag
from surrogate_nas.reporting.html.network import network, operations
from surrogate_nas.reporting.html.page import Section, code, paragraphs, table
from surrogate_nas.reporting.html.scales import AxisScale
from surrogate_nas.reporting.html.subject import SearchSubject

_BEST = 10
_DRAWN = 3
_LARGE = 40  # nodes of a graph that takes long to lay out; one is drawn
_OF_NODES = ("nas-bench-graph", "gnn-design", "graphgym")


def winners(subject: SearchSubject) -> Section | None:
    """List the best architectures, draw some, and say how they are built; None without any."""
    best = _different(subject)
    if not best:
        return None
    nodes = operations(subject.space, subject.trials[best[0]].arch)
    drawn = best[: _DRAWN if nodes <= _LARGE else 1]
    figures = [
        figure(
            f"Number {place}: {subject.names[i]}",
            network(subject.space, subject.trials[i].arch),
            caption=f"{subject.goal.metric} {subject.text(float(subject.whole[i]))}, trial {i}",
        )
        for place, i in enumerate(drawn, start=1)
    ]
    body = join(
        _list(subject, best),
        tag("div", figures, class_="figures small") if nodes else None,
        _build(subject, best[0]),
    )
    return Section("best", "Best architectures", body)


def _different(subject: SearchSubject) -> list[int]:
    """Numbers of the best trials, each network once."""
    found: dict[object, int] = {}
    for i in subject.best_first:
        found.setdefault(subject.space.canonical(subject.trials[i].arch), i)
        if len(found) == _BEST:
            break
    return list(found.values())


def _list(subject: SearchSubject, best: list[int]) -> Html:
    """The best trials with what else is known about them."""
    evaluations = [subject.trials[i].evaluation for i in best]
    hidden = any(e is not None and subject.goal.metric in e.hidden for e in evaluations)
    metrics = list(dict.fromkeys(name for e in evaluations if e for name in e.metrics))
    head = ["architecture", f">{subject.goal.metric}{subject.unit}"]
    task = subject.task
    ranks = [None if task is None else standing(task, subject.trials[i]).rank for i in best]
    ranked = any(rank is not None for rank in ranks)  # not where there are several goals
    head += [">test"] * hidden + [">rank"] * ranked
    head += [*(f">{name}" for name in metrics), ">trial"]
    rows: list[list[Child]] = []
    for i, evaluation, rank in zip(best, evaluations, ranks, strict=True):
        cells: list[Child] = [tag("span", subject.names[i], class_="arch")]
        cells.append(subject.text(float(subject.whole[i])))
        if hidden:
            test = None if evaluation is None else evaluation.hidden.get(subject.goal.metric)
            cells.append(subject.text(test))
        if ranked:
            cells.append("–" if rank is None else f"{rank:,}")
        found = {} if evaluation is None else evaluation.metrics
        cells += [short(found.get(name)) for name in metrics]
        rows.append([*cells, f"{i}"])
    caption = "The best trials by validation" + (
        "; test values are for the report only, the search did not see them." if hidden else "."
    )
    return table(head, rows, caption=caption)


def _build(subject: SearchSubject, best: int) -> Html:
    """How the best architecture is built and trained."""
    name, text = subject.space.name, subject.names[best]
    opened = repr(name) if subject.space.definition is None else f"{name + '.toml'!r}"
    lines = ["from surrogate_nas.spaces import open_space"]
    buildable = name in registry.names("network")
    if buildable:
        lines.append("from surrogate_nas.training.networks.base import NetworkTask, build_network")
    lines += ["", f"arch = open_space({opened}).parse({text!r})"]
    if buildable:
        shape = "(128,), classes=40" if name in _OF_NODES else "(3, 32, 32), classes=10"
        lines.append(f"network = build_network(arch, NetworkTask(shape={shape}))  # your data")
    blocks = [
        paragraphs("The best architecture in Python:"),
        code("\n".join(lines), label="Code that builds the best architecture"),
    ]
    if subject.training is not None and buildable:
        data, epochs = subject.training["dataset"], subject.training["epochs"]
        command = (
            f"surrogate-nas train {quoted(text)} --space {quoted(name)} "
            f"--dataset {quoted(str(data))} --epochs {epochs}"
        )
        blocks += [
            paragraphs("The same, trained:"),
            code(command, label="Command that trains the best architecture"),
        ]
    definition = subject.space.definition
    if definition is not None:
        summary = tag("summary", f"Definition of the space: {name}.toml")
        blocks.append(tag("details", summary, code(definition, label="Definition of the space")))
    return join(blocks)


def quoted(text: str) -> str:
    """A word of a command line."""
    return shlex.quote(text)


# Real trainings ---------------------------------------------------------------------------------


def verification(subject: SearchSubject) -> Section | None:
    """Predicted, tabulated and trained values side by side; None where nothing was trained."""
    record = subject.verification
    if record is None or not record.architectures:
        return None
    source = "table" if subject.task is not None else "search"
    rows = []
    for row in record.architectures:
        done = [value for value in row.trained if value is not None]
        seeds = "  ".join("failed" if v is None else f"{v:.2f}" for v in row.trained)
        mean = f"{np.mean(done):.2f}" if done else "–"
        cells = [tag("span", row.arch, class_="arch"), subject.text(row.predicted)]
        rows.append([*cells, subject.text(row.table), mean, seeds])
    head = ["architecture", ">predicted", f">{source}", ">trained (%)", ">its seeds"]
    tau = record.kendall_tau
    agreement = "" if tau is None else f" Kendall's τ of {source} and trained values is {tau:.2f}."
    note = (
        "The winners were really trained with seeds that the search never saw. The best of many "
        f"noisy values is biased upwards, so trained values are usually lower.{agreement}"
    )
    parts: list[Html | None] = [paragraphs(note)]
    parts.append(table(head, rows, caption="Predicted, measured and trained values"))
    parts += [_parity(subject, record.architectures, source)]
    parts += [tag("p", error, class_="bad") for error in record.errors]
    return Section("trained", "Winners, really trained", join(parts))


def _parity(
    subject: SearchSubject, rows: tuple[VerifiedArchitecture, ...], source: str
) -> Html | None:
    """Draw the search's values against trained ones."""
    pairs = [(row, [v for v in row.trained if v is not None]) for row in rows]
    pairs = [(row, done) for row, done in pairs if done]
    if len(pairs) < 2:
        return None
    measured = np.array([row.table for row, _ in pairs])
    means = np.array([float(np.mean(done)) for _, done in pairs])
    told = np.array([np.nan if r.predicted is None else r.predicted for r, _ in pairs])
    x = AxisScale.of([*measured, *told], margin=0.08)
    y = AxisScale.of([v for _, done in pairs for v in done], margin=0.1)
    chart = Chart(x, y, x_label=f"{subject.goal.metric}{subject.unit}", y_label="trained (%)")
    single = [(row.table, v, row.arch) for row, done in pairs for v in done]
    chart.dots(
        np.array([a for a, _, _ in single]),
        np.array([b for _, b, _ in single]),
        [f"{name}\none training: {v:.2f} %" for _, v, name in single],
        style="faint",
    )
    tips = [f"{row.arch}\nmean {m:.2f} %" for (row, _), m in zip(pairs, means, strict=True)]
    chart.dots(measured, means, tips, of=0)
    if np.isfinite(told).any():
        chart.dots(told, means, tips, of=1)
    names = [(0, f"mean, by the value of the {source}"), (1, "mean, by what was predicted")]
    label = f"Trained accuracy of {len(pairs)} winners against the values of the {source}."
    return figure(
        "Parity",
        legend(names[: 1 + bool(np.isfinite(told).any())], style="dot"),
        chart.html(label),
        caption="Small points are single trainings.",
    )


# Failures ---------------------------------------------------------------------------------------


def failures(subject: SearchSubject) -> Section | None:
    """Failed trials by reason; None if there is none."""
    failed = [(i, t) for i, t in enumerate(subject.trials) if t.error is not None]
    if not failed:
        return None
    counts = Counter(str(trial.error) for _, trial in failed)
    rows = []
    for reason, count in counts.most_common():
        first = [i for i, trial in failed if trial.error == reason][:3]
        examples = [tag("div", subject.names[i], class_="arch") for i in first]
        rows.append([tag("span", reason, class_="bad"), f"{count:,}", examples])
    text = f"{len(failed):,} of {len(subject.trials):,} trials failed."
    body = join(
        paragraphs(text),
        table(["reason", ">trials", "first architectures"], rows, caption="Failures by reason"),
    )
    return Section("failures", "Failures", body)


def all_trials(subject: SearchSubject) -> Section:
    """Every trial as a row, on demand."""
    decimals = [digits_of(column) for column in subject.values.T]
    head = [">trial", "architecture", *(f">{goal.metric}" for goal in subject.goals)]
    unit = unit_of_costs(subject.result.costs)
    head += [f">cost ({unit})" if unit else ">cost", "failed because"]
    rows = []
    for i, trial in enumerate(subject.trials):
        values = zip(subject.values[i].tolist(), decimals, strict=True)
        cost = None if trial.evaluation is None else trial.evaluation.cost
        name = tag("span", subject.names[i], class_="arch")
        numbers = [number(v, d) for v, d in values]
        rows.append([f"{i}", name, *numbers, short(cost), trial.error or ""])
    caption = f"All {len(rows):,} trials"
    return Section("trials", "All trials", table(head, rows, caption=caption, folded=True))
