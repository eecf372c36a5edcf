"""Bayesian optimisation: every proposal maximises an acquisition function."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surrogate_nas.evaluation import Features
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.spaces.base import SearchSpace

_INITIAL = 5


class BayesianSearch(Guided):
    """A guide that makes all proposals itself, after a few random architectures.

    It compares all architectures of a space that can be listed. Otherwise it compares a pool that
    regularized evolution visits on the predictions (as White et al., "BANANAS", AAAI 2021, do by
    mutations). The predictor is updated after each result; within a batch its own predictions
    stand for the pending results.
    """

    variant: ClassVar[str | None] = "acquisition"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        predictor: Predictor | None = None,
        acquisition: str | None = None,
        initial: int | None = None,
        exploration: float | None = None,
        features: Features | None = None,
        candidates: str | None = None,
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            predictor: Fitted and refitted here; a Gaussian process if None.
            acquisition: See `Guided`.
            initial: See `Guided`; None for 5, or for 0 where the predictor has a prior.
            exploration: See `Guided`.
            features: See `Guided`.
            candidates: See `Guided`.
        """
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        predictor = predictor or GaussianProcess()
        if initial is None and not predictor.has_prior:
            initial = _INITIAL
        super().__init__(
            RegularizedEvolution(space, seed=root),
            predictor,
            seed=root.spawn(1)[0],
            initial=initial,
            refit_every=1,
            exploration=exploration,
            inner_every=0,
            acquisition=acquisition,
            features=features,
            candidates=candidates,
        )
