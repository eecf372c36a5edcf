"""The architectures that a guide compares in a space that cannot be listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces.base import SearchSpace, frozen
from surrogate_nas.spaces.rows import distinct

BEST = 5
"""Known architectures whose neighbours become candidates."""

_KEPT = 5  # proposals that choose from the same candidates
_CLIMB = 6  # steps of a climb to further candidates
_STEP = 100  # candidates that one step adds at most
_STARTS = 3  # candidates whose neighbours a step adds

Extent = Literal["all", "visited"]
"""What a guide compares: all architectures of a space, or those that its searcher visits."""

ToValue = Callable[[FloatArray], FloatArray]
"""An increasing map from a predictor's scores (n,) to values (n,)."""

Compare = Callable[[IntArray], FloatArray]
"""The acquisition function of keys (n, decisions): (n,), -inf where they were proposed."""


def extent(wanted: str | None, space: SearchSpace) -> Extent:
    """What a guide compares in a space: what is wanted, or by default all that can be listed.

    Raises:
        InvalidArgumentError: If it is neither ``"all"`` nor ``"visited"``, or all are wanted of a
            space that cannot be listed.
    """
    if wanted is None:
        return "all" if space.enumerable else "visited"
    for known in get_args(Extent):
        if wanted == known == "all" and not space.enumerable:
            raise InvalidArgumentError(
                f"candidates must be 'visited' in the space {space.name!r}, which has too many "
                f"architectures to compare them all, got 'all'"
            )
        if wanted == known:
            chosen: Extent = known
            return chosen
    raise InvalidArgumentError(f"candidates must be 'all' or 'visited', got {wanted!r}")


def no_guide(methods: str) -> InvalidArgumentError:
    """The error of candidates for methods without a guide."""
    return InvalidArgumentError(
        f"candidates are what a guide compares, and there is none in {methods}; leave the "
        "candidates out, or name a predictor, as in evolution+gp"
    )


class Candidates:
    """Gathers what a guide compares, and keeps it for some proposals.

    See `surrogate_nas.searchers.guided.Guided` for what the candidates are.
    """

    def __init__(
        self,
        inner: Searcher,
        predictor: Predictor,
        rng: np.random.Generator,
        *,
        steps: int,
        proposals: int,
    ) -> None:
        """Gather candidates for one guide.

        Args:
            inner: The searcher whose fork visits architectures.
            predictor: The guide's; fitted, or with a prior.
            rng: The guide's source of randomness.
            steps: Steps of the fork.
            proposals: How many are chosen at once.
        """
        self.inner = inner
        self.space = inner.space
        self.predictor = predictor
        self.rng = rng
        self.steps = steps
        self.proposals = proposals
        self._kept: IntArray = np.zeros((0, len(self.space.sizes)), dtype=np.int16)
        self._proposals_left = 0  # for which these are kept

    def gathered(
        self,
        best: IntArray,
        to_value: ToValue | None,
        compare: Compare,
        predicted: PredictedObjective | None = None,
    ) -> IntArray:
        """Keys of candidates, no two equal: (n, decisions).

        Args:
            best: The best architectures known: (m, decisions); not used without ``to_value``.
            to_value: From predictions to values; None before the first result.
            compare: The acquisition function.
            predicted: What the inner searcher visits architectures by, in place of the predictor
                and ``to_value``.
        """
        if to_value is None and predicted is None:
            return self._visited(None, PredictedObjective(self.space, self.predictor))
        if self._proposals_left <= 0:
            objective = predicted
            if objective is None:
                objective = PredictedObjective(self.space, self.predictor, to_value or np.asarray)
            if self.space.enumerable:  # by choice, so that searchers differ
                candidates = self._visited(None, objective)
            else:
                candidates = self._visited(best, objective)
            if (
                self.predictor.conditions and not self.space.enumerable
            ):  # others generalise too poorly for a climb
                candidates = self._climbed(candidates, compare)
            self._kept = frozen(candidates)
            self._proposals_left = _KEPT
        self._proposals_left -= self.proposals
        return self._kept

    def _climbed(self, candidates: IntArray, compare: Compare) -> IntArray:
        """Candidates (n, decisions), and those that local search adds to them.

        Each step adds some neighbours of the most promising candidates so far.
        """
        score = compare(candidates)
        for _ in range(_CLIMB):
            starts = candidates[np.argsort(-score, kind="stable")[:_STARTS]]
            near = self.space.keys(self.space.neighbour_choices(starts))
            near = near[distinct(self.space, near)[0]]
            near = near[np.isin(self.space.index(near), self.space.index(candidates), invert=True)]
            if len(near) > _STEP:
                near = near[np.sort(self.rng.choice(len(near), size=_STEP, replace=False))]
            if not len(near):
                break
            candidates = np.concatenate([candidates, near])
            score = np.append(score, compare(near))
        return candidates

    def _visited(self, best: IntArray | None, objective: PredictedObjective) -> IntArray:
        """Keys of the best architectures' neighbours, and those that the inner searcher visits."""
        parts = [] if best is None else [self.space.neighbour_choices(best)]
        parts.append(self.inner.visit(objective, self.steps))
        keys = self.space.keys(np.concatenate(parts))
        return keys[distinct(self.space, keys)[0]]
