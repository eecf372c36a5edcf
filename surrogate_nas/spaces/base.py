"""Spaces of architectures: decisions with options, and rules over them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import (
    ArchitectureError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.spaces.architecture import Architecture, frozen
from surrogate_nas.spaces.decisions import Decision, Kind, Scale
from surrogate_nas.spaces.encodings import ENUMERABLE, Encodings, Isomorphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.rows import RowIndex

__all__ = [
    "ENUMERABLE",
    "Architecture",
    "Decision",
    "Isomorphs",
    "Kind",
    "RestrictedSpace",
    "SearchSpace",
    "frozen",
]

_TRIES = 20_000  # draws for one sample: enough where one encoding in a thousand is valid
_MOVES = 100  # draws for one mutation or crossover; then the neighbours are listed
_NOTHING_FOUND = "space {!r}: no valid encoding found by sampling"


class SearchSpace(Encodings, ABC):
    """A finite space of encodings ``choices``: one int a decision.

    A subclass sets `name` and `decisions`, and defines `graphs`, `parse` and `format`; where not
    every encoding is valid or several encodings are one network, also `valid` and
    `canonicalise`. Batch forms take and give int arrays (n, decisions). A space of `ENUMERABLE`
    encodings or more may override `is_valid` and `canonical` for speed.

    Decisions may have conditions, see `Decision`. An encoding is valid only if inactive decisions
    have their first option, so that each architecture has one encoding. All moves respect that.

    Attributes:
        name: The registered name.
        decisions: The decisions, in the order of an encoding.
        isomorphs: ``"separate"``: every encoding is its own architecture; ``"merged"``: encodings
            with one canonical form are the same, see `key`.
        graph_is_complete: Whether the graphs say all that the decisions do, in operations of the
            shared vocabulary. Predictors then learn from the graphs alone; in cells, decisions
            beside them make predictions worse.
        definition: The text that declares a user's space, see `custom.CustomSpace`; None for
            registered spaces.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> arch = space.parse("8:16:24:32:40")
        >>> arch.choices
        (0, 1, 2, 3, 4)
        >>> space.size, len(list(space.neighbours(arch)))
        (32768, 35)
        >>> rng = np.random.default_rng(0)
        >>> space.format(space.mutate(arch, rng))
        '8:16:24:16:40'
    """

    def restricted(self, choices: IntArray) -> SearchSpace:
        """The part of this space whose keys are those of ``choices`` (n, decisions)."""
        return RestrictedSpace(self, choices)

    # Moves --------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw uniformly from the valid encodings.

        Where decisions have conditions, those that are active are drawn uniformly.
        """
        for _ in range(_TRIES):
            draws = rng.random(len(self.sizes)).tolist()
            drawn = [int(x * n) for x, n in zip(draws, self.sizes, strict=True)]
            if self._conditions is not None:
                active = self._conditions.active_of(drawn)
                drawn = [x if counts else 0 for x, counts in zip(drawn, active, strict=True)]
            arch = self._wrap(drawn)
            if self.is_valid(arch):
                return arch
        raise SurrogateNASError(_NOTHING_FOUND.format(self.name))

    def sample_choices(self, rng: np.random.Generator, n: int) -> IntArray:
        """Draw n encodings as `sample` does, with repetition: int16 (n, decisions)."""
        parts: list[IntArray] = []
        missing = n
        for _ in range(_TRIES):
            shape = missing, len(self.sizes)
            drawn = self.settled(rng.integers(self.sizes, size=shape, dtype=np.int16))
            drawn = drawn[self.valid(drawn)]
            parts.append(drawn)
            missing -= len(drawn)
            if missing == 0:
                return np.concatenate(parts)
        raise SurrogateNASError(_NOTHING_FOUND.format(self.name))

    def mutate(self, arch: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one active decision, drawn uniformly, to another option; the result is valid.

        The other options of an unordered decision are equally likely; of an ordered one the nearer
        are more likely, see `Scale`. Decisions that become active are drawn uniformly. If no single
        change is valid, the result is a sample.
        """
        choices = arch.choices
        conditions, candidates = self._conditions, self._open
        active: Sequence[bool] = ()
        if conditions is not None:
            active = conditions.active_of(choices)
            candidates = tuple(i for i in candidates if active[i])
        for _ in range(_MOVES if candidates else 0):
            # One draw for both decision and option: calls into the generator dominate the cost.
            draw = rng.random() * len(candidates)
            i = candidates[int(draw)]
            scale = self._scales[i]
            if scale is None:
                option = int(draw % 1 * (self.sizes[i] - 1))
                option += option >= choices[i]
            else:
                option = scale.move(choices[i], draw % 1)
            changed: Sequence[int] = (*choices[:i], option, *choices[i + 1 :])
            if conditions is not None:
                changed = conditions.changed(changed, active, rng)
            mutant = self._wrap(changed)
            if self.is_valid(mutant):
                return mutant
        near = self.neighbour_choices(np.array([choices]))
        return self._wrap(near[rng.integers(len(near))]) if len(near) else self.sample(rng)

    @cached_property
    def _open(self) -> tuple[int, ...]:
        return tuple(i for i, size in enumerate(self.sizes) if size > 1)

    @cached_property
    def _scales(self) -> tuple[Scale | None, ...]:
        return tuple(Scale(d) if d.ordered else None for d in self.decisions)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Uniform crossover: each decision from either parent; ``a`` if no child is valid.

        A decision that is inactive in one parent comes from the other.
        """
        for _ in range(_MOVES):
            draws = rng.random(len(self.sizes)).tolist()
            if self._conditions is None:
                child = self._wrap(
                    x if p < 0.5 else y for x, y, p in zip(a.choices, b.choices, draws, strict=True)
                )
            else:
                from_a = [p < 0.5 for p in draws]
                child = self._wrap(self._conditions.crossed(a.choices, b.choices, from_a))
            if self.is_valid(child):
                return child
        return a

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        """Valid architectures that differ in one decision, each key once, never ``arch``'s own.

        Of ordered decisions with many options these are the near ones, see `Scale`. Decisions
        that a change makes active or inactive have their first option.
        """
        for row in self.neighbour_choices(np.array([arch.choices])):
            yield self._wrap(row)

    def neighbour_choices(self, choices: IntArray) -> IntArray:
        """Neighbours of any of n encodings, each key once, without the n themselves.

        Args:
            choices: int (n, decisions).

        Returns:
            int16 (m, decisions), in the order of the decisions and options; of ordered decisions
            the nearest first.
        """
        base = np.asarray(choices, dtype=np.int16)
        parts = []
        for i, n in enumerate(self.sizes):
            scale = self._scales[i]
            options = np.arange(n)[None] if scale is None else scale.near()[base[:, i]]
            moved = np.repeat(base[:, None, :], options.shape[1], axis=1)
            moved[:, :, i] = options
            parts.append(moved[base[:, i : i + 1] != options])
        found = self.settled(np.concatenate(parts))
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
        choices, good = self._read_all(texts)
        good[good] = self.valid(choices[good])
        errors = {}
        for position in np.flatnonzero(~good).tolist():
            try:
                choices[position] = self.parse(texts[position]).choices
            except ArchitectureError as error:
                choices[position], errors[position] = 0, error
        return choices, errors

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        """Read the texts that can be read in a fast way: none, unless a subclass has one.

        Returns:
            int16 (n, decisions), in range, and bool (n,), whether each text was read.
        """
        n = len(texts)
        return np.zeros((n, len(self.sizes)), dtype=np.int16), np.zeros(n, dtype=np.bool_)

    @abstractmethod
    def format(self, arch: Architecture) -> str:
        """Write the community's notation; `parse` is the inverse."""

    def _option(self, decision: int, name: str, text: str) -> int:
        """The number of a named option, for `parse` of ``text``."""
        options = self.decisions[decision].options
        if name not in options:
            kind = f"{self.decisions[decision].name} option"
            reason = UnknownNameError(kind, name, options)
            raise ArchitectureError(f"architecture {text!r}: {reason}")
        return options.index(name)


class RestrictedSpace(SearchSpace):
    """A subset of a space: it samples, mutates and has neighbours inside it only."""

    def __init__(self, whole: SearchSpace, choices: IntArray) -> None:
        """Keep the part of ``whole`` whose keys are those of ``choices`` (n, decisions)."""
        if len(choices) == 0:
            raise InvalidArgumentError(f"a restriction of {whole.name!r} needs an architecture")
        choices = whole.check_all(choices)
        self.whole = whole
        self.name = whole.name
        self.decisions = whole.decisions
        self.isomorphs = whole.isomorphs
        self.definition = whole.definition
        self._members = np.unique(whole.index(whole.keys(choices)))
        self._rows = RowIndex(whole, self._members)

    @property
    def identity(self) -> str:
        """The identity of the whole space."""
        return self.whole.identity

    def with_isomorphs(self, isomorphs: Isomorphs) -> Self:
        """This subset with another rule of what counts as the same architecture."""
        whole = self.whole.with_isomorphs(isomorphs)
        return self if whole is self.whole else type(self)(whole, self._pool)

    def active(self, choices: IntArray) -> BoolArray:
        """As in the whole space."""
        return self.whole.active(choices)

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings are valid and belong to the subset: bool (n,)."""
        choices = np.asarray(choices)
        valid = self.whole.valid(choices)
        valid[valid] = self._rows.find(self.whole.keys(choices[valid])) >= 0
        return valid

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Canonical encodings, as in the whole space."""
        return self.whole.canonicalise(choices)

    def canonical(self, arch: Architecture) -> Architecture:
        """Canonical form, as in the whole space."""
        return self.whole.canonical(arch)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw uniformly from the encodings of the subset."""
        return self._wrap(self._pool[int(rng.random() * len(self._pool))])

    def sample_choices(self, rng: np.random.Generator, n: int) -> IntArray:
        """Draw n encodings of the subset uniformly, with repetition: int16 (n, decisions)."""
        pool = self._pool
        return pool[rng.integers(len(pool), size=n)]

    @cached_property
    def enumerable(self) -> bool:
        """Whether the subset can be listed, however large the whole is."""
        return self._tabulated or self.size < ENUMERABLE

    @cached_property
    def _enumeration(self) -> IntArray:
        # In a larger space, one encoding for each key: those of one canonical form are not known.
        return self._unique if self.enumerable and not self._tabulated else super()._enumeration

    @property
    def _extent(self) -> str:
        return f"{self.size} architectures"

    @cached_property
    def _pool(self) -> IntArray:
        return self._enumeration if self.enumerable else self._unique

    @cached_property
    def size(self) -> int:
        """Number of different keys."""
        return len(self._members)

    def _shown_size(self) -> str:
        return f"{self.size} of {super()._shown_size()}"

    @cached_property
    def _unique(self) -> IntArray:
        return frozen(self.from_index(self._members))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """As in the whole space."""
        return self.whole.graphs(choices)

    def parse(self, text: str) -> Architecture:
        """Read the community's notation; the architecture must be in the subset."""
        arch = self.whole.parse(text)
        if not self.is_valid(arch):
            raise ArchitectureError(
                f"architecture {text!r} is valid in {self.name!r}, but not among the {self.size} "
                "that are available here"
            )
        return arch

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return self.whole._read_all(texts)

    def format(self, arch: Architecture) -> str:
        """Write the community's notation."""
        return self.whole.format(arch)
