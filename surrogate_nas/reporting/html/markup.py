"""HTML and SVG by nested calls; all text is escaped, unless it is `Html` already."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
_NEVER = dict.fromkeys(range(32), "�") | {9: " ", 10: "\n", 13: "\n"}  # control characters


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"
"""What an element may contain: text, numbers, `Html`, nothing, or several of these."""


def escape(text: str) -> Html:
    """Text as HTML, also inside attributes; what UTF-8 or HTML cannot hold is replaced."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return Html(html.escape(whole.translate(_NEVER)))


def join(*children: Child) -> Html:
    """The children one after the other."""
    return Html("".join(_flat(children)))


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element.

    Args:
        name: Of the element.
        children: Its content.
        attributes: None and False leave one out, and True writes its name only. An underscore
            at the end is removed, others become hyphens: ``class_``, ``aria_label``.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        parts.append(f" {key}" if value is True else f' {key}="{escape(str(value))}"')
    parts.append(">")
    if name not in _VOID:
        parts += [*_flat(children), f"</{name}>"]
    return Html("".join(parts))


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int | float):
            yield escape(str(child))
        else:
            yield from _flat(child)
