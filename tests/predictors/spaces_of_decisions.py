"""Spaces of which the vocabulary knows nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.spaces.custom import CustomSpace


def unknown_space(
    decisions: Mapping[str, Sequence[str]], known: Mapping[str, str] | None = None
) -> CustomSpace:
    """A chain of decisions; the operations of options are unknown, but for ``known`` ones."""
    lines = ['name = "mine"', 'graph = "chain"']
    for name, options in decisions.items():
        lines += ["[[decisions]]", f'name = "{name}"', f"options = {list(options)}"]
    lines.append("[operations]")
    operations = {o: "unknown" for options in decisions.values() for o in options} | dict(
        known or {}
    )
    lines += [f'{o} = {{operation = "{operation}"}}' for o, operation in operations.items()]
    return CustomSpace("\n".join(lines))


def with_numbers(space: CustomSpace, values: Mapping[str, Sequence[float]]) -> CustomSpace:
    """The same space, in which some decisions are about numbers."""
    space.decisions = tuple(
        replace(d, kind="number", values=tuple(values[d.name])) if d.name in values else d
        for d in space.decisions
    )
    return space


class Conditional(CustomSpace):
    """The last decision is inactive where the first one has its first option."""

    def active(self, choices: IntArray) -> BoolArray:
        """All but the last, or all."""
        active = np.ones(np.shape(choices), dtype=np.bool_)
        active[:, -1] = np.asarray(choices)[:, 0] > 0
        return active

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The first option where a decision is inactive."""
        return np.asarray(np.where(self.active(choices), choices, 0))
