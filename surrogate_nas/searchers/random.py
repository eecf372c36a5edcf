"""Random search, the baseline of every comparison."""

from __future__ import annotations

from surrogate_nas.searchers.base import Searcher
from surrogate_nas.spaces.base import Architecture


class RandomSearch(Searcher):
    """Draws without repetition.

    Li & Talwalkar, "Random search and reproducibility for neural architecture search", UAI 2019.
    """

    def _candidate(self) -> Architecture:
        return self.space.sample(self.rng)
