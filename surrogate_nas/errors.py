"""Every error that a user can cause; the message names argument, rule, value and repair."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SurrogateNASError(Exception):
    """Root of all errors raised on purpose; the command line prints it on one line."""


class InvalidArgumentError(SurrogateNASError, ValueError):
    """An argument breaks a rule."""


class WrongValueError(InvalidArgumentError):
    """A function that is to be optimised returned what is no number."""


_MOST_NAMES = 200  # that a message lists


class UnknownNameError(SurrogateNASError, LookupError):
    """A name is not registered. The message lists the choices and the nearest one."""

    def __init__(self, kind: str, name: str, choices: Iterable[str]) -> None:
        """Compose the message.

        Args:
            kind: What was looked for, for example ``"task"``.
            name: The name that was given.
            choices: The names that exist.
        """
        known = list(choices)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(known[:_MOST_NAMES]) if known else "none"
        if len(known) > _MOST_NAMES:
            listed += f", ... ({len(known)} in all)"
        super().__init__(f"unknown {kind} {name!r}{hint} (choose from: {listed})")
        self._arguments = (kind, name, known)

    def __reduce__(self) -> tuple[type, tuple[str, str, list[str]]]:
        """Keep the three arguments when an error crosses a process boundary."""
        return type(self), self._arguments


class ArchitectureError(SurrogateNASError, ValueError):
    """An architecture cannot be parsed or is not part of the space."""


class MissingRecordError(SurrogateNASError, LookupError):
    """A table holds no value for an architecture, budget, seed or metric."""


class FormatError(SurrogateNASError, ValueError):
    """A file is damaged, of another version, or not what it should be."""


class UnsafePickleError(FormatError):
    """A pickle asks for something outside the whitelist; nothing of it was executed."""


class StoreError(SurrogateNASError):
    """A trial store cannot be used: another space, other settings, or not writable."""


class SpaceExhaustedError(SurrogateNASError):
    """Every architecture of the space was proposed already."""


class NotFittedError(SurrogateNASError, ValueError):
    """A predictor was asked before it was fitted."""


class TrainingError(SurrogateNASError):
    """A training diverged or ran out of memory: a failed trial, and the search goes on."""


class MissingDependencyError(SurrogateNASError, ImportError):
    """An optional package is needed; the message says how to install it."""
