"""Decisions of a space, with options that are names, ordered or numbers, and conditions."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, Self, get_args

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError

Kind = Literal["categorical", "ordinal", "number"]

Condition = tuple[tuple[str, tuple[str, ...]], ...]
"""For each of some other decisions, the options with which the condition holds; all must hold."""

MOST_OPTIONS = 10_000
"""The largest number of options of a decision."""

ALL_NEAR = 10
"""Up to this number of options, all options of an ordered decision are neighbours."""

LEVELS = 11
"""The number of levels of a real number's grid, if neither levels nor a step are given."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and the names of its options.

    Besides the plain form there are `categorical`, `ordinal`, `numbers`, `integer`, `real` and
    `boolean`, which name the options themselves::

        Decision.integer("layers", 2, 8, step=2)
        Decision.real("lr", 1e-4, 1e-1, log=True)
        Decision.categorical("norm", ["batch", "layer"], when={"layers": [4, 6, 8]})

    Attributes:
        name: Its name, unique in its space.
        options: Names of the options.
        kind: ``"categorical"``: options are only equal or different; ``"ordinal"``: their order
            counts; ``"number"``: so do their values.
        values: The number of each option, on a scale on which equal differences have the same
            meaning; None if the options are not numbers.
        when: The condition under which it is active, see `condition`; None for always. An inactive
            decision has its first option.
    """

    name: str
    options: tuple[str, ...]
    kind: Kind = "categorical"
    values: tuple[float, ...] | None = None
    when: Condition | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.kind not in get_args(Kind):
            raise InvalidArgumentError(
                f"decision {self.name!r}: kind must be one of {', '.join(get_args(Kind))}, got "
                f"{self.kind!r}"
            )
        if not self.options:
            raise InvalidArgumentError(f"decision {self.name!r} needs at least one option")
        given = None if self.values is None else len(self.values)
        if given not in (None, len(self.options)) or (given is None and self.kind == "number"):
            raise InvalidArgumentError(
                f"decision {self.name!r}: values must be a number for each of its "
                f"{len(self.options)} options, got {self.values}"
            )

    @classmethod
    def categorical(cls, name: str, options: Iterable[object], *, when: When = None) -> Self:
        """Options that are only equal or different."""
        return cls(name, tuple(map(option_name, options)), when=condition(when))

    @classmethod
    def ordinal(cls, name: str, options: Iterable[object], *, when: When = None) -> Self:
        """Options from the least to the most."""
        return cls(name, tuple(map(option_name, options)), "ordinal", when=condition(when))

    @classmethod
    def boolean(cls, name: str, *, when: When = None) -> Self:
        """The options ``false`` and ``true``."""
        return cls.categorical(name, (False, True), when=when)

    @classmethod
    def numbers(
        cls, name: str, options: Iterable[float], *, log: bool = False, when: When = None
    ) -> Self:
        """Given numbers; with ``log``, equal factors have the same meaning.

        Raises:
            InvalidArgumentError: If they are not finite, or not positive with ``log``.
        """
        listed = tuple(options)
        if not all(math.isfinite(x) for x in listed) or (log and min(listed, default=1) <= 0):
            raise InvalidArgumentError(
                f"decision {name!r}: its options must be finite numbers"
                f"{', above 0 with log' * log}, got {listed}"
            )
        values = tuple(math.log(x) if log else float(x) for x in listed)
        return cls(name, tuple(map(option_name, listed)), "number", values, condition(when))

    @classmethod
    def integer(
        cls,
        name: str,
        low: int,
        high: int,
        *,
        step: int | None = None,
        levels: int | None = None,
        log: bool = False,
        when: When = None,
    ) -> Self:
        """Whole numbers from ``low`` to ``high``: all, in steps, or a number of levels.

        Raises:
            InvalidArgumentError: If there is no such grid, see `grid`.
        """
        found = _grid_of(name, low, high, step=step, levels=levels, log=log, whole=True)
        return cls.numbers(name, found, log=log, when=when)

    @classmethod
    def real(
        cls,
        name: str,
        low: float,
        high: float,
        *,
        step: float | None = None,
        levels: int | None = None,
        log: bool = False,
        when: When = None,
    ) -> Self:
        """A grid of numbers from ``low`` to ``high``, in steps or with a number of levels (11).

        Raises:
            InvalidArgumentError: If there is no such grid, see `grid`.
        """
        found = _grid_of(name, low, high, step=step, levels=levels, log=log, whole=False)
        return cls.numbers(name, found, log=log, when=when)

    def position(self, text: str) -> int:
        """The number of the option that a text means, or -1.

        It means the option of this name; of numbers also an equal one, such as ``2.0`` for ``2``;
        of booleans also ``True`` for ``true``.
        """
        if text in self.options:
            return self.options.index(text)
        if self.kind == "number" and _NUMBER.fullmatch(text):
            try:
                number, numbers = float(text), np.array(self.options, dtype=np.float64)
            except ValueError:
                return -1
            near = np.flatnonzero(np.isclose(numbers, number, rtol=1e-9, atol=0))
            return int(near[0]) if near.size else -1
        if text in ("True", "False") and set(self.options) == {"true", "false"}:
            return self.options.index(text.lower())
        return -1

    def value(self, option: int) -> str | float | bool:
        """What an option is: a number, true or false, or its name."""
        text = self.options[option]
        if self.kind == "number":
            for kind in (int, float):
                try:
                    return kind(text)
                except ValueError:
                    continue
        return text == "true" if set(self.options) == {"true", "false"} else text

    @property
    def ordered(self) -> bool:
        """Whether the options have an order."""
        return self.kind != "categorical"


_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?")

When = Mapping[str, object] | Condition | None
"""The argument of `condition`, for example ``{"depth": [3, 4], "norm": "batch"}``."""


def condition(when: When) -> Condition | None:
    """A condition from a mapping of names of decisions to the options with which it holds."""
    if not when:
        return None
    pairs = when.items() if isinstance(when, Mapping) else when
    return tuple((name, tuple(map(option_name, _several(options)))) for name, options in pairs)


def _several(options: object) -> Iterable[object]:
    if isinstance(options, str) or not isinstance(options, Iterable):
        return (options,)
    return options


def option_name(option: object) -> str:
    """The name of an option: ``true`` or ``false``, a number in short form, or the text itself."""
    if isinstance(option, bool | np.bool_):
        return str(bool(option)).lower()
    if isinstance(option, float | np.floating):
        number = float(option)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    return str(option)


def grid(
    low: float,
    high: float,
    *,
    step: float | None,
    levels: int | None,
    log: bool,
    whole: bool,
) -> list[float]:
    """The numbers of a range.

    Args:
        low: The least.
        high: The most; part of the range unless steps miss it.
        step: Distance of neighbours, only without ``log``.
        levels: Number of evenly spaced numbers; fewer if two whole numbers coincide.
        log: Whether they are evenly spaced on the logarithmic scale.
        whole: Whole numbers only.

    Raises:
        ValueError: If there is no such grid, or it is too fine; the message says what to change.
    """
    numbers = [x for x in (low, high, step) if x is not None]
    if any(isinstance(x, bool) or not math.isfinite(x) for x in numbers):
        raise ValueError(f"a range and its step must be finite numbers, got {numbers}")
    if whole and any(x != int(x) for x in numbers):
        raise ValueError(f"a range of integers and its step must be whole numbers, got {numbers}")
    if low >= high:
        raise ValueError(f"the range must go from less to more, got [{low}, {high}]")
    if log and low <= 0:
        raise ValueError(f"a range with log must be above 0, got [{low}, {high}]")
    if step is not None and (levels is not None or log):
        raise ValueError(
            f"a step goes with neither {'log' if log else 'levels'}; give levels alone"
        )
    if step is not None and step <= 0:
        raise ValueError(f"step must be above 0, got {step}")
    if levels is not None and (isinstance(levels, bool) or levels < 2):
        raise ValueError(f"levels must be at least 2, got {levels}")
    if step is None and levels is None and not whole:
        levels = LEVELS
    count = levels if levels is not None else math.floor((high - low) / (step or 1) + 1e-9) + 1
    if count > MOST_OPTIONS:
        raise ValueError(
            f"{count} options are too many (limit {MOST_OPTIONS}); give a larger step or fewer "
            "levels"
        )
    if whole and levels is None:
        return [int(low) + i * int(step or 1) for i in range(count)]
    if step is not None:
        return _short([float(f"{low + i * step:.12g}") for i in range(count)])
    ends = float(low), float(high)
    grid = np.geomspace(*ends, count) if log else np.linspace(*ends, count)
    if whole:
        return sorted({round(x) for x in grid.tolist()})
    return _short([float(low), *grid[1:-1].tolist(), float(high)])


def _grid_of(name: str, low: float, high: float, **rules: Any) -> list[float]:
    """As `grid`, with an error that names the decision."""
    try:
        return grid(low, high, **rules)
    except ValueError as error:
        raise InvalidArgumentError(f"decision {name!r}: {error}") from None


def _short(numbers: list[float]) -> list[float]:
    """The numbers, rounded so that no step changes by more than a hundredth."""
    steps = np.diff(numbers)
    for digits in range(1, 17):
        short = [float(f"{x:.{digits}g}") for x in numbers]
        moved = np.abs(np.array(short) - numbers)
        if (moved[1:] <= steps / 100).all() and (moved[:-1] <= steps / 100).all():
            return [numbers[0], *short[1:-1], numbers[-1]]
    return numbers


class Scale:
    """The order of a decision's options, for moves to near ones."""

    def __init__(self, decision: Decision) -> None:
        """Sort the options by their values, if they have any."""
        count = len(decision.options)
        self._order = list(range(count))
        if decision.values is not None:
            self._order.sort(key=decision.values.__getitem__)
        self._position = sorted(range(count), key=self._order.__getitem__)
        self._harmonic = [0.0, *accumulate(1 / distance for distance in range(1, count))]

    def move(self, option: int, uniform: float) -> int:
        """Another option; one that is d positions away has a weight of 1 / d.

        So there are moves of all distances. ``uniform`` is drawn from [0, 1).
        """
        position = self._position[option]
        above = len(self._order) - 1 - position
        below_weight = self._harmonic[position]
        weight = uniform * (below_weight + self._harmonic[above])
        if weight < below_weight:
            return self._order[position - bisect_right(self._harmonic, weight, hi=position)]
        distance = bisect_right(self._harmonic, weight - below_weight, hi=above)
        return self._order[position + distance]

    def near(self) -> IntArray:
        """Neighbours of each option, the nearest first: int16 (options, m), padded with itself.

        They are all other options if there are up to `ALL_NEAR`, else those that are 1, 2, 4, 8,
        ... positions away.
        """
        count = len(self._order)
        few = count <= ALL_NEAR
        steps = [*range(1, count)] if few else [1 << i for i in range((count - 1).bit_length())]
        away = np.array([sign * step for step in steps for sign in (-1, 1)], dtype=np.int64)
        position = np.arange(count)[:, None] + away
        position = np.where(
            (position < 0) | (position >= count), np.arange(count)[:, None], position
        )
        found = np.empty((count, len(away)), dtype=np.int16)
        found[self._order] = np.array(self._order)[position]
        return found
