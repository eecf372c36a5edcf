"""The simplest transfer: regression on an architecture's values in other tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import RidgeCV

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import MetaPredictor, Predictor, not_fitted, require_rows
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.calibration import interval_std, least_std
from surrogate_nas.predictors.feature_predictor import OTHERS
from surrogate_nas.predictors.meta.encoder import tasks_of_one_space, whole_space
from surrogate_nas.predictors.meta.weights import noted
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import RowIndex

_PENALTIES = 10.0 ** np.arange(-1, 5)


class TransferRidge(MetaPredictor):
    """Ridge regression and boosting on the normal scores of the source tasks' values.

    Their predictions are averaged, each weighted by its inverse variance on held-out rows.
    Without a label it is the mean over the sources. An architecture that a source did not measure
    has the mean of that source, so all sources must be of one space. It is the baseline for
    meta-learners.
    """

    _space: SearchSpace | None = None

    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Put the tasks' scores side by side."""
        group = tasks_of_one_space(tasks, "transfer-ridge", "take meta-gnn for several")
        space = group.space
        self._space_noted = space.identity
        # Tasks may have measured different encodings of one key.
        self._index, position = np.unique(
            space.index(space.keys(group.choices)), return_inverse=True
        )
        row, column = np.nonzero(~np.isnan(group.scores))
        self._scores = np.zeros((len(self._index), len(tasks)), dtype=np.float32)
        self._scores[position[row], column] = group.scores[row, column]
        return self

    def prior(self, space: SearchSpace) -> Predictor:
        """The mean over the sources."""
        return _Transferred(self, self._checked(space), self.seed)

    def adapt(self, support: TaskData) -> Predictor:
        """Regress the support's values."""
        return _Transferred(self, self._checked(support.space), self.seed).fit(support)

    def _checked(self, space: SearchSpace) -> SearchSpace:
        if not hasattr(self, "_index"):
            raise not_fitted(self)
        if not noted(space, (self._space_noted,)):
            raise InvalidArgumentError(
                f"transfer-ridge learnt from {self._space_noted}, and the task is of "
                f"{space.identity}"
            )
        return whole_space(space)

    def rows(self, space: SearchSpace, choices: IntArray) -> FloatArray:
        """Scores of encodings (n, decisions) in the sources, 0 where there is none: (n, t)."""
        row = RowIndex(space, self._index).find(space.keys(np.asarray(choices)))
        return np.where((row >= 0)[:, None], self._scores[row], 0.0)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Numbers of the encodings, and their scores."""
        self._checked_fit()
        index = self._index
        if index.dtype.kind == "S":  # which files of weights do not know
            index = index.view(np.uint8).reshape(len(index), -1)
        return {"index": index, "scores": self._scores}

    def settings(self) -> dict[str, Any]:
        """The seed and the space."""
        self._checked_fit()
        return {"seed": self.seed, "space": self._space_noted}

    def _checked_fit(self) -> None:
        if not hasattr(self, "_index"):
            raise not_fitted(self)

    @classmethod
    def restored(cls, tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> Self:
        """The meta-learner that `tensors` and `settings` came from."""
        learner = cls(seed=settings["seed"])
        learner._space_noted = settings["space"]
        index = tensors["index"]
        if index.ndim == 2:
            learner._index = np.ascontiguousarray(index).view(f"S{index.shape[1]}")[:, 0]
        else:
            learner._index = index.astype(np.int64)
        learner._scores = tensors["scores"]
        return learner


class _Transferred(Predictor):
    """The regression of one task."""

    has_prior = True

    def __init__(self, learner: TransferRidge, space: SearchSpace, seed: int) -> None:
        self._learner, self._space, self._seed = learner, space, seed
        self._models: tuple[_Ridge, XGBoost] | None = None

    def fit(self, data: TaskData) -> Self:
        require_rows(data)
        x = self._learner.rows(self._space, data.choices)
        others = self._learner.rows(
            self._space, self._space.sample_choices(np.random.default_rng(0), OTHERS)
        )
        values = np.asarray(data.values, dtype=np.float64)
        boosting = XGBoost(seed=self._seed, learning_rate=0.1, max_depth=3, column_share=1.0)
        self._models = _Ridge().learn(x, values), boosting.learn(x, values, others)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        x = self._learner.rows(self._space, choices)
        if self._models is None or not len(x):
            return Prediction(x.mean(axis=1), np.ones(len(x)))
        parts = [model.infer(x) for model in self._models]
        weights = np.array([1 / float(np.mean(part.std**2)) for part in parts])
        mean = np.average([part.mean for part in parts], axis=0, weights=weights)
        return Prediction(mean, np.average([part.std for part in parts], axis=0, weights=weights))


class _Ridge:
    """Ridge regression around the mean of the columns, its penalty by leave-one-out error."""

    def learn(self, x: FloatArray, values: FloatArray) -> Self:
        self._centre, self._scale = float(values.mean()), float(values.std()) or 1.0
        self._std = least_std(values)
        target = (values - self._centre) / self._scale - x.mean(axis=1)
        self._model: RidgeCV | None = None
        if len(values) > 1:
            self._model = RidgeCV(_PENALTIES, store_cv_results=True).fit(x, target)
            position = int(np.flatnonzero(self._model.alpha_ == _PENALTIES)[0])
            residuals = np.sqrt(self._model.cv_results_[:, position])
            self._std = max(interval_std(residuals) * self._scale, self._std)
        return self

    def infer(self, x: FloatArray) -> Prediction:
        rest = 0.0 if self._model is None else self._model.predict(x)
        mean = (x.mean(axis=1) + rest) * self._scale + self._centre
        return Prediction(mean, np.full(len(x), self._std))
