"""Architectures together with decisions beside them, such as a learning rate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import count as count_from

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.spaces.base import Architecture, RestrictedSpace, SearchSpace
from surrogate_nas.spaces.conditions import Conditions
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.graphs import ArchGraphs


class JointSpace(SearchSpace):
    """All combinations of the architectures of a space with further decisions.

    The graph is that of the architecture. One combination is written as the architecture and,
    each after an ``@``, the option of each further decision.

    Attributes:
        architectures: The space of the first decisions.
        beside: The further decisions, which follow them. Their conditions may name any decision.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> rate = Decision.real("lr", 1e-4, 1e-1, log=True, levels=4)
        >>> space = JointSpace(open_space("nats-size"), [rate])
        >>> space.parse("8:16:24:32:40 @ 0.001").choices
        (0, 1, 2, 3, 4, 1)
    """

    def __init__(self, architectures: SearchSpace, beside: Sequence[Decision]) -> None:
        """Join ``architectures`` with decisions ``beside`` them.

        Raises:
            InvalidArgumentError: If there are none, a name is taken twice, or a condition names
                no decision or option.
        """
        if not beside:
            raise InvalidArgumentError("beside must have at least one decision, got none")
        self.architectures = architectures
        self.beside = tuple(beside)
        self.name = f"{architectures.name}-and-{len(beside)}"
        self.decisions = (*architectures.decisions, *self.beside)
        self.isomorphs = architectures.isomorphs
        names = [decision.name for decision in self.decisions]
        for name in names:
            if names.count(name) > 1:
                raise InvalidArgumentError(
                    f"beside must have names of its own: {name!r} is taken twice"
                )
        self._first = len(architectures.decisions)
        digest = hashlib.sha256(repr(self.beside).encode())
        if isinstance(architectures, RestrictedSpace):  # its identity is that of the whole
            digest.update(architectures.unique().tobytes())
        self._digest = digest.hexdigest()[:12]
        _ = self._conditions  # they are checked here

    @property
    def identity(self) -> str:
        """The architectures' identity, and a hash of their restriction and the other decisions."""
        return f"{self.architectures.identity}-and-{self._digest}"

    def architecture_of(self, arch: Architecture) -> Architecture:
        """The architecture of a combination."""
        return Architecture(self.architectures.name, arch.choices[: self._first])

    def joined(self, choices: IntArray, beside: Sequence[int]) -> IntArray:
        """Architectures (n, decisions) with the same options beside each: int16 (n, all)."""
        rest = np.tile(np.array(beside, dtype=np.int16), (len(choices), 1))
        return self.settled(np.concatenate([np.asarray(choices, dtype=np.int16), rest], axis=1))

    # Encodings ----------------------------------------------------------------------------

    @cached_property
    def size(self) -> int:
        """Number of different keys, from those of the architectures where they cannot be listed."""
        if self._counted is None or self.enumerable:
            return super().size
        return self.architectures.with_isomorphs(self.isomorphs).size * self._counted

    @property
    def countable(self) -> bool:
        """Whether `size` is known; not if other decisions depend on the architecture."""
        return self.enumerable or (self._counted is not None and self.architectures.countable)

    @cached_property
    def _counted(self) -> int | None:
        """Number of combinations beside each architecture; None where it differs."""
        names = {decision.name for decision in self.beside}
        if any(name not in names for d in self.beside for name, _ in d.when or ()):
            return None
        return Conditions(self.beside).count()

    def valid(self, choices: IntArray) -> BoolArray:
        """Which have a valid architecture and first options of inactive decisions: bool (n,)."""
        return self.architectures.valid(np.asarray(choices)[:, : self._first]) & super().valid(
            choices
        )

    def is_valid(self, arch: Architecture) -> bool:
        """Whether this is a combination of this space."""
        if self.number(arch) < 0 or not self.architectures.is_valid(self.architecture_of(arch)):
            return False
        if self._conditions is None:
            return True
        active = self._conditions.active_of(arch.choices)
        return all(counts or x == 0 for x, counts in zip(arch.choices, active, strict=True))

    def canonicalise(self, choices: IntArray) -> IntArray:
        """The architectures in canonical form, other decisions unchanged: (n, decisions)."""
        choices = np.asarray(choices)
        first = self.architectures.canonicalise(choices[:, : self._first])
        return self.settled(np.concatenate([first, choices[:, self._first :]], axis=1))

    # Moves --------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draw an architecture as its space does, and options of active decisions uniformly."""
        base = self.architectures.sample(rng).choices
        draws = rng.random(len(self.beside)).tolist()
        sizes = self.sizes[self._first :]
        drawn = [*base, *(int(x * n) for x, n in zip(draws, sizes, strict=True))]
        if self._conditions is not None:
            active = self._conditions.active_of(drawn)
            drawn = [x if counts else 0 for x, counts in zip(drawn, active, strict=True)]
        return self._wrap(drawn)

    def sample_choices(self, rng: np.random.Generator, n: int) -> IntArray:
        """Draw n combinations as `sample` does, with repetition: int16 (n, decisions)."""
        first = self.architectures.sample_choices(rng, n)
        sizes = self.sizes[self._first :]
        rest = rng.integers(sizes, size=(n, len(sizes)), dtype=np.int16)
        return self.settled(np.concatenate([first, rest], axis=1))

    def decide(self, choose: Callable[[int], int]) -> Architecture:
        """As `SearchSpace.decide`: first the architecture, then other active decisions."""
        base = self.architectures.decide(choose).choices
        if self._conditions is None:
            return self._wrap([*base, *map(choose, range(self._first, len(self.decisions)))])
        return self._wrap(
            self._conditions.decide(lambda i: base[i] if i < self._first else choose(i))
        )

    # Views --------------------------------------------------------------------------------

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """The graphs of the architectures."""
        return self.architectures.graphs(np.asarray(choices)[:, : self._first])

    def parse(self, text: str) -> Architecture:
        """Read an architecture and, behind it, an option of each further decision.

        Raises:
            ArchitectureError: If the text is neither, or not valid.
        """
        first, *rest = text.rsplit(self._separator, len(self.beside))
        if len(rest) != len(self.beside):
            raise ArchitectureError(
                f"architecture {text!r} needs an architecture and an option for each of "
                f"{', '.join(d.name for d in self.beside)}, each after {self._separator!r}"
            )
        try:
            base = self.architectures.parse(first).choices
        except ArchitectureError as error:
            raise ArchitectureError(f"architecture {text!r}: {error}") from None
        found = [self._option(self._first + i, name, text) for i, name in enumerate(rest)]
        return self.architecture(self.settled(np.array([[*base, *found]]))[0])

    def format(self, arch: Architecture) -> str:
        """Write the architecture and, behind it, an option of each further decision."""
        chosen = zip(self.beside, arch.choices[self._first :], strict=True)
        options = [decision.options[choice] for decision, choice in chosen]
        first = self.architectures.format(self.architecture_of(arch))
        return self._separator.join([first, *options])

    @cached_property
    def _separator(self) -> str:
        """A separator that no option contains."""
        options = [option for decision in self.beside for option in decision.options]
        count = next(n for n in count_from(1) if not any("@" * n in o for o in options))
        return f" {'@' * count} "
