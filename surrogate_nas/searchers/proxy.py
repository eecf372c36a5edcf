"""Search in the order of a zero-cost proxy: a baseline that needs no training."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Features
from surrogate_nas.searchers.base import Requirements, Searcher
from surrogate_nas.spaces.base import Architecture, SearchSpace

DEFAULT_PROXY = "synflow"
"""Finds good architectures early on cell-bench's images and on NAS-Bench-201 (docs/proxies.md)."""

_POOL = 4_096


class ProxySearch(Searcher):
    """Proposes architectures in the order of one feature, the largest first, and never learns.

    The feature is a score of untrained networks (see `Features`); ties are broken at random. A
    space that cannot be listed is represented by a sample, as in Mellor et al., "Neural
    Architecture Search without Training", ICML 2021.
    """

    variant: ClassVar[str | None] = "proxy"
    serves_several_goals: ClassVar[bool] = True

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        """The feature by which it orders, see `Searcher.requirements`."""
        return Requirements(features=(variant or DEFAULT_PROXY,))

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        features: Features | None = None,
        proxy: str = DEFAULT_PROXY,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Breaks ties.
            features: Of the space's architectures; larger is better.
            proxy: Name of the feature by which it orders.

        Raises:
            InvalidArgumentError: If there are no features.
            UnknownNameError: If there is none of this name.
        """
        super().__init__(space, seed=seed)
        if features is None:
            raise InvalidArgumentError(
                "searcher 'proxy' goes by features, got none; give make_searcher the features of "
                "the space, see surrogate_nas.training.proxies.memory"
            )
        if proxy not in features.names:
            raise UnknownNameError("proxy", proxy, features.names)
        pool = space.unique() if space.enumerable else space.sample_choices(self.rng, _POOL)
        score = features(pool)[:, features.names.index(proxy)]
        order = np.argsort(-score, kind="stable")
        self._ranked = pool[order]
        self._starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # of each level
        self._level = 0
        self._equals: list[int] = []  # remaining positions of the current level

    def _shared(self) -> dict[int, Any]:
        return super()._shared() | {id(part): part for part in (self._ranked, self._starts)}

    def _candidate(self) -> Architecture:
        while self._equals or self._level < len(self._starts):
            if not self._equals:
                start, *after = self._starts[self._level : self._level + 2].tolist()
                self._equals = list(range(start, after[0] if after else len(self._ranked)))
                self._level += 1
            row = self._equals.pop(int(self.rng.integers(len(self._equals))))
            arch = Architecture(self.space.name, tuple(self._ranked[row].tolist()))
            if not self.seen(arch):
                return arch
        return self.space.sample(self.rng)
