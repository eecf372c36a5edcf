"""A process from scratch, which takes turns with a guide that has a prior while that stalls."""

from __future__ import annotations

import copy

from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.searchers.learning_rows import LearningRows


class SecondOpinion:
    """A Gaussian process that learns from the trials of one search alone.

    A prior that is wrong about a task is corrected by its trials, but only where it lets the guide
    propose. What never saw other tasks is not wrong in the same places.

    Attributes:
        predictor: The process.
        exploration: How many standard deviations its upper confidence bound is above the mean.
        rows: The rows that it learns from; it learns only when it is asked.
    """

    def __init__(self, labels: int) -> None:
        """Learn from about ``labels`` trials where there are more."""
        self.predictor = GaussianProcess()
        self.exploration = 1.0
        self.rows = LearningRows(labels)

    def forked(self) -> SecondOpinion:
        """An independent copy; `Predictor.fit` starts anew, so the process's may be shallow."""
        made = copy.copy(self)
        made.predictor, made.rows = copy.copy(self.predictor), copy.deepcopy(self.rows)
        return made
