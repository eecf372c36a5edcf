"""What trainings of a smaller budget say about those of a larger one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.base import Predictor

_SLOPE = 0.7  # of scores by scores of the smaller budget, before any pair is known
_VARIANCE = 0.6  # of what that line leaves unexplained
_PAIRS = 4  # how many pairs these two are worth


class Guide(Protocol):
    """What is read of a guide, which `surrogate_nas.searchers.guided.Guided` is."""

    predictor: Predictor

    @property
    def fitted(self) -> bool:
        """Whether the predictor has learnt from trials."""
        ...


class LowerBudget:
    """The guide of the next smaller budget, as a second expert on a larger one.

    Both guides predict warped values, but not of the same trainings: a few epochs, perhaps from
    learned weights, order architectures in another way than many. So a line is fitted from the
    predictions of the smaller budget to the scores at the larger one. What it leaves unexplained is
    its variance. The two experts are combined by their precisions, as in Li et al., "MFES-HB:
    Efficient Hyperband with Multi-Fidelity Quality Measurements", AAAI 2021. So many short
    trainings count at first, and the longer ones more and more.

    Attributes:
        guide: Of the smaller budget; it is only read.
    """

    def __init__(self, guide: Guide) -> None:
        self.guide = guide

    @property
    def known(self) -> bool:
        """Whether the smaller budget has taught something."""
        return self.guide.fitted

    def joined(
        self, prediction: Prediction, candidates: IntArray, choices: IntArray, scores: FloatArray
    ) -> Prediction:
        """The prediction of a larger budget with what the smaller one says.

        Args:
            prediction: Scores of the candidates, by the trainings of the larger budget alone.
            candidates: int (m, decisions).
            choices: What was trained at the larger budget: int (n, decisions), n >= 1.
            scores: The scores of these, float64 (n,).
        """
        lower = self.guide.predictor
        there, here = lower.predict(candidates).mean, lower.predict(choices).mean
        x, y = here - here.mean(), scores - scores.mean()
        slope = (x @ y + _PAIRS * _SLOPE) / (x @ x + _PAIRS)
        rest = y - slope * x
        variance = (rest @ rest + _PAIRS * _VARIANCE) / (len(y) + _PAIRS)
        # The line passes through the means; few pairs are shrunken towards the origin.
        offset = (scores.mean() - slope * here.mean()) * len(y) / (len(y) + _PAIRS)
        own, other = prediction.std**-2.0, 1 / variance
        share = other / (own + other)
        mean = (1 - share) * prediction.mean + share * (offset + slope * there)
        return Prediction(np.asarray(mean), np.asarray((own + other) ** -0.5))
