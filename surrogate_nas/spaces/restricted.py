"""A part of a space, such as the architectures of a partial table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.spaces.base import Architecture, Isomorphs, SearchSpace, frozen
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.rows import RowIndex


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
        """That of the whole space."""
        return self.whole.identity

    def with_isomorphs(self, isomorphs: Isomorphs) -> Self:
        """This subset with another rule of what counts as the same architecture."""
        whole = self.whole.with_isomorphs(isomorphs)
        return self if whole is self.whole else type(self)(whole, self._pool)

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
    def _pool(self) -> IntArray:
        if self.enumerable:
            return self._enumeration
        return frozen(self.from_index(self._members))

    @cached_property
    def size(self) -> int:
        """Number of different keys."""
        return len(self._members)

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

    def _pieces(self) -> tuple[str, Sequence[Mapping[str, int]]] | None:
        return self.whole._pieces()

    def format(self, arch: Architecture) -> str:
        """Write the community's notation."""
        return self.whole.format(arch)
