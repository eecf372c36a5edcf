"""A cost that is known of all architectures, as a goal or limit of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Evaluation, Goal, Prediction
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.several import WithGoals
from surrogate_nas.transfer.cost_model import CostModel

if TYPE_CHECKING:
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.several_trainings import SeveralTrainings


@dataclass(frozen=True)
class KnownCost:
    """The cost by a model of the device.

    Attributes:
        model: Measures or predicts it.
        confidence: With a limit, the probability with which a measurement shall keep it; None for
            a goal, whose value is the expected cost.
    """

    model: CostModel
    confidence: float | None

    @property
    def goal(self) -> Goal:
        """The metric with its direction and unit."""
        return self.model.goal

    @property
    def text(self) -> str:
        """The model and the confidence, for records."""
        sure = "" if self.confidence is None else f", confidence {self.confidence:g}"
        return f"{self.model.text}{sure}"

    def values(self, choices: IntArray) -> FloatArray:
        """Costs of encodings (n, decisions), or what they do not exceed: (n,), own sign."""
        if self.confidence is None:
            return self.model.predict(choices).mean
        return self.model.bound(choices, self.confidence)


class WithCost(WithGoals):
    """Trainings with a cost that is known of all architectures."""

    def __init__(
        self,
        training: TrainingObjective | SeveralTrainings,
        goals: Sequence[Goal],
        cost: KnownCost,
    ) -> None:
        """Choose the goals; see `WithGoals`."""
        super().__init__(training, goals, further=[cost.goal.metric])
        self.cost = cost
        self.added = cost.text

    def known_costs(self, choices: IntArray) -> dict[str, Prediction]:
        """See `surrogate_nas.evaluation.KnowsCosts`."""
        values = self.cost.values(choices)
        return {self.cost.goal.metric: Prediction(values, np.zeros(len(values)))}

    def measured(self, arch: Architecture, done: Evaluation) -> dict[str, float]:
        """Also the cost."""
        cost = float(self.cost.values(np.array([arch.choices]))[0])
        return {**super().measured(arch, done), self.cost.goal.metric: cost}
