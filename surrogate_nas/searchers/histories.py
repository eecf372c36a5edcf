"""What the trials of studies had as parameters: their ranges, and when they were there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.searchers.parameter_spaces import ParameterSpace, parameters_with
from surrogate_nas.searchers.parameters import Parameter
from surrogate_nas.spaces.decisions import LEVELS

_FEW = 8  # so many trials show a rule of a whole number, even where each number occurs once

_UNNAMED = "no-name-"  # how Optuna calls studies without a name


@dataclass(frozen=True)
class Presence:
    """With which values of another parameter trials have this one."""

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class History:
    """Parameters of trials.

    Attributes:
        distributions: By name, the widest of all trials.
        contradictions: Why a parameter has none, by name.
        presence: Of a parameter that some trials lack: when it is there, or None without a rule.
    """

    distributions: dict[str, BaseDistribution]
    contradictions: dict[str, str]
    presence: dict[str, Presence | None]


def read_history(trials: Sequence[FrozenTrial]) -> History:
    """What trials had; those that did not complete do not say what is absent.

    The rule for a parameter is a categorical or whole parameter whose value decides. There must be
    twice as many trials as different values of it, or of whole numbers 8, and numbers
    with which the parameter is there must lie together. Values that never occurred count as with.
    """
    distributions: dict[str, BaseDistribution] = {}
    contradictions: dict[str, str] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            if distribution == distributions.setdefault(name, distribution):
                continue
            if name in contradictions:
                continue
            wider = _wider(distributions[name], distribution)
            if wider is None:
                contradictions[name] = f"{distributions[name]} and {distribution}"
            else:
                distributions[name] = wider
    for name in contradictions:
        del distributions[name]
    whole = [trial.params for trial in trials if trial.state == TrialState.COMPLETE]
    count = Counter(name for params in whole for name in params)
    presence = {
        name: _rule(name, whole, count, distributions)
        for name in distributions
        if 0 < count[name] < len(whole)
    }
    return History(distributions, contradictions, presence)


def _wider(a: BaseDistribution, b: BaseDistribution) -> BaseDistribution | None:
    """What covers two distributions; None where they contradict."""
    for kind in (IntDistribution, FloatDistribution):
        if isinstance(a, kind) and isinstance(b, kind) and a.log == b.log and a.step == b.step:
            low, high = min(a.low, b.low), max(a.high, b.high)
            if a.step is not None and abs((a.low - b.low) / a.step % 1 - 0.5) < 0.5 - 1e-8:
                return None  # the steps of one are between those of the other
            return kind(low, high, log=a.log, step=a.step)  # type: ignore[arg-type]
    return None


def _rule(
    name: str,
    trials: Sequence[Mapping[str, Any]],
    count: Mapping[str, int],
    distributions: Mapping[str, BaseDistribution],
) -> Presence | None:
    """The parameter that decides whether another is there: of the fewest values, then the first."""
    found: list[tuple[int, Presence]] = []
    for other, distribution in distributions.items():
        if count[other] <= count[name] or isinstance(distribution, FloatDistribution):
            continue
        beside = [params for params in trials if other in params]
        if any(name in params and other not in params for params in trials):
            continue
        present = {params[other] for params in beside if name in params}
        absent = {params[other] for params in beside if name not in params}
        if present & absent:
            continue
        seen = len(present) + len(absent)
        holding = _holding(distribution, present, absent)
        whole = isinstance(distribution, IntDistribution)
        enough = len(beside) >= (min(2 * seen, _FEW) if whole else 2 * seen)
        if holding is not None and enough:
            found.append((seen, Presence(other, holding)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _holding(
    distribution: BaseDistribution, present: set[Any], absent: set[Any]
) -> Callable[[Any], bool] | None:
    """With which values a parameter is there; those that never occurred count as with."""
    if isinstance(distribution, CategoricalDistribution):
        return lambda value: value not in absent
    below = [x for x in absent if x < min(present)]
    above = [x for x in absent if x > max(present)]
    if len(below) + len(above) < len(absent):
        return None
    low, high = max(below, default=-math.inf), min(above, default=math.inf)
    return lambda value: low < value < high


def conditioned(listed: Mapping[str, Parameter], history: History) -> dict[str, Parameter]:
    """Parameters with the conditions that a history shows, where what they name is listed."""
    found = {}
    for name, each in listed.items():
        rule = history.presence.get(name)
        if rule is not None and rule.name in listed:
            other = listed[rule.name]
            pairs = zip(other.decision.options, other.values, strict=True)
            holding = tuple(option for option, value in pairs if rule.holds(value))
            if 0 < len(holding) < len(other.values) and _all_values(other):
                condition = ((rule.name, holding),)
                each = replace(each, decision=replace(each.decision, when=condition))
        found[name] = each
    return found


def _all_values(other: Parameter) -> bool:
    """Whether no values share an option: at the edge of a rule they might disagree."""
    spread = other.distribution
    if not isinstance(spread, IntDistribution):
        return True
    return len(other.values) == (spread.high - spread.low) // spread.step + 1


def space_from_study(
    study: Study | Iterable[Study],
    *,
    name: str | None = None,
    levels: int | Mapping[str, int] = LEVELS,
) -> ParameterSpace:
    """A space of what the trials of a study suggested, see `space_from_distributions`.

    Of a parameter whose range changed, it has the widest. Where only some completed trials have a
    parameter, and the value of a categorical or whole one decides, it has that condition; without
    such a rule a decision ``has NAME`` says whether it is there.

    Args:
        study: The study, or several of the same parameters.
        name: Name of the space; None for that of the study, or ``parameters``.
        levels: How many levels a float without a step has, for all or by name, see there.

    Example:
        >>> import optuna
        >>> study = optuna.create_study(study_name="digits")
        >>> study.optimize(lambda trial: trial.suggest_int("depth", 1, 4) / 4, n_trials=3)
        >>> space = space_from_study(study)
        >>> space.name, space.decisions[0].options
        ('digits', ('1', '2', '3', '4'))

    Raises:
        InvalidArgumentError: If no trial has a parameter, trials contradict, a distribution is
            too fine, or a name has line breaks or blanks at its ends.
    """
    studies = [study] if isinstance(study, Study) else list(study)
    if not studies or not all(isinstance(one, Study) for one in studies):
        raise InvalidArgumentError(
            f"study must be an Optuna study or several, got {type(study).__name__}"
        )
    called = ", ".join(repr(one.study_name) for one in studies)
    trials = [trial for one in studies for trial in one.get_trials(deepcopy=False)]
    if not any(trial.distributions for trial in trials):
        raise InvalidArgumentError(
            f"study {called} must have a trial with parameters, got none: there is nothing to make "
            "a space of; give the parameters to space_from_distributions"
        )
    history = read_history(trials)
    for wrong, reason in history.contradictions.items():
        raise InvalidArgumentError(
            f"study {called} must have one kind of each parameter, but {wrong!r} is {reason}; "
            "leave a study out, or give one distribution to space_from_distributions"
        )
    listed = conditioned(parameters_with(history.distributions, levels), history)
    optional = frozenset(each for each in history.presence if listed[each].decision.when is None)
    if name is None and not studies[0].study_name.startswith(_UNNAMED):
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", studies[0].study_name).lstrip("-._")
    return ParameterSpace(name or "parameters", list(listed.values()), optional=optional)
