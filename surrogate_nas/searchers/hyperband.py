"""Hyperband: many architectures at small budgets, and the best of them at larger ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import TRAINING_LOSS, Goal, Proposal, Trial
from surrogate_nas.searchers.base import KnownCosts, Requirements, Searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.lower_budget import LowerBudget
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.searchers.several import Values, best_first
from surrogate_nas.spaces.base import Architecture, SearchSpace

MakeSearcher = Callable[[np.random.SeedSequence], Searcher]
"""Makes a new searcher with a seed."""


class Hyperband(Searcher):
    """Successive halving in brackets that start at different budgets, over any searcher.

    Li et al., "Hyperband: a novel bandit-based approach to hyperparameter optimization", JMLR
    2018: there is a bracket for each smallest budget, and all brackets cost the same. Each has its
    own searcher, which is told all results at that budget. The best results at one budget are
    promoted to the next larger one, about as many as make both cost the same. Promotion is
    asynchronous (Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020):
    results may be late, failed or missing.

    Guides of larger budgets learn from the smaller ones, too, see `LowerBudget`, and choose what is
    promoted to theirs. Trainings below the largest budget are judged by `TRAINING_LOSS` where they
    have it.

    No architecture is proposed twice at one budget. With a single budget this is the inner
    searcher.
    """

    variant: ClassVar[str | None] = "inner"
    serves_several_goals: ClassVar[bool] = True
    promotes_by_guide: ClassVar[bool] = True

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        """Budgets and an inner searcher, see `Searcher.requirements`."""
        return Requirements(budgets=True, inner=variant or "random")

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        budgets: Sequence[int] = (),
        inner: MakeSearcher | None = None,
        eta: float = 3.0,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            budgets: Epochs that can be evaluated; a geometric part of them is used.
            inner: Makes the searcher of a bracket; random search if None.
            eta: How many times larger the next budget is, at least.
        """
        if not eta > 1:
            raise InvalidArgumentError(f"eta must be larger than 1, got {eta}")
        if any(budget < 1 for budget in budgets):
            raise InvalidArgumentError(f"budgets must be at least 1, got {list(budgets)}")
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        super().__init__(space, seed=root)
        self.rungs = self._chosen(budgets, eta)
        make = inner or (lambda seed: RandomSearch(space, seed=seed))
        self.inner = [make(child) for child in root.spawn(len(self.rungs))]
        for lower, higher in pairwise(self.inner):
            if isinstance(lower, Guided) and isinstance(higher, Guided):
                higher.lower = LowerBudget(lower)
        # Results by bracket and rung, the worst possible for failures.
        self._values: list[list[dict[Architecture, Values]]] = [
            [{} for _ in self.rungs] for _ in self.rungs
        ]
        self._bracket: dict[Architecture, int] = {}
        self._promoted: set[tuple[int, Architecture]] = set()
        self._spent = [0] * len(self.rungs)
        self._turn = 0

    def _chosen(self, budgets: Sequence[int], eta: float) -> tuple[int | None, ...]:
        """The budgets that are used, ascending; only None if there is no choice."""
        return _geometric(budgets, eta)

    def pursue(self, goals: Sequence[Goal], known_costs: KnownCosts | None = None) -> None:
        """Tell the inner searchers, too, see `Searcher.pursue`."""
        super().pursue(goals, known_costs)
        for inner in self.inner:
            inner.pursue(goals, known_costs)

    def claim(self, arch: Architecture) -> bool:
        """Mark an architecture as proposed, for all inner searchers too; False if it was."""
        for inner in self.inner:
            inner.claim(arch)
        return super().claim(arch)

    def _shared(self) -> dict[int, Any]:
        return super()._shared() | {id(inner): inner.fork() for inner in self.inner}

    def _propose(self) -> Proposal | None:
        # The bracket that has cost least so far, or the next one if it has nothing to propose.
        for bracket in sorted(range(len(self.rungs)), key=self._spent.__getitem__):
            found = self._promotion(bracket) or self._start(bracket)
            if found is not None:
                rung, arch = found
                budget = self.rungs[rung]
                self._spent[bracket] += budget or 1
                return Proposal(self._next_number, arch, budget)
        return None

    def _promotion(self, bracket: int, *, all_due: bool = False) -> tuple[int, Architecture] | None:
        """The highest rung to which an architecture can be promoted, and that architecture."""
        for rung in range(len(self.rungs) - 2, bracket - 1, -1):
            results = self._values[bracket][rung]
            due = len(results) * (self.rungs[rung] or 1) // (self.rungs[rung + 1] or 1)
            due = len(results) if all_due else due
            arch = self._promoted_next(rung, results, due)
            if arch is not None:
                self._promoted.add((rung + 1, arch))
                return rung + 1, arch
        return None

    def _promoted_next(
        self, rung: int, results: dict[Architecture, Values], due: int
    ) -> Architecture | None:
        """Of those that succeeded, the best that was not promoted yet, if one is due."""
        done = [arch for arch, values in results.items() if values[0] > -np.inf]
        left = [arch for arch in done if (rung + 1, arch) not in self._promoted]
        if not left or due < 1:
            return None
        guide = self.inner[rung + 1]
        if self.promotes_by_guide and isinstance(guide, Guided) and guide.trusted:
            promoted = len(done) - len(left)
            return left[int(guide.expected(left).argmax())] if promoted < due else None
        best = self._best(results)[:due]
        return next((arch for arch in best if arch in left), None)

    def _best(self, results: dict[Architecture, Values]) -> list[Architecture]:
        if not self.goals:
            return sorted(results, key=results.__getitem__, reverse=True)
        done = [arch for arch, values in results.items() if values[0] > -np.inf]
        if not done:
            return []
        order = best_first([results[arch] for arch in done], self.goals)
        return [done[i] for i in order.tolist()]

    def _start(self, bracket: int) -> tuple[int, Architecture] | None:
        self._turn = bracket
        try:
            arch = self._fresh()
        except SpaceExhaustedError:  # of the inner searcher, which is told all that this one is
            return None
        if arch is None:
            return None
        self._bracket[self.space.key(arch)] = bracket
        return bracket, arch

    def _candidate(self) -> Architecture:
        return self.inner[self._turn].ask(1)[0].arch

    def _observe(self, trial: Trial) -> None:
        rung = self._rung(trial)
        if rung is None:
            return
        key = self.space.key(trial.arch)
        bracket = self._bracket.setdefault(key, rung)
        if rung < bracket:
            return
        if rung < len(self.rungs) - 1 and not self.goals:
            trial = _by_loss(trial)
        evaluation = trial.evaluation
        self._values[bracket][rung][key] = (-np.inf,) if evaluation is None else evaluation.values
        self._promoted.add((rung, key))
        self.inner[rung].tell([trial])

    def _rung(self, trial: Trial) -> int | None:
        """The rung of a trial by its budget; None if that budget is not used."""
        if len(self.rungs) == 1:
            return 0
        budget = trial.proposal.budget
        if budget is None and trial.evaluation is not None:
            budget = trial.evaluation.budget
        return self.rungs.index(budget) if budget in self.rungs else None


def _by_loss(trial: Trial) -> Trial:
    """A trial that is judged by its training loss where that is the better measure."""
    found = trial.evaluation
    if found is None or TRAINING_LOSS not in found.metrics:
        return trial
    return replace(trial, evaluation=replace(found, values=(-found.metrics[TRAINING_LOSS],)))


def _geometric(budgets: Sequence[int], eta: float) -> tuple[int | None, ...]:
    """Ascending budgets, each at least eta times the one before; [None] if there is no choice."""
    rungs: list[int | None] = []
    for budget in sorted(set(budgets), reverse=True):
        if not rungs or budget * eta <= (rungs[-1] or 0):
            rungs.append(budget)
    return tuple(reversed(rungs)) if len(rungs) > 1 else (None,)
