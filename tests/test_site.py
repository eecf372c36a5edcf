"""How the documentation site is made: its generated pages, and the check of what was built."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from surrogate_nas.cli import parser

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a module of ``scripts/site``."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "site"))
    loaded: list[str] = []

    def load(name: str) -> ModuleType:
        loaded.append(name)
        return importlib.import_module(name)

    yield load
    for name in loaded:
        sys.modules.pop(name, None)


def write(folder: Path, **pages: str) -> Path:
    for name, body in pages.items():
        text = f"<html><head></head><body>{body}</body></html>"
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def test_a_sound_site_has_no_problems(scripts: Any, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("a { background: url(data:image/png;base64,x) }")
    site = write(
        tmp_path,
        index='<link rel="stylesheet" href="style.css"><a href="other.html#there">x</a>'
        '<a href="https://elsewhere.org">a link is no load</a><a href="#here" id="here">y</a>',
        other='<h1 id="there">x</h1><a href=".">home</a>',
    )
    assert scripts("check").problems(site) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<script src="https://cdn.org/a.js"></script>', "from elsewhere"),
        ('<link rel="stylesheet" href="//fonts.org/a.css">', "from elsewhere"),
        ('<img src="missing.png">', "does not exist"),
        ('<a href="missing.html">x</a>', "leads nowhere"),
        ('<a href="other.html#gone">x</a>', "there is no gone in other.html"),
        ('<a href="#gone">x</a>', "there is no gone in index.html"),
    ],
)
def test_problems_are_found(body: str, problem: str, scripts: Any, tmp_path: Path) -> None:
    (found,) = scripts("check").problems(write(tmp_path, index=body, other=""))
    assert problem in found


def test_a_style_that_loads_from_elsewhere_is_found(scripts: Any, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@import 'https://fonts.org/a.css'; p { color: red }")
    (found,) = scripts("check").problems(write(tmp_path, index=""))
    assert found.startswith("a.css")


def options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from options(inner)
        elif action.help is not argparse.SUPPRESS:
            yield from action.option_strings[-1:]


def test_the_page_of_the_command_line_has_every_option(scripts: Any) -> None:
    page = scripts("command_line").page()
    listed = {
        name
        for cell in re.findall(r"^\| <code>(.*?)</code>", page, re.M)
        for name in re.findall(r"--[\w-]+", cell)
    }
    assert set(options(parser())) - {"--help"} == listed - {"--help"}
    for cell in (line for line in page.splitlines() if line.startswith("| ")):
        assert cell.count("|") == 3, cell


def test_every_public_name_is_documented(scripts: Any, tmp_path: Path) -> None:
    reference = scripts("reference")
    reference.copy_sources(ROOT, tmp_path / "sources")
    assert len(reference.modules(tmp_path / "sources")) > 150
    assert reference.undocumented(tmp_path / "sources") == []


def test_what_is_not_documented_is_found(scripts: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        '"""A module."""\n\n\ndef f():\n    pass\n\n\ndef _g():\n    pass\n\n\n'
        'class C:\n    """A class."""\n\n    def m(self):\n        pass\n'
    )
    assert scripts("reference").undocumented(tmp_path) == ["mine.f", "mine.C.m"]


def test_the_public_names_are_listed_with_their_pages(scripts: Any, tmp_path: Path) -> None:
    import surrogate_nas

    reference = scripts("reference")
    reference.copy_sources(ROOT, tmp_path / "sources")
    page = reference.pages(tmp_path / "sources")["reference/index.md"]
    for name in surrogate_nas.__all__:
        assert name.startswith("__") or f"[`{name}`][surrogate_nas." in page
    assert "| |" not in page  # each with its first line


def test_a_page_that_the_navigation_does_not_name_is_found(scripts: Any, tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "more/c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# Title")
    nav = [{"Home": "a.md"}, {"How to": ["more/c.md"]}]
    assert scripts("hooks").unlisted(tmp_path, nav) == ["b.md"]


def test_the_cards_say_how_to_get_each_benchmark(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrogate_nas.benchmarks.published import PUBLISHED

    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path))
    cards = scripts("cards")
    page = cards.benchmarks_page()
    for name, found in PUBLISHED.items():
        assert f"### {name}\n" in page
        assert f"`surrogate-nas import {found.word or name}" in page
    weights = cards.weights_page()
    files = sorted((ROOT / "predictors" / "shipped").glob("*.safetensors"))
    assert weights.count("\n## ") == len(files) > 10
    assert "Kendall's tau" in weights
