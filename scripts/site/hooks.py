"""What MkDocs calls while it builds the site: pages that are made from the program."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cards
import command_line
import gallery
import json_pages
import reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "site-sources"
log = logging.getLogger("mkdocs.hooks")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay out the sources for mkdocstrings, and put the reference's pages into the navigation."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    reference.copy_sources(ROOT, SOURCES)
    undocumented = reference.undocumented(SOURCES)
    for name in undocumented:
        log.warning("%s has no docstring", name)
    sections = {name: pages for part in config.nav or [] for name, pages in part.items()}
    sections["How to"] += unlisted(ROOT / "docs", config.nav)
    sections["Reference"] += reference.navigation(SOURCES)
    return config


def unlisted(docs: Path, nav: object) -> list[str]:
    """Pages that the navigation does not name, in alphabetical order."""
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    named = set(_paths(nav))
    return [page for page in pages if page not in named]


def _paths(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from _paths(value)
    elif isinstance(nav, list):
        for part in nav:
            yield from _paths(part)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and pictures."""
    texts = {
        "reference/command-line.md": command_line.page(),
        "reference/json.md": json_pages.page(ROOT / "docs" / "json"),
        "cards/weights.md": cards.weights_page(),
        "cards/gallery.md": gallery.page(),
        **reference.pages(SOURCES),
    }
    with tempfile.TemporaryDirectory() as home:  # the cards show no tables of who builds the site
        before = os.environ.get("SURROGATE_NAS_HOME")
        os.environ["SURROGATE_NAS_HOME"] = home
        try:
            texts["cards/benchmarks.md"] = cards.benchmarks_page()
        finally:
            if before is None:
                del os.environ["SURROGATE_NAS_HOME"]
            else:
                os.environ["SURROGATE_NAS_HOME"] = before
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    for name, content in gallery.pictures().items():
        files.append(File.generated(config, name, content=content))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take the shim that the search needs in files from the site itself."""
    here = get_relative_url("assets/iframe-worker.js", page.url)
    return output.replace("https://unpkg.com/iframe-worker/shim", here)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """The same for pages without Markdown, which a server shows at any address."""
    here = "/assets/iframe-worker.js"
    return output.replace("https://unpkg.com/iframe-worker/shim", here)


def on_shutdown() -> None:
    """Remove the copied sources."""
    shutil.rmtree(SOURCES, ignore_errors=True)
