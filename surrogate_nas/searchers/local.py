"""Local search with restarts."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, get_args

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.several import Scalarisation, Values
from surrogate_nas.spaces.base import Architecture, SearchSpace

Rule = Literal["first", "steepest"]
_FAILED: Values = (-math.inf,)


class LocalSearch(Searcher):
    """Climbs from a random start to a local optimum, then starts anew.

    The neighbours of the incumbent are proposed in random order. With ``rule="first"`` a better
    one becomes the incumbent as soon as it is known, with ``"steepest"`` the best of all of them.
    An incumbent without a better neighbour is a local optimum. The next climb starts at the best
    trial outside the climb, or at a random architecture.

    Several proposals may be pending. While the last neighbours are evaluated, random starts of the
    next climb are proposed, at most as many as there are neighbours; then the climb ends.

    White et al., "Exploring the loss landscape in neural architecture search", UAI 2021.

    With several goals each climb has a scalarisation of its own, with random weights.

    Attributes:
        optima: The local optima found, in order.
    """

    serves_several_goals: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        rule: Rule = "first",
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            rule: ``"first"`` (first improvement) or ``"steepest"`` (steepest ascent).
        """
        if rule not in get_args(Rule):
            raise InvalidArgumentError(f"rule must be 'first' or 'steepest', got {rule!r}")
        super().__init__(space, seed=seed)
        self.rule = rule
        self.optima: list[Architecture] = []
        self._values: dict[Architecture, Values] = {}  # minus infinity where a trial failed
        self._scalar: Scalarisation | None = None  # of several goals, of the present climb
        self._incumbent: Architecture | None = None
        self._neighbours: list[Architecture] = []
        self._tried = 0
        self._waited = 0
        self._outside: dict[Architecture, Values] = {}

    @property
    def incumbent(self) -> Architecture | None:
        """The architecture whose neighbours are being tried, or None before the first value."""
        return self._incumbent

    def _candidate(self) -> Architecture:
        self._advance()
        if self._tried < len(self._neighbours):
            return self._neighbours[self._tried]
        start = self.space.sample(self.rng)
        self._waited += not self.seen(start)
        return start

    def _observe(self, trial: Trial) -> None:
        key = self.space.key(trial.arch)
        values = _FAILED if trial.evaluation is None else trial.evaluation.values
        self._values[key] = values
        if trial.evaluation is not None and key not in self._neighbours:
            self._outside[key] = values

    def _merit(self, values: Values) -> float:
        if self._scalar is None or values is _FAILED:
            return values[0]
        return float(self._scalar([values])[0])

    def _advance(self) -> None:
        """Move as far as the known values allow."""
        while True:
            incumbent = self._incumbent
            if incumbent is None:
                if not self._outside:
                    return
                if self.goals:
                    known = [values for values in self._values.values() if values is not _FAILED]
                    self._scalar = Scalarisation(known, self.goals, self.rng)
                incumbent = max(self._outside, key=lambda arch: self._merit(self._outside[arch]))
                self._outside = {}
                self._enter(incumbent)
            count = len(self._neighbours)
            while self._tried < count and self._neighbours[self._tried] in self._seen:
                self._tried += 1
            found = [self._values.get(arch) for arch in self._neighbours]
            near = [None if values is None else self._merit(values) for values in found]
            done = self._tried == count and (None not in near or self._waited >= count)
            best = max((v for v in near if v is not None), default=-math.inf)
            if best > self._merit(self._values[incumbent]) and (done or self.rule == "first"):
                self._enter(self._neighbours[near.index(best)])
            elif done:
                if incumbent not in self.optima:
                    self.optima.append(incumbent)
                self._incumbent = None
                self._neighbours = []
                self._tried = 0
            else:
                return

    def _enter(self, arch: Architecture) -> None:
        self._incumbent = arch
        rows = self.space.keys(self.space.neighbour_choices(np.array([arch.choices]))).tolist()
        self._neighbours = [
            Architecture(self.space.name, tuple(rows[i]))
            for i in self.rng.permutation(len(rows)).tolist()
        ]
        self._tried = 0
        self._waited = 0
