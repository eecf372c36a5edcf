"""A predictor as an objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.spaces.base import Architecture, SearchSpace


class PredictedObjective:
    """Evaluates architectures by their predicted mean, at no cost."""

    def __init__(
        self,
        space: SearchSpace,
        predictor: Predictor,
        to_value: Callable[[FloatArray], FloatArray] = np.asarray,
    ) -> None:
        """Wrap a fitted predictor.

        Args:
            space: The space of the architectures.
            predictor: The predictor.
            to_value: An increasing map from its predictions, (n,), to values, (n,).
        """
        self.space = space
        self.predictor = predictor
        self.to_value = to_value
        self.goals = (Goal("predicted"),)

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Predict one architecture; ``budget`` and ``seed`` have no meaning here."""
        return self.evaluate_all([arch])[0]

    def evaluate_all(self, archs: Sequence[Architecture]) -> list[Evaluation]:
        """Predict many at once, which is far cheaper than one by one."""
        mean = self.predictor.predict(np.array([arch.choices for arch in archs])).mean
        return [Evaluation((value,), cost=0.0) for value in self.to_value(mean).tolist()]
