"""Pages to look at, and a reader that checks their form."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.records import SearchResult
from surrogate_nas.reporting.html.search import search_report
from surrogate_nas.reporting.html.subject import SearchSubject
from surrogate_nas.spaces.base import Architecture, Decision
from surrogate_nas.spaces.custom import define_space

HOSTILE = """<script>alert("1")</script><img src=x onerror=alert(2)>'"&"""
_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}


class Page(HTMLParser):
    """The elements, texts and attributes of a page, whose tags must be balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def made_search(count: int, *, name: str = "accuracy", failures: int = 0) -> SearchSubject:
    """A search with predictions in a space of numbers and conditions."""
    space = define_space(
        "small",
        [
            Decision.integer("depth", 1, 6),
            Decision.ordinal("width", [16, 32, 64, 128]),
            Decision.categorical("norm", ["<b>batch", "layer"], when={"depth": [2, 3, 4]}),
        ],
    )
    rng = np.random.default_rng(0)
    trials = []
    for number, row in enumerate(space.sample_choices(rng, count)):
        arch = Architecture(space.name, tuple(int(x) for x in row))
        value = 0.5 + 0.03 * row[0] + 0.02 * row[1] + rng.normal(scale=0.01)
        proposal = Proposal(number, arch, info={"predicted": value + rng.normal(scale=0.02)})
        if number < failures:
            trials.append(Trial(proposal, error=f"ValueError: {HOSTILE}"))
        else:
            hidden = {name: float(value - 0.01)}
            trials.append(Trial(proposal, Evaluation((float(value),), hidden=hidden)))
    result = SearchResult(tuple(trials), (Goal(name),), 1.0, None, space)
    return SearchSubject(
        title=name,
        method="evolution + gp",
        result=result,
        space=space,
        settings={"task": name},
        versions={"numpy": "2"},
        command="surrogate-nas search --seed 0",
        seconds=[0.1 * i for i in range(count)],
    )


def written(folder: Path, subject: SearchSubject) -> Path:
    path = folder / "page.html"
    path.write_text(search_report(subject)[0], encoding="utf-8")
    return path
