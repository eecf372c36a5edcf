"""Random search, the baseline of every comparison."""

from __future__ import annotations

from typing import ClassVar

from surrogate_nas.searchers.base import Searcher
from surrogate_nas.spaces.base import Architecture


class RandomSearch(Searcher):
    """Draws without repetition.

    Li & Talwalkar, "Random search and reproducibility for neural architecture search", UAI 2019.
    """

    serves_several_goals: ClassVar[bool] = True

    def _candidate(self) -> Architecture:
        return self.space.sample(self.rng)
