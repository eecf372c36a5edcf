"""The encodings of a space: which are valid, which are equal, and their numbers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self, get_args

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.spaces.architecture import Architecture, frozen
from surrogate_nas.spaces.conditions import Conditions
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.numbering import Numbering, Numbers

Isomorphs = Literal["separate", "merged"]

ENUMERABLE = 100_000
"""Spaces with fewer encodings than this, and parts with fewer rows, can be listed."""

_LARGE = 10**9  # numbers of encodings that are shown as a power of ten


class Encodings:
    """Encodings ``choices`` of a finite space, one int a decision: their numbers and equality.

    Batch forms take and give int arrays (n, decisions). Where there are less than `ENUMERABLE`,
    the forms for one architecture read tables that the batch forms fill once.

    Attributes:
        name: The registered name.
        decisions: The decisions, in the order of an encoding.
        isomorphs: ``"separate"``: every encoding is its own architecture; ``"merged"``: encodings
            with one canonical form are the same, see `key`.
        definition: The text that declares a user's space, see `custom.CustomSpace`; None for
            registered spaces.
    """

    name: str
    decisions: tuple[Decision, ...]
    isomorphs: Isomorphs = "separate"
    definition: str | None = None
    graph_is_complete: ClassVar[bool] = False

    @property
    def identity(self) -> str:
        """A text that differs for different spaces: the name of a registered one."""
        return self.name

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of options of each decision."""
        return tuple(len(decision.options) for decision in self.decisions)

    @cached_property
    def encodings(self) -> int:
        """Number of encodings, valid or not."""
        return self._numbering.count

    @cached_property
    def size(self) -> int:
        """Number of different keys, counted by enumeration (spaces below `ENUMERABLE`)."""
        return len(self.unique())

    @property
    def countable(self) -> bool:
        """Whether `size` is known, by enumeration or in a way of the subclass."""
        return self.enumerable or type(self).size is not Encodings.size

    # Encodings as numbers -----------------------------------------------------------------

    @cached_property
    def _numbering(self) -> Numbering:
        return Numbering(self.sizes)

    def index(self, choices: IntArray) -> Numbers:
        """Mixed-radix number of each encoding, the first decision most significant.

        Args:
            choices: int (n, decisions), in range.

        Returns:
            int64 (n,); in a space of more than 2**63 encodings bytes (n,), see `Numbering`.
        """
        return self._numbering.number(choices)

    def from_index(self, index: Numbers | Sequence[int]) -> IntArray:
        """Inverse of `index`, also of Python's ints: int16 (n, decisions)."""
        return self._numbering.choices(index)

    def all_choices(self) -> IntArray:
        """All valid encodings in the order of `index`: int16 (n, decisions).

        Raises:
            InvalidArgumentError: If the space is not `enumerable`.
        """
        return self._enumeration

    def unique(self) -> IntArray:
        """One encoding for each key, in the order of `index`: int16 (n, decisions)."""
        return self._unique

    @cached_property
    def _enumeration(self) -> IntArray:
        if not self.enumerable:
            raise InvalidArgumentError(
                f"space {self.name!r} has {self._extent}, too many to list them all "
                f"(limit {ENUMERABLE}); sample it instead"
            )
        choices = self.from_index(np.arange(self.encodings))
        return frozen(choices[self.valid(choices)])

    @property
    def _extent(self) -> str:
        """The size of the space, for messages."""
        return f"{self.encodings} encodings"

    @cached_property
    def _unique(self) -> IntArray:
        numbers = np.unique(self.index(self.keys(self._enumeration)))
        return frozen(self.from_index(numbers))

    @cached_property
    def enumerable(self) -> bool:
        """Whether all architectures, one for each key, can be listed and scored at once."""
        return self._tabulated

    @cached_property
    def _tabulated(self) -> bool:
        """Whether tables have an entry for each encoding."""
        return self.encodings < ENUMERABLE

    # Validity and equality ----------------------------------------------------------------

    def active(self, choices: IntArray) -> BoolArray:
        """Which decisions are active in each encoding: bool (n, decisions).

        A decision is inactive if its condition does not hold; it then has its first option.
        """
        if self._conditions is None:
            return np.ones(np.shape(choices), dtype=np.bool_)
        return self._conditions.active(np.asarray(choices))

    @cached_property
    def _conditions(self) -> Conditions | None:
        conditional = any(decision.when for decision in self.decisions)
        return Conditions(self.decisions) if conditional else None

    def settled(self, choices: IntArray) -> IntArray:
        """Encodings with the first option for each inactive decision: (n, decisions)."""
        choices = np.asarray(choices)
        return choices if self._conditions is None else self._conditions.settle(choices)

    def decide(self, choose: Callable[[int], int]) -> Architecture:
        """The encoding that results from choosing an option for each active decision.

        Args:
            choose: Called with the position of a decision, after those that its condition names;
                returns the number of an option.
        """
        if self._conditions is None:
            return self._wrap(map(choose, range(len(self.decisions))))
        return self._wrap(self._conditions.decide(choose))

    def chosen(self, arch: Architecture) -> dict[str, str | float | bool]:
        """The options of the active decisions by name; options that are numbers as numbers.

        Raises:
            ArchitectureError: If it is not part of this space.
        """
        active = self.active(np.array([self.check(arch).choices]))[0].tolist()
        decided = zip(self.decisions, arch.choices, active, strict=True)
        return {d.name: d.value(choice) for d, choice, counts in decided if counts}

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings are architectures: bool (n,).

        Unless a subclass defines it, those in which each inactive decision has its first option.
        """
        if self._conditions is None:
            return np.ones(len(choices), dtype=np.bool_)
        return np.asarray((self.settled(choices) == choices).all(axis=1))

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Canonical encoding of each by the community's own rule of isomorphism: (n, decisions)."""
        return np.asarray(choices)

    def keys(self, choices: IntArray) -> IntArray:
        """Batch form of `key`: int (n, decisions)."""
        return self.canonicalise(choices) if self.isomorphs == "merged" else np.asarray(choices)

    def is_valid(self, arch: Architecture) -> bool:
        """Whether this is an architecture of this space."""
        number = self.number(arch)
        if number < 0:
            return False
        if self._tabulated:
            return bool(self._validity[number])
        return bool(self.valid(np.array([arch.choices]))[0])

    def number(self, arch: Architecture) -> int:
        """`index` of one encoding; -1 where it is out of range or of another space."""
        if arch.space != self.name or len(arch.choices) != len(self.sizes):
            return -1
        number = 0
        for choice, size in zip(arch.choices, self.sizes, strict=True):
            if not 0 <= choice < size:
                return -1
            number = number * size + int(choice)
        return number

    @cached_property
    def _validity(self) -> bytes:
        return self.valid(self.from_index(np.arange(self.encodings))).tobytes()

    @cached_property
    def _canonical_numbers(self) -> IntArray:
        canonical = self.canonicalise(self.from_index(np.arange(self.encodings)))
        return self.index(canonical).astype(np.int32)

    def check(self, arch: Architecture) -> Architecture:
        """Return ``arch``, or raise `ArchitectureError` if it is not part of this space."""
        if not self.is_valid(arch):
            raise ArchitectureError(
                f"{arch.choices} of space {arch.space!r} is not an architecture of {self.name!r} "
                f"(sizes of the decisions: {self.sizes})"
            )
        return arch

    def check_all(self, choices: IntArray) -> IntArray:
        """Batch form of `check`: return ``choices``, int (n, decisions).

        Raises:
            InvalidArgumentError: If the shape or type is another.
            ArchitectureError: If a row is not part of this space; the message shows the first.
        """
        choices = np.asarray(choices)
        if (
            choices.ndim != 2
            or choices.shape[1] != len(self.sizes)
            or choices.dtype.kind not in "iu"
        ):
            raise InvalidArgumentError(
                f"choices of {self.name!r} must be integers of the shape (n, {len(self.sizes)}), "
                f"got {choices.dtype} of the shape {choices.shape}"
            )
        inside = (choices >= 0) & (choices < np.array(self.sizes))
        good: BoolArray = np.logical_and.reduce(inside, axis=1)
        good[good] = self.valid(choices[good])
        if not good.all():
            self.check(self._wrap(choices[np.argmin(good)]))
        return choices

    def canonical(self, arch: Architecture) -> Architecture:
        """Canonical form by the community's own rule of isomorphism.

        Raises:
            ArchitectureError: If the encoding is not part of this space.
        """
        number = self.number(arch)
        if number < 0:
            return self.check(arch)
        if not self._tabulated:
            return self._wrap(self.canonicalise(np.array([arch.choices]))[0])
        number = int(self._canonical_numbers[number])
        choices = []
        for size in reversed(self.sizes):
            number, choice = divmod(number, size)
            choices.append(choice)
        return self._wrap(choices[::-1])

    def key(self, arch: Architecture) -> Architecture:
        """What equal architectures share: the encoding, or its canonical form if merged."""
        return self.canonical(arch) if self.isomorphs == "merged" else arch

    def with_isomorphs(self, isomorphs: Isomorphs) -> Self:
        """This space with another rule of what counts as the same architecture.

        Raises:
            InvalidArgumentError: If it is neither ``"separate"`` nor ``"merged"``.
        """
        if isomorphs not in get_args(Isomorphs):
            raise InvalidArgumentError(
                f"isomorphs must be 'separate' or 'merged', got {isomorphs!r}"
            )
        if isomorphs == self.isomorphs:
            return self
        other = copy.copy(self)
        for cached in ("size", "_unique"):
            other.__dict__.pop(cached, None)
        other.isomorphs = isomorphs
        return other

    def architecture(self, choices: IntArray) -> Architecture:
        """One encoding (decisions,) as an `Architecture`, checked."""
        return self.check(self._wrap(choices))

    def _wrap(self, choices: Iterable[int] | IntArray) -> Architecture:
        values = choices.tolist() if isinstance(choices, np.ndarray) else choices
        return Architecture(self.name, tuple(values))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, {len(self.sizes)} decisions, "
            f"{self._shown_size()} encodings, isomorphs={self.isomorphs!r})"
        )

    def _shown_size(self) -> str:
        """The number of encodings, as a text."""
        count = math.prod(self.sizes)
        return str(count) if count < _LARGE else f"1e{math.log10(count):.0f}"
