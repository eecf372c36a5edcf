"""Parameters of Optuna as decisions, and a space of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.custom import CustomSpace, declaration
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
    when: When = None,
    coarse: bool = False,
) -> Parameter:
    """A parameter as a decision.

    Args:
        name: The name of both.
        distribution: Optuna's. Categorical choices that are all numbers are ordered by value, on
            the scale, linear or logarithmic, on which they are spread more evenly.
        levels: How many levels the grid of a float without step has.
        when: The condition under which trials have it.
        coarse: Whether a range with too many numbers becomes a grid of levels, too.

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
    if distribution.single():
        decision = Decision.numbers(name, [distribution.low], when=when)
        return Parameter(decision, distribution, (distribution.low,))
    whole, low, high = (
        isinstance(distribution, IntDistribution),
        distribution.low,
        distribution.high,
    )
    step, count = distribution.step, None
    if whole or step is not None:
        count = math.floor((high - low) / (step or 1) + 1e-9) + 1
        if count > MOST_OPTIONS and not coarse:
            raise InvalidArgumentError(
                f"parameter {name!r}: {count} numbers are too many for a decision (limit "
                f"{MOST_OPTIONS}); give it a larger step, or log, or fewer numbers, got "
                f"{distribution!r}"
            )
    if count is None:
        made = Decision.real(name, low, high, levels=levels, log=distribution.log, when=when)
    elif count > MOST_OPTIONS:  # levels that are on the steps
        found = {
            round((x - low) / (step or 1)) * (step or 1) + low
            for x in np.linspace(low, high, levels).tolist()
        }
        made = Decision.numbers(name, sorted(found), log=distribution.log, when=when)
    elif whole:
        options = range(int(low), int(high) + 1, int(step or 1))
        made = Decision.numbers(name, options, log=distribution.log, when=when)
    else:
        made = Decision.real(name, low, high, step=step, when=when)
    kind = int if whole else float
    return Parameter(made, distribution, tuple(kind(option) for option in made.options))


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


class Parameters:
    """How architectures of a space are trials: parameters by name.

    Attributes:
        space: The space.
        listed: The parameter of each decision.
        distributions: Optuna's, by name.
    """

    def __init__(self, space: SearchSpace, listed: Sequence[Parameter]) -> None:
        """Pair the decisions of ``space`` with parameters."""
        self.space = space
        self.listed = tuple(listed)
        self.distributions = {each.decision.name: each.distribution for each in listed}

    def values(self, arch: Architecture) -> dict[str, Any]:
        """The parameters of an architecture, without those that are inactive."""
        active = self.space.active(np.array([arch.choices]))[0].tolist()
        return {
            each.decision.name: each.values[choice]
            for each, choice, counts in zip(self.listed, arch.choices, active, strict=True)
            if counts
        }

    def read(
        self, params: Mapping[str, Any], *, fill: frozenset[str] = frozenset()
    ) -> Architecture:
        """The architecture of parameters; others are passed over.

        Args:
            params: Values by name.
            fill: Names of parameters that may be missing, and are in the middle then.

        Raises:
            InvalidArgumentError: If a parameter is missing, or has a value that is no option.
        """

        def choose(i: int) -> int:
            found = self.listed[i]
            decision = found.decision
            if decision.name not in params:
                if found.presence_of is not None:
                    return int(found.presence_of in params)
                if decision.name in fill:
                    return found.middle
                raise InvalidArgumentError(f"the parameter {decision.name!r} is missing")
            option = found.option(params[decision.name])
            if option < 0:
                raise InvalidArgumentError(
                    f"parameter {decision.name!r} has no option "
                    f"{params[decision.name]!r} (choose from: {', '.join(decision.options)})"
                )
            return option

        return self.space.decide(choose)


class ParameterSpace(CustomSpace):
    """A space whose decisions are parameters of Optuna, see `space_from_distributions`.

    A parameter that some trials have and others do not, without a rule, is preceded by a decision
    ``has NAME``.

    Attributes:
        parameters: The pairs of decisions and parameters.
    """

    def __init__(
        self, name: str, listed: Sequence[Parameter], *, optional: frozenset[str] = frozenset()
    ) -> None:
        """Make a space of parameters, of which those called ``optional`` may be absent."""
        paired: list[Parameter] = []
        for each in listed:
            called = each.decision.name
            if not called.isprintable() or called != called.strip() or not called:
                raise InvalidArgumentError(
                    "the name of a parameter must be one line without blanks at its ends, got "
                    f"{called!r}; rename it"
                )
            if called in optional:
                present = Decision.boolean(f"has {called}", when=each.decision.when)
                paired.append(replace(decision_parameter(present), presence_of=called))
                there = ((present.name, ("true",)),)
                each = replace(each, decision=replace(each.decision, when=there))
            paired.append(each)
        by_name = {each.decision.name: each for each in paired}
        text = declaration(name, [each.decision for each in paired])
        super().__init__(text, source=f"space {name!r}")
        self.parameters = Parameters(
            self, [replace(by_name[d.name], decision=d) for d in self.decisions]
        )

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's distributions by name."""
        listed = self.parameters.listed
        return {p.decision.name: p.distribution for p in listed if p.presence_of is None}

    def params(self, arch: Architecture) -> dict[str, Any]:
        """What a trial with this architecture has as ``trial.params``.

        Raises:
            ArchitectureError: If it is not part of this space.
        """
        values = self.parameters.values(self.check(arch))
        return {name: values[name] for name in self.distributions if name in values}

    def from_params(self, params: Mapping[str, Any]) -> Architecture:
        """The architecture of a trial's ``params``: a number means its nearest level.

        Raises:
            InvalidArgumentError: If a parameter is missing, or beyond its range.
        """
        return self.parameters.read(params)


def space_from_distributions(
    distributions: Mapping[str, BaseDistribution],
    *,
    name: str = "parameters",
    levels: int | Mapping[str, int] = LEVELS,
    when: Mapping[str, When] | None = None,
) -> ParameterSpace:
    """A space of a search space of Optuna, to search, import and predict like all others.

    Its `ParameterSpace.params` and `ParameterSpace.from_params` lead to trials and back.
    Categorical choices that are numbers, ints and floats are numbers; a float without a step is a
    grid of levels.

    Args:
        distributions: By the name of the parameter, as a trial's ``distributions``.
        name: Name of the space.
        levels: How many levels a float without a step has, for all or by name.
        when: Conditions of parameters that only some trials have, for example
            ``{"momentum": {"optimizer": "sgd"}}``.

    Example:
        >>> from optuna.distributions import CategoricalDistribution, FloatDistribution
        >>> space = space_from_distributions(
        ...     {
        ...         "optimizer": CategoricalDistribution(["adam", "sgd"]),
        ...         "lr": FloatDistribution(1e-4, 1e-1, log=True),
        ...         "momentum": FloatDistribution(0, 0.9, step=0.3),
        ...     },
        ...     levels=4,
        ...     when={"momentum": {"optimizer": "sgd"}},
        ... )
        >>> space.size
        20
        >>> space.params(space.parse("adam:0.01:-"))
        {'optimizer': 'adam', 'lr': 0.01}

    Raises:
        InvalidArgumentError: If there are none, one is too fine, or a name has line breaks or
            blanks at its ends.
    """
    if not distributions:
        raise InvalidArgumentError(
            "distributions must have at least one parameter, got none: there is nothing to make a "
            "space of"
        )
    for key, given in (("levels", levels), ("when", when)):
        if isinstance(given, Mapping):
            for unknown in given.keys() - distributions.keys():
                raise InvalidArgumentError(
                    f"{key}: {UnknownNameError('parameter', unknown, distributions)}"
                )
    listed = [
        parameter(
            key,
            distribution,
            levels=levels.get(key, LEVELS) if isinstance(levels, Mapping) else levels,
            when=(when or {}).get(key),
        )
        for key, distribution in distributions.items()
    ]
    return ParameterSpace(name, listed)
