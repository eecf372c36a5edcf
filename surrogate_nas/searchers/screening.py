"""Screening: many short trainings, and whole ones of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from surrogate_nas.evaluation import Proposal
from surrogate_nas.searchers.hyperband import Hyperband


class Screening(Hyperband):
    """One searcher at the smallest budget, whose best are evaluated at the largest one.

    This is the first bracket of `Hyperband` with two budgets alone. It is for smallest budgets that
    rank well, such as short trainings from learned weights: the other brackets, which do not trust
    them, would take most of the cost. Those are promoted that belong to the best of the smallest
    budget, of which there are so many that both budgets cost the same; as the best change while
    the search goes on, the largest one costs more. No guide of the largest one is needed.
    """

    promotes_by_guide: ClassVar[bool] = False

    def _chosen(self, budgets: Sequence[int], eta: float) -> tuple[int | None, ...]:
        ends = sorted({min(budgets), max(budgets)}) if budgets else []
        return tuple(ends) if len(ends) > 1 else (None,)

    def _propose(self) -> Proposal | None:
        found = self._promotion(0) or self._start(0)
        if found is None:  # nothing is left to start with
            found = self._promotion(0, all_due=True)
        if found is None:
            return None
        rung, arch = found
        return Proposal(self._next_number, arch, self.rungs[rung])
