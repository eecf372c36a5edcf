"""Reads decisions and their conditions out of the TOML text that declares a space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.decisions import MOST_OPTIONS, Decision, option_name

RANGES = ("integer", "real")
LISTS = ("options", "categorical", "ordinal")
MOST_DECISIONS = 10_000
"""The largest number of decisions, and of nodes, of a space."""
MOST_OPTIONS_IN_ALL = 200_000

_RANGE_KEYS = ("log", "step", "levels")
_EXAMPLE = "a list of options, or a table like {integer = [1, 8]} or {real = [0.1, 1], log = true}"


class Mistake(Exception):  # noqa: N818  # leaves the reader of a definition as a FormatError
    """A mistake in a definition; the message begins with the key."""


Wanted = tuple[tuple[str, Mapping[str, object], tuple[str, ...]], ...]
"""Conditions as declared: the key, for each named decision what it must be, and the prefixes under
which names are looked up, the nearest first."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A decision as a text declares it.

    Attributes:
        key: Its key in the text, for messages.
        decision: The decision, still without a condition.
        conditions: The conditions under which it is active.
    """

    key: str
    decision: Decision
    conditions: Wanted = ()


class Specs(list[Spec]):
    """The decisions of a space: a limited number, with different names."""

    def __init__(self) -> None:
        """Start without decisions."""
        super().__init__()
        self._names: set[str] = set()
        self._options = 0

    def add(self, spec: Spec) -> None:
        """Append a decision.

        Raises:
            Mistake: If there are too many, or its name is taken.
        """
        self._options += len(spec.decision.options)
        if len(self) >= MOST_DECISIONS or self._options > MOST_OPTIONS_IN_ALL:
            raise Mistake(
                f"{spec.key}: a space has at most {MOST_DECISIONS} decisions, and "
                f"{MOST_OPTIONS_IN_ALL} options in all; repeat less, or give coarser ranges"
            )
        if spec.decision.name in self._names:
            raise Mistake(f"{spec.key}: the name {spec.decision.name!r} is taken twice")
        self._names.add(spec.decision.name)
        self.append(spec)


def as_list(value: object, key: str) -> list[Any]:
    """The value, if it is a list; else a mistake."""
    if not isinstance(value, list):
        raise Mistake(
            f"{key}: {'is missing' if value is None else f'must be a list, got {short(value)}'}"
        )
    return value


def known_keys(table: Mapping[str, object], keys: Iterable[str], prefix: str) -> None:
    """Refuse unknown keys."""
    listed = tuple(keys)
    for key in table:
        if key not in listed:
            raise Mistake(f"{prefix}{key}: {UnknownNameError('key', key, listed)}")


def is_number(value: object) -> bool:
    """Whether a value of TOML is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def short(value: object) -> str:
    """A value for a message."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a very large number"
    return text if len(text) <= 200 else f"{text[:200]}..."


def check_name(name: object, key: str) -> str:
    """Check the name of a decision, node or option: one line of text, not blank at its ends."""
    if not isinstance(name, str) or not name.strip():
        raise Mistake(f"{key}: must be a name in quotes, got {short(name)}")
    if name != name.strip() or not name.isprintable():
        raise Mistake(
            f"{key}: a name has no blanks at its ends, no line breaks and no control characters, "
            f"got {short(name)}"
        )
    return name


def read_spec(value: object, key: str, name: str) -> Spec:
    """One decision.

    Raises:
        Mistake: If anything is wrong with it.
    """
    described = {"options": value} if isinstance(value, list) else value
    if not isinstance(described, dict):
        raise Mistake(f"{key}: a decision is {_EXAMPLE}, got {short(value)}")
    kinds = [kind for kind in (*LISTS, *RANGES) if kind in described]
    if len(kinds) != 1:
        given = "none" if not kinds else " and ".join(kinds)
        raise Mistake(
            f"{key}: a decision has one of {', '.join((*LISTS, *RANGES))}, got {given}; "
            f"it is {_EXAMPLE}"
        )
    kind = kinds[0]
    allowed = _RANGE_KEYS if kind in RANGES else ("log",) if kind == "options" else ()
    known_keys(described, (kind, *allowed, "when"), f"{key}.")
    log = described.get("log")
    if log is not None and not isinstance(log, bool):
        raise Mistake(f"{key}.log: must be true or false, got {short(log)}")
    where = key if isinstance(value, list) else f"{key}.{kind}"
    try:
        if kind in RANGES:
            decision = _range(name, described, kind, key)
        else:
            decision = _listed(name, as_list(described[kind], where), kind, where, log)
            if "log" in described and decision.kind != "number":
                raise Mistake(f"{key}.log: only numbers have a scale; leave it out")
    except InvalidArgumentError as error:
        raise Mistake(f"{where}: {error}") from None
    return Spec(key, decision)


def _range(name: str, described: Mapping[str, Any], kind: str, key: str) -> Decision:
    ends = described[kind]
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends))):
        raise Mistake(
            f"{key}.{kind}: must be the least and the most, like [1, 8], got {short(ends)}"
        )
    for given in ("step", "levels"):
        if given in described and not is_number(described[given]):
            raise Mistake(f"{key}.{given}: must be a number, got {short(described[given])}")
    if not isinstance(described.get("levels", 2), int):
        raise Mistake(f"{key}.levels: must be a whole number, got {described['levels']}")
    keywords = {k: described[k] for k in _RANGE_KEYS if k in described}
    make = Decision.integer if kind == "integer" else Decision.real
    try:
        return make(name, *ends, **keywords)
    except OverflowError:
        raise Mistake(f"{key}.{kind}: the numbers are too large, got {short(ends)}") from None


def _listed(name: str, items: list[Any], kind: str, key: str, log: bool | None) -> Decision:
    check_count(len(items), key)
    sorts = {bool if isinstance(x, bool) else float if is_number(x) else type(x) for x in items}
    if not sorts <= {bool, float, str} or len(sorts) != 1:
        raise Mistake(
            f"{key}: options are all numbers, all texts in quotes, or true and false, got "
            f"{short(items)}; a number in quotes is a name"
        )
    if sorts == {str}:
        for position, item in enumerate(items):
            check_name(item, f"{key}[{position}]")
    options = [option_name(item) for item in items]
    if len(set(options)) < len(options):
        twice = next(o for i, o in enumerate(options) if o in options[:i])
        raise Mistake(f"{key}: {twice!r} is listed twice")
    if kind == "ordinal":
        return Decision.ordinal(name, options)
    if kind == "options" and sorts == {float}:
        return Decision.numbers(name, items, log=_geometric(items) if log is None else log)
    return Decision.categorical(name, options)


def check_count(count: int, key: str) -> None:
    """Refuse a decision without options or with too many."""
    if count < 1:
        raise Mistake(f"{key}: needs at least one option")
    if count > MOST_OPTIONS:
        raise Mistake(f"{key}: {count} options are too many (limit {MOST_OPTIONS})")


def _geometric(numbers: Sequence[float]) -> bool:
    """Whether each of three or more numbers is the one before times the same factor."""
    if len(numbers) < 3 or min(numbers) <= 0:
        return False
    factor = numbers[1] / numbers[0]
    return factor != 1 and all(
        math.isclose(b / a, factor, rel_tol=1e-6) for a, b in pairwise(numbers)
    )
