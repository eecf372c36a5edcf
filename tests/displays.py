"""A display of progress that remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Shown:
    """One display: its label and number of parts, the texts of its steps, whether it is closed."""

    label: str
    total: int
    texts: list[str] = field(default_factory=list)
    closed: bool = False


class Display:
    """What workflows take as ``progress``; terminals show one bar at a time."""

    def __init__(self, step: Callable[[str], None] = lambda text: None) -> None:
        self.shown: list[Shown] = []
        self._step = step

    @property
    def texts(self) -> list[str]:
        """The texts of all steps."""
        return [text for one in self.shown for text in one.texts]

    @contextmanager
    def __call__(self, label: str, total: int) -> Iterator[Callable[[str], None]]:
        assert all(one.closed for one in self.shown), "two displays at a time"
        one = Shown(label, total)
        self.shown.append(one)

        def advance(text: str) -> None:
            assert not one.closed
            one.texts.append(text)
            self._step(text)

        try:
            yield advance
        finally:
            one.closed = True
