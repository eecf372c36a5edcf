"""The report of a search."""

from __future__ import annotations

from surrogate_nas.records import standing
from surrogate_nas.reporting.digits import percent, short, unit_of_costs
from surrogate_nas.reporting.html.belief import belief
from surrogate_nas.reporting.html.decisions import decisions
from surrogate_nas.reporting.html.front import front, limits
from surrogate_nas.reporting.html.markup import join, tag
from surrogate_nas.reporting.html.page import (
    Section,
    Tile,
    code,
    definitions,
    page,
    paragraphs,
    table,
)
from surrogate_nas.reporting.html.progress import progress
from surrogate_nas.reporting.html.subject import SearchSubject
from surrogate_nas.reporting.html.winners import all_trials, failures, verification, winners


def search_report(subject: SearchSubject) -> tuple[str, list[str]]:
    """The page about a search, and the titles of its sections."""
    sections = [
        front(subject),
        limits(subject),
        progress(subject),
        winners(subject),
        decisions(subject),
        belief(subject),
        verification(subject),
        failures(subject),
        settings(subject),
        all_trials(subject),
    ]
    text = page(subject.title, subject.method, _tiles(subject), sections)
    return text, [section.title for section in sections if section is not None]


def _tiles(subject: SearchSubject) -> list[Tile]:
    trials = subject.trials
    failed = sum(trial.error is not None for trial in trials)
    tiles = []
    best = subject.best_first[0] if subject.best_first else None
    if best is not None:
        value = float(subject.whole[best])
        name = f"best {subject.goal.metric}{subject.unit}"
        tiles.append(Tile(name, subject.text(value), f"trial {best}"))
        evaluation = trials[best].evaluation
        test = None if evaluation is None else evaluation.hidden.get(subject.goal.metric)
        if test is not None:
            tiles.append(Tile("its test value", subject.text(test), "not seen by the search"))
    if best is not None and subject.task is not None:
        found = standing(subject.task, trials[best])
        if found.rank is not None and found.percent is not None:
            size = len(subject.task)
            note = f"of {size:,}, {percent(found.percent)} % of the table"
            tiles.append(Tile("rank", f"{found.rank:,}", note))
            tiles.append(Tile("regret", short(found.regret), "distance to the table's best"))
    tiles.append(Tile("trials", f"{len(trials):,}", f"{failed:,} failed" if failed else ""))
    costs = subject.result.costs
    if costs.size and costs[-1] > len(trials):
        tiles.append(Tile("cost", f"{costs[-1]:,.0f}", unit_of_costs(costs)))
    return tiles


def settings(subject: SearchSubject) -> Section:
    """What was searched, with what, and how it is repeated."""
    parts = []
    if subject.command is not None:
        parts += [
            paragraphs("This command repeats it:"),
            code(subject.command, label="Command that repeats the search"),
        ]
    parts += [tag("p", remark) for remark in subject.remarks]
    parts.append(definitions(subject.settings.items()))
    if subject.versions:
        caption = "Versions of the libraries"
        parts.append(table(["library", "version"], subject.versions.items(), caption=caption))
    return Section("settings", "Settings", join(parts))
