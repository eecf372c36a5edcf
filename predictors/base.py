"""What every predictor promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError, NotFittedError
from surrogate_nas.evaluation import Prediction, TaskData


class Predictor(ABC):
    """Learns from measured architectures and predicts others, with calibrated uncertainty.

    Constructors only store their arguments, as keywords, and take ``seed``. The same seed and
    data give the same predictions in a fresh process.
    """

    @abstractmethod
    def fit(self, data: TaskData) -> Self:
        """Learn from ``data`` alone, forgetting what was learnt before.

        Raises:
            InvalidArgumentError: If there are too few rows.
        """

    @abstractmethod
    def predict(self, choices: IntArray) -> Prediction:
        """Predict encodings (n, decisions) of the space of the last `fit`, in its values' scale.

        Raises:
            NotFittedError: If `fit` was not called.
        """


class MetaPredictor(ABC):
    """Learns across tasks; what it learnt adapts to a new one. The meta-learner is untouched."""

    @abstractmethod
    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Learn from many tasks."""

    @abstractmethod
    def prior(self) -> Predictor:
        """A predictor that has seen no label of the new task."""

    @abstractmethod
    def adapt(self, support: TaskData) -> Predictor:
        """A predictor of the support's task."""


def require_rows(data: TaskData, least: int = 1) -> None:
    """Raise `InvalidArgumentError` if there are fewer rows than ``least``."""
    if len(data) < least:
        raise InvalidArgumentError(
            f"a predictor learns from at least {least} architectures, got {len(data)}; "
            "measure more before fitting"
        )


def not_fitted(predictor: object) -> NotFittedError:
    """The error of a predictor that was asked too early."""
    return NotFittedError(f"{type(predictor).__name__} was not fitted; call fit before predict")
