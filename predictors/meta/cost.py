"""Costs of networks on a new device, from few measurements and those of other devices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import MetaPredictor, Predictor, not_fitted, require_rows
from surrogate_nas.predictors.calibration import least_std
from surrogate_nas.predictors.meta.cost_columns import CostColumns
from surrogate_nas.predictors.meta.cost_regression import CostMixture, Smoother
from surrogate_nas.predictors.meta.encoder import tasks_of_one_space, whole_space
from surrogate_nas.predictors.meta.weights import noted
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import RowIndex

# Standard deviations of what groups of columns add, in units of that of the costs. They were chosen
# once, by leave-one-out over nine devices of NAS-Bench-201.
_SOURCES, _COUNTS, _LIVE, _DECISIONS = 0.12, 0.5, 0.8, 0.06
_WITHOUT = 0.3  # relative standard deviation of costs where no source tells it


class MetaCost(MetaPredictor):
    """A Bayesian linear regression on what other devices measured, and on counts of operations.

    Costs such as latency, energy or memory add up along a graph, and devices differ in what each
    operation costs. So a device's costs are near a linear function of those of other devices, of
    the number of each operation and of the decisions. The weights of these parts, the noise and the
    source that is most alike are averaged by their evidence on the labels, see `CostMixture`.

    A source's costs are the prediction of a regression of all of its measurements (`Smoother`),
    beside the measurement itself, where there is one. So sources need not have measured the same
    architectures, nor those of the task. All sources are of one space.

    Related work: Lee et al., "HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via
    Meta-Learning", NeurIPS 2021, who chose the nine devices.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> choices = space.all_choices()[::20]
        >>> phone = TaskData("phone", space, choices, -1.0 - choices.sum(axis=1))
        >>> clock = TaskData("clock", space, choices, -2.0 - (choices > 1).sum(axis=1))
        >>> learner = MetaCost().meta_fit([phone])
        >>> prediction = learner.adapt(clock.take(np.arange(10, 160, 15))).predict(choices)
        >>> bool(np.corrcoef(prediction.mean, clock.values)[0, 1] > 0.9)
        True
    """

    _space_noted = ""

    def meta_fit(self, tasks: Sequence[TaskData]) -> Self:
        """Put the tasks' standardised values side by side."""
        for task in tasks:
            require_rows(task, 2)
        advice = "give the devices of one space, or take meta-gnn for several"
        space = tasks_of_one_space(tasks, "meta-cost", advice).space
        self._space_noted = space.identity
        keys = [space.keys(task.choices) for task in tasks]
        numbers, first = np.unique(space.index(np.concatenate(keys)), return_index=True)
        self._choices = np.concatenate(keys)[first].astype(np.int16)
        index = RowIndex(space, numbers)
        shape = len(numbers), len(tasks)
        total, count = np.zeros(shape), np.zeros(shape)
        relative = []
        for column, (task, rows) in enumerate(zip(tasks, keys, strict=True)):
            scores, own = _standardised(task.values)
            np.add.at(total[:, column], index.find(rows), scores)
            np.add.at(count[:, column], index.find(rows), 1.0)
            relative.append(own)
        self._measured = count > 0
        self._scores = total / np.maximum(count, 1)
        self._relative = np.array(relative)
        self._views: dict[object, _View] = {}
        return self

    def prior(self, space: SearchSpace) -> Predictor:
        """What the sources expect in the mean."""
        return _Adapted(self._view(space))

    def adapt(self, support: TaskData) -> Predictor:
        """Condition on the support's values."""
        return _Adapted(self._view(support.space)).fit(support)

    def _view(self, space: SearchSpace) -> _View:
        self._require_fit()
        if not noted(space, (self._space_noted,)):
            raise InvalidArgumentError(
                f"meta-cost learnt from {self._space_noted}, and the task is of {space.identity}; "
                "take gp, or sources of this space"
            )
        whole = whole_space(space)
        key = (type(whole), whole.identity, whole.isomorphs)
        if key not in self._views:
            relative = self._relative[self._relative > 0]
            expected = float(np.median(relative)) if len(relative) else 0.0
            self._views = {key: _View(whole, self._choices, self._scores, self._measured, expected)}
        return self._views[key]

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """The sources' encodings, their scores, and which of these were measured."""
        self._require_fit()
        return {
            "choices": self._choices,
            "scores": self._scores,
            "measured": self._measured.astype(np.uint8),
            "relative": self._relative,
        }

    def settings(self) -> dict[str, Any]:
        """The seed and the space."""
        self._require_fit()
        return {"seed": self.seed, "space": self._space_noted}

    def _require_fit(self) -> None:
        if not self._space_noted:
            raise not_fitted(self)

    @classmethod
    def restored(cls, tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> Self:
        """The meta-learner that `tensors` and `settings` came from."""
        learner = cls(seed=settings["seed"])
        learner._space_noted = settings["space"]
        learner._choices = tensors["choices"]
        learner._scores = tensors["scores"].astype(np.float64)
        learner._measured = tensors["measured"].astype(np.bool_)
        learner._relative = tensors["relative"].astype(np.float64)
        rows, tasks = learner._scores.shape
        if learner._measured.shape != (rows, tasks) or len(learner._choices) != rows:
            raise ValueError("its parts do not fit together")
        learner._views = {}
        return learner


def cost_alone(support: TaskData) -> Predictor:
    """A predictor of a device's costs from its own measurements, without other devices.

    Raises:
        InvalidArgumentError: If there is no row.
    """
    whole = whole_space(support.space)
    nothing = np.zeros((0, 0))
    none = np.zeros((0, len(whole.decisions)), dtype=np.int16)
    return _Adapted(_View(whole, none, nothing, nothing > 0, 0.0)).fit(support)


def _standardised(values: FloatArray) -> tuple[FloatArray, float]:
    """Values (n,) with mean 0 and deviation 1, and their deviation relative to the median.

    The latter is 0 where values have both signs, so that it has no meaning.
    """
    values = values / (np.abs(values).max() or 1.0)
    std = float(values.std())
    one_sign = values.min() > 0 or values.max() < 0
    relative = std / abs(float(np.median(values))) if one_sign else 0.0
    return (values - values.mean()) / (std or 1.0), relative


class _View:
    """What the sources say about the architectures of one space.

    Attributes:
        relative: The expected standard deviation of costs relative to their median, or 0.
    """

    def __init__(
        self,
        space: SearchSpace,
        choices: IntArray,
        scores: FloatArray,
        measured: npt.NDArray[np.bool_],
        relative: float,
    ) -> None:
        self.space, self.relative = space, relative
        self._columns = CostColumns.of(space)
        self._scores, self._measured = scores, measured
        rows = choices.astype(np.int64)
        order = np.argsort(space.index(rows), kind="stable")
        self._order = order
        self._index = RowIndex(space, space.index(rows)[order])
        self._smoothers = self._fitted(self._columns(rows))
        pool = self._columns.choices
        smooth = self._smooth(self._columns(pool))
        self._centre, self._scale = smooth.mean(axis=0), _positive(smooth.std(axis=0))
        self._trend = 1.0
        if len(self._scale):
            trend = ((smooth - self._centre) / self._scale).mean(axis=1)
            self._trend = float(_positive(trend.std(keepdims=True))[0])
        sizes = np.bincount(self._columns.groups, minlength=3)
        weights = np.array([_COUNTS, _LIVE, _DECISIONS]) / np.sqrt(np.maximum(sizes, 1))
        self._weights = weights[self._columns.groups]
        self._last: tuple[IntArray, FloatArray, FloatArray] | None = None

    def _fitted(self, x: FloatArray) -> list[tuple[IntArray, Smoother]]:
        """A regression for each set of sources that measured the same architectures."""
        masks, group = np.unique(self._measured, axis=1, return_inverse=True)
        found: list[tuple[IntArray, Smoother]] = []
        if not self._measured.size:
            return found
        for number, mask in enumerate(masks.T):
            members = np.flatnonzero(group.ravel() == number)
            found.append((members, Smoother(x[mask], self._scores[np.ix_(mask, members)])))
        return found

    def _smooth(self, x: FloatArray) -> FloatArray:
        found = np.empty((len(x), self._scores.shape[1]))
        for members, smoother in self._smoothers:
            found[:, members] = smoother(x)
        return found

    def __call__(self, choices: IntArray) -> tuple[FloatArray, FloatArray]:
        """Expectations (n, 1 + t), the mean and each source, and weighted columns (n, k)."""
        if self._last is not None and choices is self._last[0]:
            return self._last[1:]
        keys = self.space.keys(np.asarray(choices))
        x = self._columns(keys)
        if not len(self._scale):
            return np.zeros((len(x), 0)), self._weights * x
        smooth = self._smooth(x)
        row = self._index.find(keys)
        at = self._order[row]
        known = (row >= 0)[:, None] & self._measured[at]
        raw = np.where(known, self._scores[at], smooth)
        smooth = (smooth - self._centre) / self._scale
        raw = (raw - self._centre) / self._scale
        trend = smooth.mean(axis=1, keepdims=True) / self._trend
        expected = np.concatenate([trend, smooth], axis=1)
        share = _SOURCES / math.sqrt(smooth.shape[1])
        parts = [_SOURCES * trend, share * smooth, share * raw, self._weights * x]
        columns = np.concatenate(parts, axis=1)
        if not choices.flags.writeable:
            self._last = choices, expected, columns
        return expected, columns


def _positive(scales: FloatArray) -> FloatArray:
    return np.where(scales > 0, scales, 1.0)


class _Adapted(Predictor):
    """The regression of one task."""

    has_prior = True

    def __init__(self, view: _View) -> None:
        self._view = view
        self._mixture: CostMixture | None = None

    def fit(self, data: TaskData) -> Self:
        require_rows(data)
        values = np.asarray(data.values, dtype=np.float64)
        middle = float(np.median(values))
        one_sign = values.min() > 0 or values.max() < 0
        relative = self._view.relative or _WITHOUT
        scale = abs(middle) * relative if one_sign else float(values.std())
        self._unit, self._middle = scale or 1.0, middle
        expected, x = self._view(data.choices)
        self._mixture = CostMixture.of(expected, x, (values - middle) / self._unit)
        self._floor = least_std(values)
        return self

    def predict(self, choices: IntArray) -> Prediction:
        expected, x = self._view(np.asarray(choices))
        if self._mixture is None:
            return Prediction(expected[:, 0], np.ones(len(expected)))
        mean, variance = self._mixture.predict(expected, x)
        std = np.sqrt(variance + self._mixture.noise) * self._unit
        epistemic = np.sqrt(variance) * self._unit
        return Prediction(mean * self._unit + self._middle, np.maximum(std, self._floor), epistemic)
