"""The values of each task of a weighted mean, which a guide collects for its predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import Evaluation, Goal
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.meta.several_tasks import SeveralTasks
from surrogate_nas.spaces.base import Architecture


class PartValues:
    """Keeps what trials measured of each task, if a predictor predicts each of them.

    A trial that failed counts with the worst value of each task. Pending ones have none.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Keep what ``predictor`` asks for."""
        self._metrics: tuple[str, ...] = ()
        self._signs: FloatArray = np.ones(0)
        if isinstance(predictor, SeveralTasks):
            self._metrics = predictor.metrics
            self._signs = predictor.signs
        self._known: dict[Architecture, tuple[float, ...] | None] = {}

    def observe(
        self, key: Architecture, evaluation: Evaluation | None, goals: Sequence[Goal] = ()
    ) -> None:
        """Learn from one trial, which failed if there is no evaluation.

        Args:
            key: What was evaluated.
            evaluation: What came out.
            goals: Of its values; some tasks may be goals themselves.
        """
        if not self._metrics:
            return
        if evaluation is None:
            self._known.setdefault(key, None)
            return
        found = dict(evaluation.metrics)
        for goal, value in zip(goals, evaluation.values, strict=False):
            found[goal.metric] = goal.sign * value
        self._known[key] = tuple(found.get(metric, np.nan) for metric in self._metrics)

    def of(self, archs: Sequence[Architecture]) -> FloatArray | None:
        """Values of keys, NaN where there are none: (n, tasks); None if nobody asks for them."""
        measured = [values for values in self._known.values() if values is not None]
        if not measured:
            return None
        signed = np.array(measured) * self._signs
        signed = signed[np.isfinite(signed).all(axis=1)]
        if not len(signed):
            return None
        worst = tuple((signed.min(axis=0) * self._signs).tolist())
        nothing = (np.nan,) * len(self._metrics)
        rows = [self._known.get(arch, nothing) for arch in archs]
        return np.array([worst if row is None else row for row in rows])
