"""Spaces of stacks: a number of units, and the same decisions for each."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, Isomorphs, SearchSpace


def stack_decisions(kind: str, most: int, unit: Sequence[Decision]) -> tuple[Decision, ...]:
    """The number of units, 1 to ``most``, then the decisions of the first unit and so on."""
    return (
        Decision(f"{kind}s", tuple(str(i + 1) for i in range(most))),
        *(Decision(f"{kind}{i + 1}.{d.name}", d.options) for i in range(most) for d in unit),
    )


class StackSpace(SearchSpace):
    """A chain of 1 to a largest number of units; decisions of further units are inactive.

    Every encoding is valid, and inactive decisions are 0 in the canonical one. An architecture is
    written as its units. If inactive decisions are not 0, their units follow after ``|``.

    Attributes:
        kind: Name of a unit.
        joint: Joins the texts of units.
        unit: Number of decisions of a unit.
    """

    isomorphs: Isomorphs = "merged"
    kind: str
    joint: str
    unit: int

    @property
    def most(self) -> int:
        """The largest number of units."""
        return self.sizes[0]

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Set inactive decisions to 0: (n, decisions)."""
        choices = np.asarray(choices)
        used = np.repeat(self.used(choices), self.unit, axis=1)
        return np.concatenate([choices[:, :1], np.where(used, choices[:, 1:], 0)], axis=1)

    def is_valid(self, arch: Architecture) -> bool:
        """Whether this is an architecture of this space."""
        return self.number(arch) >= 0

    def canonical(self, arch: Architecture) -> Architecture:
        """Set inactive decisions to 0."""
        end = 1 + (1 + self.check(arch).choices[0]) * self.unit
        rest = len(self.sizes) - end
        return Architecture(self.name, (*arch.choices[:end], *(0,) * rest))

    @cached_property
    def size(self) -> int:
        """Number of different keys."""
        if self.isomorphs == "separate":
            return self.encodings
        one = math.prod(self.sizes[1 : 1 + self.unit])
        return sum(one**units for units in range(1, self.most + 1))

    def used(self, choices: IntArray) -> BoolArray:
        """Which units are active: bool (n, most)."""
        return np.asarray(np.arange(self.most) <= np.asarray(choices)[:, :1])

    def counted(self, arch: Architecture) -> list[tuple[int, ...]]:
        """The decisions of each active unit."""
        end = 1 + (1 + arch.choices[0]) * self.unit
        return [arch.choices[i : i + self.unit] for i in range(1, end, self.unit)]

    def units(self, choices: IntArray) -> IntArray:
        """The decisions of all units: int (n, most, unit)."""
        return np.asarray(choices)[:, 1:].reshape(len(choices), self.most, self.unit)

    @abstractmethod
    def _read_unit(self, decision: int, piece: str, text: str) -> list[int]:
        """The options of a unit whose first decision has this number, for `parse` of ``text``."""

    @abstractmethod
    def _write_unit(self, choices: Sequence[int]) -> str:
        """The inverse."""

    def parse(self, text: str) -> Architecture:
        """Read the units, and after ``|`` the inactive ones.

        Raises:
            ArchitectureError: If the text is anything else.
        """
        counted, bar, rest = text.partition("|")
        pieces = counted.split(self.joint)
        depth = len(pieces)
        if bar:
            pieces += rest.split(self.joint)
        if len(pieces) > self.most:
            raise ArchitectureError(
                f"architecture {text!r} has {len(pieces)} {self.kind}s, and {self.name!r} at most "
                f"{self.most}"
            )
        choices = [depth - 1]
        for piece in pieces:
            choices += self._read_unit(len(choices), piece, text)
        return self._wrap([*choices, *[0] * (len(self.sizes) - len(choices))])

    def format(self, arch: Architecture) -> str:
        """Write the units, and after ``|`` the inactive ones up to the last that is not 0."""
        depth, decisions = 1 + arch.choices[0], arch.choices[1:]
        units = [decisions[i : i + self.unit] for i in range(0, len(decisions), self.unit)]
        while len(units) > depth and not any(units[-1]):
            units.pop()
        texts = [self._write_unit(unit) for unit in units]
        counted, rest = (self.joint.join(part) for part in (texts[:depth], texts[depth:]))
        return f"{counted}|{rest}" if rest else counted
