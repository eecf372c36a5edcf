"""Parameters of Optuna as decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Decision
from surrogate_nas.spaces.decisions import LEVELS, MOST_OPTIONS, When, option_name


@dataclass(frozen=True)
class Parameter:
    """A parameter of Optuna and the decision that stands for it.

    Attributes:
        decision: The decision.
        distribution: Optuna's; a float without step has a grid of levels in the decision.
        values: What the trial is given for each option.
        presence_of: Name of the parameter of which this only says whether a trial has it.
    """

    decision: Decision
    distribution: BaseDistribution
    values: tuple[Any, ...]
    presence_of: str | None = None

    def option(self, value: object) -> int:
        """The option that a value means, of numbers the nearest; -1 for none.

        Numbers beyond the range by more than half a level mean none.
        """
        if value in self.values:
            return self.values.index(value)
        ranged = not isinstance(self.distribution, CategoricalDistribution)
        if ranged and isinstance(value, int | float):
            return _nearest(self.decision, float(value))
        return self.decision.position(option_name(value)) if value is not None else -1

    @property
    def middle(self) -> int:
        """The option in the middle of the numbers; of other options the first."""
        if self.decision.values is None:
            return 0
        return int(np.argsort(self.decision.values)[len(self.values) // 2])


def decision_parameter(decision: Decision) -> Parameter:
    """A decision as `suggest_architecture` suggests it: categorical, by the names of options."""
    return Parameter(decision, CategoricalDistribution(decision.options), decision.options)


def adopted(decision: Decision, distribution: BaseDistribution) -> Parameter | None:
    """A decision as a study has it already, of another type; None where options are missing.

    For example the options 2, 4 and 6 as an int from 2 to 6.
    """
    values: list[Any]
    if isinstance(distribution, CategoricalDistribution):
        by_option = {decision.position(option_name(c)): c for c in distribution.choices}
        values = [by_option.get(i) for i in range(len(decision.options))]
        if not set(range(len(values))) <= by_option.keys():
            return None
    else:
        kind = int if isinstance(distribution, IntDistribution) else float
        try:
            values = [kind(option) for option in decision.options]
        except ValueError:
            return None
        if not all(distribution._contains(float(value)) for value in values):
            return None
    return Parameter(decision, distribution, tuple(values))


def parameter(
    name: str,
    distribution: BaseDistribution,
    *,
    levels: int = LEVELS,
    most: int | None = None,
    when: When = None,
) -> Parameter:
    """A parameter as a decision.

    Args:
        name: The name of both.
        distribution: Optuna's. Categorical choices that are all numbers are ordered by value, on
            the scale, linear or logarithmic, on which they are spread more evenly.
        levels: How many levels the grid of a float without step has.
        most: Ranges of more numbers become a grid of so many levels, too; None to refuse them
            where a decision cannot have as many options.
        when: The condition under which trials have it.

    Raises:
        InvalidArgumentError: If the distribution is too fine, or none of Optuna's three.
    """
    if isinstance(distribution, CategoricalDistribution):
        return _categorical(name, distribution, when)
    if not isinstance(distribution, IntDistribution | FloatDistribution):
        raise InvalidArgumentError(
            f"parameter {name!r}: its distribution must be a CategoricalDistribution, "
            f"IntDistribution or FloatDistribution of Optuna, got {distribution!r}"
        )
    log, step, low, high = (getattr(distribution, key) for key in ("log", "step", "low", "high"))
    if distribution.single():
        made = Decision.numbers(name, [low], when=when)
    elif step is None:
        made = Decision.real(name, low, high, levels=levels, log=log, when=when)
    else:
        numbers = _steps(name, distribution, most)
        if numbers is not None:
            made = Decision.numbers(name, numbers, log=log, when=when)
        else:
            made = Decision.integer(name, low, high, levels=most, log=True, when=when)
    kind = int if isinstance(distribution, IntDistribution) else float
    return Parameter(made, distribution, tuple(kind(option) for option in made.options))


def _steps(
    name: str, distribution: IntDistribution | FloatDistribution, most: int | None
) -> list[float] | None:
    """The numbers of a range with steps; None where it needs a logarithmic grid."""
    low, step = distribution.low, distribution.step or 1
    count = math.floor((distribution.high - low) / step + 1e-9) + 1
    if most is None and count > MOST_OPTIONS:
        raise InvalidArgumentError(
            f"parameter {name!r}: {count} numbers are too many for a decision (limit "
            f"{MOST_OPTIONS}); give it a larger step, or levels by name like "
            f"levels={{{name!r}: {LEVELS}}}, got {distribution!r}"
        )
    positions: Sequence[int] = range(count)
    if most is not None and count > most:
        if most < 2:
            raise InvalidArgumentError(f"parameter {name!r}: levels must be at least 2, got {most}")
        if distribution.log:
            return None
        positions = sorted({round(x) for x in np.linspace(0, count - 1, most).tolist()})
    if isinstance(distribution, IntDistribution):
        return [distribution.low + i * distribution.step for i in positions]
    return [float(f"{low + i * step:.12g}") for i in positions]


def _categorical(name: str, distribution: CategoricalDistribution, when: When) -> Parameter:
    choices = distribution.choices
    numeric = all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices)
    numeric = numeric and all(math.isfinite(c) for c in choices)  # type: ignore[arg-type]
    if numeric and len({option_name(c) for c in choices}) == len(choices) > 1:
        numbers = [c for c in choices if isinstance(c, int | float)]
        decision = Decision.numbers(name, numbers, log=_geometric(numbers), when=when)
    else:
        decision = replace(
            Decision.categorical(name, range(len(choices)), when=when), options=_names(choices)
        )
    return Parameter(decision, distribution, choices)


def _geometric(numbers: Sequence[float]) -> bool:
    """Whether they are spread more evenly on the logarithmic scale."""
    ordered = np.sort(np.array(numbers, dtype=np.float64))
    if len(ordered) < 3 or ordered[0] <= 0:
        return False
    steps, factors = np.diff(ordered), np.diff(np.log(ordered))
    return bool(factors.std() / factors.mean() < steps.std() / steps.mean() - 1e-9)


def _names(choices: Sequence[object]) -> tuple[str, ...]:
    """A name for each choice: in short, or as Python writes it where that is not clear."""
    short = [option_name(choice) for choice in choices]
    clear = [s == s.strip() != "" and s.isprintable() and short.count(s) == 1 for s in short]
    names = [s if good else repr(c) for s, c, good in zip(short, choices, clear, strict=True)]
    repeated = {name for name in names if names.count(name) > 1}
    return tuple(f"{n} (#{i})" if n in repeated else n for i, n in enumerate(names))


def _nearest(decision: Decision, value: float) -> int:
    """The option whose number is nearest, or -1 beyond the ends."""
    if decision.values is None:
        return decision.position(option_name(value))
    numbers = np.array([float(option) for option in decision.options])
    values = np.array(decision.values)
    logarithmic = not np.array_equal(numbers, values)
    if not math.isfinite(value) or (logarithmic and value <= 0):
        return -1
    away = np.abs(values - (math.log(value) if logarithmic else value))
    nearest = int(away.argmin())
    ordered = np.sort(values)
    if len(ordered) == 1:
        return nearest if math.isclose(numbers[0], value, rel_tol=1e-9) else -1
    first = nearest == int(values.argmin())
    edge = ordered[1] - ordered[0] if first else ordered[-1] - ordered[-2]
    inside = numbers.min() <= value <= numbers.max()
    return nearest if inside or away[nearest] <= edge / 2 else -1
