"""Reads conditions of decisions out of the TOML text that declares a space."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from surrogate_nas.errors import UnknownNameError
from surrogate_nas.spaces.decisions import Condition, Decision, option_name
from surrogate_nas.spaces.toml_decisions import Mistake, Spec, Wanted, short

MOST_ASKED = 2_000_000  # total options of the decisions that conditions name

_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<|=)\s*(.+)", re.DOTALL)


def read_when(value: object, key: str, copy: int | None) -> Mapping[str, object]:
    """A condition as declared, with the number of a copy for ``{}``.

    Raises:
        Mistake: If it is no table, or has ``{}`` where nothing is repeated.
    """
    if not isinstance(value, dict) or not value:
        raise Mistake(
            f'{key}: must be a table like {{ depth = [3, 4] }} or {{ depth = ">= 3" }}, got '
            f"{short(value)}"
        )

    def numbered(text: object) -> object:
        if not isinstance(text, str) or "{}" not in text:
            return text
        if copy is None:
            raise Mistake(f"{key}: {{}} is the number of a copy, and there is no count here")
        return text.replace("{}", str(copy))

    return {
        cast(str, numbered(name)): [numbered(item) for item in wanted]
        if isinstance(wanted, list)
        else numbered(wanted)
        for name, wanted in value.items()
    }


class Resolver:
    """Resolves conditions to names of decisions and options, once all decisions are known."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        """Prepare for all decisions of the space."""
        self._specs = specs
        self.known = {spec.decision.name: spec.decision for spec in specs}
        self._options: dict[tuple[str, str], tuple[str, ...]] = {}
        self._asked = 0

    def decisions(self) -> tuple[Decision, ...]:
        """All decisions with their conditions.

        Raises:
            Mistake: If a condition names no decision, or no option of it.
        """
        return tuple(
            replace(spec.decision, when=self.when(spec.conditions))
            if spec.conditions
            else spec.decision
            for spec in self._specs
        )

    def when(self, conditions: Wanted) -> Condition | None:
        """Conditions by names of decisions and their options; None where there are none."""
        clauses: dict[tuple[str, tuple[str, ...]], None] = {}
        for key, wanted, prefixes in conditions:
            for name, value in wanted.items():
                decision = find(name, prefixes, self.known, key)
                clauses[decision.name, self._matching(decision, value, f"{key}.{name}")] = None
        return tuple(clauses) or None

    def _matching(self, decision: Decision, value: object, key: str) -> tuple[str, ...]:
        memo = decision.name, short(value)
        if memo not in self._options:
            self._asked += len(decision.options)
            if self._asked > MOST_ASKED:
                raise Mistake(f"{key}: all conditions together ask for too many options")
            options = _matching(decision, value, key)
            if not options:
                raise Mistake(
                    f"{key}: no option of {decision.name!r} is {short(value)} (choose from: "
                    f"{', '.join(decision.options[:50])})"
                )
            self._options[memo] = options
        return self._options[memo]


def find(name: str, prefixes: Sequence[str], known: Mapping[str, Decision], key: str) -> Decision:
    """A decision by its name, with the nearest of the prefixes before it."""
    for prefix in (*prefixes, ""):
        if prefix + name in known:
            return known[prefix + name]
    raise Mistake(f"{key}: {UnknownNameError('decision', name, known)}")


def _matching(decision: Decision, value: object, key: str) -> tuple[str, ...]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, list | dict) or decision.position(option_name(item)) < 0:
                reason = UnknownNameError(
                    f"{decision.name} option",
                    short(item) if isinstance(item, list | dict) else option_name(item),
                    decision.options,
                )
                raise Mistake(f"{key}: {reason}")
        chosen = {decision.position(option_name(item)) for item in value}
        return tuple(o for i, o in enumerate(decision.options) if i in chosen)
    if not isinstance(value, str | int | float):
        raise Mistake(
            f'{key}: must be an option, a list of options or a comparison like ">= 3", got '
            f"{short(value)}"
        )
    compared = _COMPARISON.fullmatch(value) if isinstance(value, str) else None
    if compared is None or decision.position(str(value)) >= 0:
        return _matching(decision, [value], key)
    return _compared(decision, compared[1], compared[2].strip(), key)


def _compared(decision: Decision, sign: str, text: str, key: str) -> tuple[str, ...]:
    number: float
    if decision.kind == "number":
        try:
            number = float(text)
        except ValueError:
            raise Mistake(f"{key}: {text!r} is no number to compare with") from None
        scale = [float(option) for option in decision.options]
    else:
        number = decision.position(text)
        if number < 0:
            raise Mistake(
                f"{key}: {UnknownNameError(f'{decision.name} option', text, decision.options)}"
            )
        if decision.kind == "categorical" and sign not in ("=", "==", "!="):
            raise Mistake(
                f"{key}: the options of {decision.name!r} have no order, so {sign} says nothing; "
                "list them, or declare them as ordinal"
            )
        scale = [float(i) for i in range(len(decision.options))]
    near = [math.isclose(x, number, rel_tol=1e-9) for x in scale]
    holds: dict[str, Callable[[int], bool]] = {
        "=": lambda i: near[i],
        "==": lambda i: near[i],
        "!=": lambda i: not near[i],
        ">": lambda i: scale[i] > number and not near[i],
        "<": lambda i: scale[i] < number and not near[i],
        ">=": lambda i: scale[i] > number or near[i],
        "<=": lambda i: scale[i] < number or near[i],
    }
    return tuple(option for i, option in enumerate(decision.options) if holds[sign](i))
