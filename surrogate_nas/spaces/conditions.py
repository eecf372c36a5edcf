"""Conditions of decisions: which decisions are active, given the options of others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.spaces.decisions import Condition, Decision

_STATES = 100_000  # limit of counting: combinations of clauses on which later conditions depend


@dataclass(frozen=True)
class Clause:
    """A part of a condition: the position of a decision, and the options with which it holds."""

    position: int
    holding: tuple[bool, ...]

    @cached_property
    def vector(self) -> BoolArray:
        """`holding` as an array: bool (options,)."""
        return np.array(self.holding, dtype=np.bool_)


class Conditions:
    """The conditions of a space's decisions.

    A decision is active where its condition holds and all decisions that it names are active.
    """

    def __init__(self, decisions: Sequence[Decision]) -> None:
        """Read the conditions.

        Raises:
            InvalidArgumentError: If one names no decision or option, or if they go in a circle.
        """
        self._sizes = [len(decision.options) for decision in decisions]
        self._positions = {decision.name: i for i, decision in enumerate(decisions)}
        self._decisions = decisions
        self._read_already: dict[tuple[int, tuple[str, ...]], Clause] = {}
        self._clauses = [self._read(d.when, f"decision {d.name!r}: when") for d in decisions]
        self._order = self._sorted()
        self._conditional = [i for i in self._order if self._clauses[i]]

    def clauses(self, when: Condition | None, key: str) -> tuple[Clause, ...]:
        """A condition by positions; ``key`` is what messages call it.

        Raises:
            InvalidArgumentError: If it names no decision or option.
        """
        return self._read(when, key)

    def _read(self, when: Condition | None, key: str) -> tuple[Clause, ...]:
        clauses: list[Clause] = []
        for name, options in when or ():
            if name not in self._positions:
                raise InvalidArgumentError(
                    f"{key}: {UnknownNameError('decision', name, self._positions)}"
                )
            position = self._positions[name]
            if (position, options) not in self._read_already:
                listed = self._decisions[position].options
                for option in options:
                    if option not in listed:
                        reason = UnknownNameError(f"{name} option", option, listed)
                        raise InvalidArgumentError(f"{key}: {reason}")
                chosen = set(options)
                clause = Clause(position, tuple(option in chosen for option in listed))
                self._read_already[position, options] = clause
            clauses.append(self._read_already[position, options])
        return tuple(clauses)

    def _sorted(self) -> list[int]:
        """All decisions, each after those that its condition names."""
        named = {
            i: [clause.position for clause in clauses] for i, clauses in enumerate(self._clauses)
        }
        try:
            return list(TopologicalSorter(named).static_order())
        except CycleError as error:
            circle = " -> ".join(repr(self._decisions[i].name) for i in error.args[1][:9])
            raise InvalidArgumentError(
                f"conditions of decisions go in a circle: {circle}; a condition names decisions "
                "that do not depend on it"
            ) from None

    def active(self, choices: IntArray) -> BoolArray:
        """Which decisions are active in each encoding: bool (n, decisions)."""
        active = np.ones(choices.shape, dtype=np.bool_)
        for i in self._conditional:
            active[:, i] = self.holds(self._clauses[i], choices, active)
        return active

    def holds(self, clauses: Sequence[Clause], choices: IntArray, active: BoolArray) -> BoolArray:
        """Where all clauses hold, given which decisions are active: bool (n,)."""
        found = np.ones(len(choices), dtype=np.bool_)
        for clause in clauses:
            j = clause.position
            found &= active[:, j] & clause.vector[choices[:, j]]
        return found

    def settle(self, choices: IntArray) -> IntArray:
        """The encodings with the first option wherever a decision is inactive: (n, decisions)."""
        return np.where(self.active(choices), choices, np.zeros((), dtype=choices.dtype))

    def _counts(self, i: int, choices: Sequence[int], active: Sequence[bool]) -> bool:
        return all(
            active[clause.position] and clause.holding[choices[clause.position]]
            for clause in self._clauses[i]
        )

    def active_of(self, choices: Sequence[int]) -> list[bool]:
        """As `active`, of one encoding."""
        active = [True] * len(choices)
        for i in self._conditional:
            active[i] = self._counts(i, choices, active)
        return active

    def changed(
        self, choices: Sequence[int], was: Sequence[bool], rng: np.random.Generator
    ) -> list[int]:
        """An encoding after a change; decisions that become active are drawn, others reset."""
        found, active = list(choices), [True] * len(choices)
        for i in self._conditional:
            active[i] = self._counts(i, found, active)
            if not active[i]:
                found[i] = 0
            elif not was[i]:
                found[i] = int(rng.random() * self._sizes[i])
        return found

    def crossed(self, a: Sequence[int], b: Sequence[int], from_a: Sequence[bool]) -> list[int]:
        """A child's encoding: each decision of a random parent among those where it is active."""
        active_a, active_b = self.active_of(a), self.active_of(b)
        found, active = [0] * len(a), [True] * len(a)
        for i in self._order:
            active[i] = self._counts(i, found, active)
            if active[i]:
                takes_a = from_a[i] if active_a[i] == active_b[i] else active_a[i]
                found[i] = a[i] if takes_a else b[i]
        return found

    def decide(self, choose: Callable[[int], int]) -> list[int]:
        """The encoding that results from choosing an option for each active decision."""
        found, active = [0] * len(self._sizes), [True] * len(self._sizes)
        for i in self._order:
            active[i] = self._counts(i, found, active)
            if active[i]:
                found[i] = choose(i)
        return found

    # Counting -----------------------------------------------------------------------------

    def count(self) -> int | None:
        """Number of encodings without those that differ in inactive decisions alone.

        None if the conditions depend on each other in too many ways to count.
        """
        total = 1
        for group in self._groups():
            found = self._count(group)
            if found is None:
                return None
            total *= found
        return total

    def _groups(self) -> list[list[int]]:
        """Groups of decisions that conditions connect, in the order of `_order`."""
        root = list(range(len(self._sizes)))

        def find(i: int) -> int:
            while root[i] != i:
                root[i] = i = root[root[i]]
            return i

        for i, clauses in enumerate(self._clauses):
            for clause in clauses:
                root[find(i)] = find(clause.position)
        groups: dict[int, list[int]] = {}
        for i in self._order:
            groups.setdefault(find(i), []).append(i)
        return list(groups.values())

    def _count(self, group: list[int]) -> int | None:
        """Count by one pass over the decisions; the state is the clauses that hold so far."""
        last = {clause: i for i in group for clause in self._clauses[i]}
        asked: dict[int, list[Clause]] = {}
        for clause in last:
            asked.setdefault(clause.position, []).append(clause)
        states: Counter[frozenset[Clause]] = Counter({frozenset(): 1})  # the clauses that hold
        for i in group:
            after: Counter[frozenset[Clause]] = Counter()
            gone = {clause for clause in self._clauses[i] if last[clause] == i}
            outcomes = Counter(
                frozenset(c for c in asked.get(i, ()) if c.holding[option])
                for option in range(self._sizes[i])
            )
            for held, ways in states.items():
                kept = held - gone
                if all(clause in held for clause in self._clauses[i]):
                    for fresh, options in outcomes.items():
                        after[kept | fresh] += ways * options
                else:
                    after[kept] += ways
            states = after
            if len(states) > _STATES:
                return None
        return math.prod([sum(states.values())])
