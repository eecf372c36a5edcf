"""The settings of a guide, with defaults for its predictor and its space."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.spaces.base import SearchSpace

_INITIAL = 20
_FEW = 5  # the default of `initial` for predictors that condition on new rows
_SOON = 10  # where a process on decisions stands beside the predictor
_SEVERAL = 2.0  # exploration of several goals in spaces that cannot be listed


@dataclass(frozen=True, slots=True)
class GuideSettings:
    """How a guide behaves, see `surrogate_nas.searchers.guided.Guided`.

    Attributes:
        initial: Number of successful trials before the predictor is trusted.
        refit_every: Number of proposals, or of new results, for one update.
        exploration: How many standard deviations the upper confidence bound is above the mean.
        inner_every: Number of proposals of which one is the inner searcher's own, or 0.
        steps: Steps of the inner searcher's fork.
        joined: Whether a process on decisions stands beside the predictor. It has an exploration
            of its own, and ``exploration`` is that of several goals.
    """

    initial: int
    refit_every: int
    exploration: float
    inner_every: int
    steps: int
    joined: bool

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        predictor: Predictor,
        *,
        initial: int | None,
        refit_every: int | None,
        exploration: float | None,
        inner_every: int | None,
        steps: int | None,
        labels: int,
    ) -> Self:
        """What is wanted, or the default where that is None.

        Raises:
            InvalidArgumentError: If a number is out of range.
        """
        joined = not (space.enumerable or predictor.has_prior)
        if initial is None:
            least = _FEW if predictor.conditions else _SOON if joined else _INITIAL
            initial = 0 if predictor.has_prior else least
        if refit_every is None:
            refit_every = 1 if predictor.conditions else 5
        if steps is None:
            steps = (200 if predictor.conditions else 400) if space.enumerable else 100
        if inner_every is None:
            inner_every = 0 if predictor.conditions else 10 if joined else 5
        for name, value, least in (
            ("initial", initial, 0 if predictor.has_prior else 2),
            ("refit_every", refit_every, 1),
            ("steps", steps, 1),
            ("labels", labels, 2),
        ):
            if value < least:
                raise InvalidArgumentError(f"{name} must be at least {least}, got {value}")
        if inner_every < 0:
            raise InvalidArgumentError(f"inner_every must be at least 0, got {inner_every}")
        if exploration is None:
            alone = 1.0 if predictor.conditions and not predictor.has_prior else 1.25
            exploration = _SEVERAL if joined else alone
        if not 0 <= exploration < math.inf:
            raise InvalidArgumentError(f"exploration must be 0 or larger, got {exploration}")
        return cls(initial, refit_every, exploration, inner_every, steps, joined)
