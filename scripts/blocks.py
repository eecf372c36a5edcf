"""The code blocks of a Markdown page, for tests and scripts that run them."""

from __future__ import annotations

import re
from typing import NamedTuple

_BLOCK = re.compile(
    r"(?P<before>[^\n]*)\n?(?P<gap>\n)?```(?P<language>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.M
)
_FILE = re.compile(r"`([\w.-]+\.\w+)`[^`]*$")
_NEEDS = re.compile(r"<!-- needs: (\w+) -->")


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        language: The word after the fence.
        text: The content.
        file: The file that the line before it names last, with a colon or (where it is no Python)
            a comma at its end; or None.
        needs: The module that a comment before it asks for, or None.
    """

    language: str
    text: str
    file: str | None = None
    needs: str | None = None

    @property
    def commands(self) -> list[str]:
        """The lines of a console block, continued lines joined."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in lines if line.strip() and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    found = []
    for match in _BLOCK.finditer(page):
        before = match["before"]
        told = before.rstrip()[-1:] in ((":",) if match["language"] == "python" else (":", ","))
        named = _FILE.search(before) if told else None
        needs = _NEEDS.search(before)
        found.append(
            Block(
                match["language"],
                match["text"],
                named[1] if named else None,
                needs[1] if needs else None,
            )
        )
    return found
