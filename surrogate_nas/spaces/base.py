"""What a space of architectures is: decisions with options, and rules over them."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Literal, Self, get_args

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import (
    ArchitectureError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.spaces.graphs import ArchGraphs

Isomorphs = Literal["separate", "merged"]

ENUMERABLE = 100_000
"""Spaces with fewer encodings are enumerated, scored and cached as a whole."""

_TRIES = 20_000  # draws for one sample: enough where one encoding in a thousand is valid
_MOVES = 100  # draws for one mutation or crossover; then the neighbours are listed
_NOTHING_FOUND = "space {!r}: no valid encoding found by sampling"


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One architecture: its space's name and one option number a decision."""

    space: str
    choices: tuple[int, ...]


Kind = Literal["categorical", "ordinal", "number"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision and the names of its options.

    Attributes:
        name: Its name, unique in its space.
        options: Names of the options.
        kind: ``"categorical"``: options are only equal or different; ``"ordinal"``: their order
            counts; ``"number"``: so do their values.
        values: The number that each option stands for, on the scale on which equal steps mean
            equally much; None where the options are no numbers.
    """

    name: str
    options: tuple[str, ...]
    kind: Kind = "categorical"
    values: tuple[float, ...] | None = None


class SearchSpace(ABC):
    """A finite space of encodings ``choices``: one int a decision.

    A subclass sets `name` and `decisions`, and defines `graphs`, `parse` and `format`; where not
    every encoding is valid or several encodings are one network, also `valid` and
    `canonicalise`. Batch forms take and give int arrays (n, decisions). Where the space is below
    `ENUMERABLE`, the forms for one architecture read tables that the batch forms fill once; a
    larger space may override `is_valid` and `canonical` for speed.

    Attributes:
        name: The registered name.
        decisions: The decisions, in the order of an encoding.
        isomorphs: ``"separate"``: every encoding is its own architecture; ``"merged"``: encodings
            with one canonical form are the same, see `key`.
        definition: The text that declares a space of one's own, see `custom.CustomSpace`; None
            for all others, which have their name.
    """

    name: str
    decisions: tuple[Decision, ...]
    isomorphs: Isomorphs = "separate"
    definition: str | None = None

    @property
    def identity(self) -> str:
        """What tells this space from all others: its name, where that is registered."""
        return self.name

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of options of each decision."""
        return tuple(len(decision.options) for decision in self.decisions)

    @cached_property
    def encodings(self) -> int:
        """Number of encodings, valid or not."""
        return math.prod(self.sizes)

    @cached_property
    def size(self) -> int:
        """Number of different keys, counted by enumeration (spaces below `ENUMERABLE`)."""
        return len(self.unique())

    @property
    def countable(self) -> bool:
        """Whether `size` is known: by enumeration, or because a subclass has another way."""
        return self.enumerable or type(self).size is not SearchSpace.size

    # Encodings as numbers -----------------------------------------------------------------

    @cached_property
    def _radix(self) -> IntArray:
        weights = [1]
        for size in reversed(self.sizes[1:]):
            weights.append(weights[-1] * size)
        if weights[-1] * self.sizes[0] >= 2**63:
            raise InvalidArgumentError(
                f"space {self.name!r} has more than 2**63 encodings, so they have no number"
            )
        return np.array(weights[::-1], dtype=np.int64)

    def index(self, choices: IntArray) -> IntArray:
        """Mixed-radix number of each encoding, the first decision most significant.

        Args:
            choices: int (n, decisions), in range.

        Returns:
            int64 (n,).
        """
        return np.asarray(np.asarray(choices, dtype=np.int64) @ self._radix)

    def from_index(self, index: IntArray) -> IntArray:
        """Inverse of `index`: int16 (n, decisions)."""
        numbers = np.asarray(index, dtype=np.int64)[:, None] // self._radix
        return np.asarray(numbers % np.array(self.sizes), dtype=np.int16)

    def all_choices(self) -> IntArray:
        """All valid encodings in the order of `index`: int16 (n, decisions).

        Raises:
            InvalidArgumentError: If the space is not below `ENUMERABLE`.
        """
        return self._enumeration

    def unique(self) -> IntArray:
        """One encoding for each key, in the order of `index`: int16 (n, decisions)."""
        return self._unique

    @cached_property
    def _enumeration(self) -> IntArray:
        if not self.enumerable:
            raise InvalidArgumentError(
                f"space {self.name!r} has {self.encodings} encodings, too many to list them all "
                f"(limit {ENUMERABLE}); sample it instead"
            )
        choices = self.from_index(np.arange(self.encodings))
        return frozen(choices[self.valid(choices)])

    @cached_property
    def _unique(self) -> IntArray:
        numbers = np.unique(self.index(self.keys(self._enumeration)))
        return frozen(self.from_index(numbers))

    @cached_property
    def enumerable(self) -> bool:
        """Whether all encodings can be listed and scored at once."""
        return self.encodings < ENUMERABLE

    # Validity and equality ----------------------------------------------------------------

    def active(self, choices: IntArray) -> BoolArray:
        """Which decisions say something about each encoding: bool (n, decisions).

        All do, unless a subclass has conditions; an inactive decision has its first option.
        """
        return np.ones(np.shape(choices), dtype=np.bool_)

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings are architectures: bool (n,). All are, unless a subclass says so."""
        return np.ones(len(choices), dtype=np.bool_)

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
        if self.enumerable:
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
        if not self.enumerable:
            return self._wrap(self.canonicalise(np.array([arch.choices]))[0])
        number = int(self._canonical_numbers[number])
        choices = []
        for size in reversed(self.sizes):
            number, choice = divmod(number, size)
            choices.append(choice)
        return self._wrap(choices[::-1])

    def key(self, arch: Architecture) -> Architecture:
        """What a search treats as the same: the encoding, or its canonical form if merged."""
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

    def restricted(self, choices: IntArray) -> SearchSpace:
        """The part of this space whose keys are those of ``choices`` (n, decisions)."""
        from surrogate_nas.spaces.restricted import RestrictedSpace

        return RestrictedSpace(self, choices)

    # Moves --------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw uniformly from the valid encodings."""
        for _ in range(_TRIES):
            draws = rng.random(len(self.sizes)).tolist()
            arch = self._wrap(int(x * n) for x, n in zip(draws, self.sizes, strict=True))
            if self.is_valid(arch):
                return arch
        raise SurrogateNASError(_NOTHING_FOUND.format(self.name))

    def sample_choices(self, rng: np.random.Generator, n: int) -> IntArray:
        """Draw n valid encodings uniformly, with repetition: int16 (n, decisions)."""
        parts: list[IntArray] = []
        missing = n
        for _ in range(_TRIES):
            drawn = rng.integers(self.sizes, size=(missing, len(self.sizes)), dtype=np.int16)
            drawn = drawn[self.valid(drawn)]
            parts.append(drawn)
            missing -= len(drawn)
            if missing == 0:
                return np.concatenate(parts)
        raise SurrogateNASError(_NOTHING_FOUND.format(self.name))

    def mutate(self, arch: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one decision, drawn uniformly, to another option; the result is valid.

        Where no single change is valid, the result is a sample.
        """
        choices = arch.choices
        for _ in range(_MOVES):
            # One draw for both decision and option: calls into the generator dominate the cost.
            place = rng.random() * len(self._open)
            i = self._open[int(place)]
            option = int(place % 1 * (self.sizes[i] - 1))
            option += option >= choices[i]
            mutant = Architecture(self.name, (*choices[:i], option, *choices[i + 1 :]))
            if self.is_valid(mutant):
                return mutant
        near = self.neighbour_choices(np.array([choices]))
        return self._wrap(near[rng.integers(len(near))]) if len(near) else self.sample(rng)

    @cached_property
    def _open(self) -> tuple[int, ...]:
        return tuple(i for i, size in enumerate(self.sizes) if size > 1)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Uniform crossover: each decision from either parent; ``a`` if no child is valid."""
        for _ in range(_MOVES):
            draws = rng.random(len(self.sizes)).tolist()
            child = self._wrap(
                x if p < 0.5 else y for x, y, p in zip(a.choices, b.choices, draws, strict=True)
            )
            if self.is_valid(child):
                return child
        return a

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        """Valid architectures that differ in one decision, each key once, never ``arch``'s own."""
        for row in self.neighbour_choices(np.array([arch.choices])):
            yield self._wrap(row)

    def neighbour_choices(self, choices: IntArray) -> IntArray:
        """Neighbours of any of n encodings, each key once, without the n themselves.

        Args:
            choices: int (n, decisions).

        Returns:
            int16 (m, decisions), in the order of the decisions and options.
        """
        base = np.asarray(choices, dtype=np.int16)
        parts = []
        for i, n in enumerate(self.sizes):
            moved = np.repeat(base[:, None, :], n, axis=1)
            moved[:, :, i] = np.arange(n)
            parts.append(moved[base[:, i : i + 1] != np.arange(n)])
        found = np.concatenate(parts)
        found = found[self.valid(found)]
        number = self.index(self.keys(found))
        fresh = ~np.isin(number, self.index(self.keys(base)))
        first = np.unique(number[fresh], return_index=True)[1]
        return found[fresh][np.sort(first)]

    # Views --------------------------------------------------------------------------------

    @abstractmethod
    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The architectures (n, decisions) as batched graphs in the shared vocabulary."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """Read the community's notation.

        Raises:
            ArchitectureError: If the text is not in the notation or not valid.
        """

    def parse_all(self, texts: Sequence[str]) -> tuple[IntArray, dict[int, ArchitectureError]]:
        """Batch form of `parse`.

        Returns:
            int16 (n, decisions), zeros where a text is no architecture, and by its position the
            error that `parse` raises for it.
        """
        numbers = self._numbers(texts)
        choices = self.from_index(np.maximum(numbers, 0))
        good = numbers >= 0
        good[good] = self.valid(choices[good])
        errors = {}
        for position in np.flatnonzero(~good).tolist():
            try:
                choices[position] = self.parse(texts[position]).choices
            except ArchitectureError as error:
                choices[position], errors[position] = 0, error
        return choices, errors

    def _numbers(self, texts: Sequence[str]) -> IntArray:
        """`index` of the texts that consist of `_pieces`, -1 for all others: int64 (n,)."""
        numbers = np.full(len(texts), -1, dtype=np.int64)
        pieces = self._pieces()
        if pieces is None:
            return numbers
        separator, tables = pieces
        last = len(tables) - 1
        fitting = np.array([text.count(separator) == last for text in texts], dtype=np.bool_)
        # One flat list: a list for each text would cost more than all the rest.
        fit = [texts[i] for i in np.flatnonzero(fitting).tolist()]
        flat = separator.join(fit).split(separator)
        total = np.zeros(len(fit), dtype=np.int64)
        for i, table in enumerate(tables):
            column = map(table.get, flat[i :: last + 1], repeat(-1))
            found = np.fromiter(column, dtype=np.int64, count=len(fit))
            total = np.where((total < 0) | (found < 0), -1, total + found)
        numbers[fitting] = total
        return numbers

    def _pieces(self) -> tuple[str, Sequence[Mapping[str, int]]] | None:
        """What lets `parse_all` read many texts fast: pieces that a separator joins.

        Returns:
            The separator, and for each piece its texts with their numbers, which add up to the
            `index` of an encoding. None where there is no such thing.
        """
        return None

    def _joined(self, separator: str) -> tuple[str, Sequence[Mapping[str, int]]]:
        """The pieces where an option a decision is a piece."""
        return separator, [
            {option: number * weight for number, option in enumerate(decision.options)}
            for decision, weight in zip(self.decisions, self._radix.tolist(), strict=True)
        ]

    @abstractmethod
    def format(self, arch: Architecture) -> str:
        """Write the community's notation; `parse` is the inverse."""

    def architecture(self, choices: IntArray) -> Architecture:
        """One encoding (decisions,) as an `Architecture`, checked."""
        return self.check(self._wrap(choices))

    def _option(self, decision: int, name: str, text: str) -> int:
        """The number of a named option, for `parse` of ``text``."""
        options = self.decisions[decision].options
        if name not in options:
            kind = f"{self.decisions[decision].name} option"
            reason = UnknownNameError(kind, name, options)
            raise ArchitectureError(f"architecture {text!r}: {reason}")
        return options.index(name)

    def _wrap(self, choices: Iterable[int] | IntArray) -> Architecture:
        values = choices.tolist() if isinstance(choices, np.ndarray) else choices
        return Architecture(self.name, tuple(values))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, isomorphs={self.isomorphs!r})"


def frozen(array: IntArray) -> IntArray:
    """The same array, made read-only: for arrays that are handed out again and again."""
    array.setflags(write=False)
    return array
