"""Checks a built site: it loads nothing from elsewhere, and its own links lead somewhere."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
INERT = frozenset({"canonical", "alternate", "author", "next", "prev"})  # relations of <link>
_STYLE = re.compile(r"""(?:url\(|@import)\s*['"]?(?:https?:)?//""")


class _Page(HTMLParser):
    """What one page loads, where it links, and the names that can be linked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        where = found.get(LOADS.get(tag, ""))
        if where and not (tag == "link" and found.get("rel") in INERT):
            self.loads.append(where)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")


def problems(site: Path) -> list[str]:
    """One line for each thing that is wrong."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        for target in page.loads:
            if urlsplit(target).netloc:
                found.append(f"{name}: loads {target} from elsewhere")
            elif not urlsplit(target).scheme and not _exists(path, target, site):
                found.append(f"{name}: loads {target}, which does not exist")
        if name.name == "404.html":  # its links begin at the root of a server
            continue
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else _target(path, parts.path, site)
            if not target.exists():
                found.append(f"{name}: {link} leads nowhere")
            elif parts.fragment and target in pages:
                anchor = unquote(parts.fragment)
                if anchor not in pages[target].anchors and anchor != "__skip":
                    found.append(f"{name}: there is no {anchor} in {target.relative_to(site)}")
    for style in sorted(site.rglob("*.css")):
        if _STYLE.search(style.read_text(encoding="utf-8")):
            found.append(f"{style.relative_to(site)}: loads something from elsewhere")
    return found


def _target(page: Path, link: str, site: Path) -> Path:
    start = site if link.startswith("/") else page.parent
    path = (start / unquote(link).lstrip("/")).resolve()
    return path / "index.html" if path.is_dir() else path


def _exists(page: Path, link: str, site: Path) -> bool:
    return _target(page, urlsplit(link).path, site).exists()


def main() -> int:
    """Print the problems of the folder that is named; the exit code."""
    site = Path(sys.argv[1]).resolve()
    found = problems(site)
    for line in found:
        print(line, file=sys.stderr)
    number = len(list(site.rglob("*.html")))
    print(f"{number} pages, {len(found)} problems", file=sys.stderr)
    return 1 if found or not number else 0


if __name__ == "__main__":
    sys.exit(main())
