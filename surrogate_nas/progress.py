"""Shows how far long work is: what ``progress`` of every workflow takes, and a bar for Python."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from surrogate_nas._types import OnStep, Progress, no_progress
from surrogate_nas.errors import InvalidArgumentError


def as_progress(wanted: Progress | bool) -> Progress:
    """What shows progress: the given function, for True a bar, for False nothing.

    Raises:
        InvalidArgumentError: If it is something else.
    """
    if isinstance(wanted, bool):
        return bar if wanted else no_progress
    if not callable(wanted):
        raise InvalidArgumentError(
            "progress must be True for a bar, False, or a function of a label and a number of "
            f"parts that makes a context, got {wanted!r}"
        )
    return wanted


@contextmanager
def bar(label: str, total: int, *, unit: str = "step") -> Iterator[OnStep]:
    """A bar of tqdm: a line in a terminal, and a widget in a notebook that has them.

    Args:
        label: Names the work.
        total: Number of its parts; 0 if unknown.
        unit: What a part is called.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm tells that notebooks without widgets get text
        from tqdm.auto import tqdm
    shown: Any = tqdm(total=total or None, desc=label, unit=unit, leave=True)
    try:

        def advance(text: str) -> None:
            shown.set_postfix_str(text, refresh=False)
            shown.update()

        yield advance
    finally:
        shown.close()


@contextmanager
def when_needed(progress: Progress, label: str) -> Iterator[OnStep]:
    """Show work of an unknown number of parts, and nothing if there are none."""
    with ExitStack() as stack:
        shown: list[OnStep] = []

        def advance(text: str) -> None:
            if not shown:
                shown.append(stack.enter_context(progress(label, 0)))
            shown[0](text)

        yield advance


def renamed(progress: Progress, label: str) -> Progress:
    """The same display under another label."""
    return lambda _, total: progress(label, total)
