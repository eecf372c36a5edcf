"""Architectures as parameters of Optuna, and a space of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.searchers.parameters import Parameter, decision_parameter, parameter
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.custom import CustomSpace, declaration
from surrogate_nas.spaces.decisions import LEVELS, When, condition


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
        levels: How many levels a float without a step has, for all or by name. By name also how
            many a longer range of other numbers has.
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
    found = parameters_with(distributions, levels)
    conditions = when or {}
    listed = [
        replace(each, decision=replace(each.decision, when=condition(conditions.get(key))))
        for key, each in found.items()
    ]
    return ParameterSpace(name, listed)


def parameters_with(
    distributions: Mapping[str, BaseDistribution], levels: int | Mapping[str, int]
) -> dict[str, Parameter]:
    """Parameters by name, see `space_from_distributions` for the ``levels``."""
    found = {}
    for name, distribution in distributions.items():
        own = levels.get(name) if isinstance(levels, Mapping) else None
        common = LEVELS if isinstance(levels, Mapping) else levels
        found[name] = parameter(name, distribution, levels=common if own is None else own, most=own)
    return found
