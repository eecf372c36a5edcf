"""A predictor as an objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.predictors.base import DifferentiablePredictor, Predictor, Relaxation
from surrogate_nas.spaces.base import Architecture, SearchSpace


class PredictedObjective:
    """Evaluates architectures by their predicted mean, at no cost.

    Attributes:
        relaxed: The differentiable form, or None where there is none.
    """

    def __init__(
        self,
        space: SearchSpace,
        predictor: Predictor,
        to_value: Callable[[FloatArray], FloatArray] = np.asarray,
        relaxed: Relaxation | None = None,
    ) -> None:
        """Wrap a fitted predictor.

        Args:
            space: The space of the architectures.
            predictor: The predictor.
            to_value: An increasing map from its predictions, (n,), to values, (n,).
            relaxed: What to ascend at mixtures of options; None for the predictor's own, if any.
        """
        self.space = space
        self.predictor = predictor
        self.to_value = to_value
        self.goals = (Goal("predicted"),)
        if relaxed is None and isinstance(predictor, DifferentiablePredictor):
            relaxed = predictor.relaxed
        self.relaxed = relaxed

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Predict one architecture; ``budget`` and ``seed`` have no meaning here."""
        return self.evaluate_all([arch])[0]

    def evaluate_all(self, archs: Sequence[Architecture]) -> list[Evaluation]:
        """Predict many at once, which is far cheaper than one by one."""
        mean = self.predictor.predict(np.array([arch.choices for arch in archs])).mean
        return [Evaluation((value,), cost=0.0) for value in self.to_value(mean).tolist()]
