"""The page around the sections of a report: one file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

from surrogate_nas._version import __version__
from surrogate_nas.reporting.html.markup import Child, Html, join, tag

_LONG = 10  # characters of a tile's value, beyond which its letters are smaller


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Attributes:
        anchor: Its name in links.
        title: Its heading.
        body: Its content.
    """

    anchor: str
    title: str
    body: Html


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that matters, large.

    Attributes:
        label: What it is.
        value: The number.
        note: More about it, small.
    """

    label: str
    value: str
    note: str = ""


def page(
    title: str,
    subtitle: str,
    tiles: Sequence[Tile],
    sections: Sequence[Section | None],
) -> str:
    """The whole page; sections that are None are left out."""
    present = [section for section in sections if section is not None]
    style, script = _file("style.css"), _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Even where a text were taken for HTML, no other script would run.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"surrogate_nas {__version__}"),
        tag("title", title),
        tag("style", Html(style)),
    )
    links = (tag("li", tag("a", s.title, href=f"#{s.anchor}")) for s in present)
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag(
            "header",
            tag("p", "surrogate_nas report", class_="kicker"),
            tag("button", "Theme", id="theme", type="button", hidden=True),
            tag("h1", ([part, tag("wbr")] for part in re.split("(?<=/)", title))),
            tag("p", subtitle, class_="subtitle"),
            tag("dl", (_tile(tile) for tile in tiles), class_="tiles") if tiles else None,
        ),
        tag(
            "div",
            tag("nav", tag("ul", links), aria_label="Sections"),
            tag("main", (_section(section) for section in present), id="content"),
            class_="columns",
        ),
        tag("footer", tag("p", f"Made by surrogate_nas {__version__}.")),
        tag("div", id="tip", role="status", hidden=True),
        tag("script", Html(script)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _file(name: str) -> str:
    return files("surrogate_nas.reporting.html").joinpath(name).read_text(encoding="utf-8")


def _tile(tile: Tile) -> Html:
    note = tag("span", tile.note, class_="more") if tile.note else None
    size = "long" if len(tile.value) > _LONG else None
    return tag("div", tag("dt", tile.label), tag("dd", tile.value, note, class_=size))


def _section(section: Section) -> Html:
    heading = tag("h2", section.title, id=f"{section.anchor}-title")
    return tag(
        "section",
        heading,
        section.body,
        id=section.anchor,
        aria_labelledby=f"{section.anchor}-title",
    )


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Child]],
    *,
    caption: str,
    folded: bool = False,
) -> Html:
    """A table.

    Args:
        head: Names of the columns; one that starts with ``>`` is of numbers.
        rows: The cells; the first of each row is its heading.
        caption: What the table shows.
        folded: Whether it is shown on demand only; the caption is what is clicked then.
    """
    numeric = [name.startswith(">") for name in head]
    columns = (
        tag("th", name.lstrip(">"), scope="col", class_="number" if right else None)
        for name, right in zip(head, numeric, strict=True)
    )
    lines = []
    for row in rows:
        cells = zip(row, numeric, strict=True)
        lines.append(
            tag(
                "tr",
                (
                    tag("td" if i else "th", cell, class_="number" if right else None)
                    if i
                    else tag("th", cell, scope="row", class_="number" if right else None)
                    for i, (cell, right) in enumerate(cells)
                ),
            )
        )
    inner = tag(
        "table",
        tag("caption", caption, class_="hidden" if folded else None),
        tag("thead", tag("tr", columns)),
        tag("tbody", lines),
    )
    box = tag("div", inner, class_="scroll", tabindex=0, role="region", aria_label=caption)
    if not folded:
        return box
    return tag("details", tag("summary", caption), box)


def definitions(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Names with what they are."""
    found = [(tag("dt", name), tag("dd", value)) for name, value in pairs]
    return tag("dl", found, class_="settings")


def code(text: str, *, label: str) -> Html:
    """A block of code or a command, which can be copied."""
    block = tag("pre", tag("code", text), tabindex=0, aria_label=label, role="region")
    return tag("div", block, class_="code")


def paragraphs(*texts: Child) -> Html:
    """Paragraphs."""
    return join(tag("p", text) for text in texts if text is not None)


def multiples(figures: Sequence[Html]) -> Html:
    """Small figures side by side, in two columns or in three."""
    even = len(figures) in (1, 2, 4)
    return tag("div", figures, class_="figures" if even else "figures small")
