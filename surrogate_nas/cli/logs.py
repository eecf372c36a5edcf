"""What the program tells on standard error: everything under the logger ``surrogate_nas``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator

ROOT = logging.getLogger("surrogate_nas")
TOLD = logging.getLogger("surrogate_nas.cli")
"""What users are told; other loggers tell what the parts of the program do."""


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add ``-q`` and ``-v`` to a command."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "-q", "--quiet", action="store_true", help="tell no progress, only warnings and errors"
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", help="tell what happens, trial by trial"
    )


class _StandardError(logging.Handler):
    """Writes to what standard error is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # on a full disk the work goes on
            print(self.format(record), file=sys.stderr)


class _Plain(logging.Formatter):
    """What users are told as it is, and the rest after the name of its part."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.name.startswith(TOLD.name):
            return text
        return f"{record.name.removeprefix(ROOT.name + '.')}: {text}"


@contextlib.contextmanager
def logged(*, quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """Show the log on standard error while a command runs."""
    handler = _StandardError()
    handler.setFormatter(_Plain())
    if not verbose:
        handler.addFilter(_is_for_users)
    level = ROOT.level
    ROOT.addHandler(handler)
    ROOT.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        ROOT.removeHandler(handler)
        ROOT.setLevel(level)


def _is_for_users(record: logging.LogRecord) -> bool:
    return record.name.startswith(TOLD.name) or record.levelno >= logging.WARNING


def is_quiet() -> bool:
    """Whether progress is not wanted."""
    return ROOT.level > logging.INFO
