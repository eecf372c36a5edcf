"""Costs of all architectures on one device: measured, or predicted from few measurements."""

from __future__ import annotations

import copy
import functools
import os
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, Prediction, TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.meta.cost import MetaCost, cost_alone
from surrogate_nas.predictors.meta.weights import read_weights
from surrogate_nas.spaces.base import RestrictedSpace, SearchSpace
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.transfer.suites import full_name, same_task, suite_tasks

LEAST = 5
"""Measured networks from which those of all others are predicted."""


@dataclass(frozen=True)
class CostModel:
    """What networks cost on one device.

    A network that was measured costs what was measured. The cost of the others is predicted from
    these measurements and from other devices, if any are given, see `MetaCost`.

    Attributes:
        task: The measured networks.
        predictor: Predicts the others, larger is better; None where all are measured.
        text: The table and the sources, for records.
    """

    task: TabularTask
    predictor: Predictor | None
    text: str

    @property
    def goal(self) -> Goal:
        """The metric with its direction and unit; where it has no name, that of the task."""
        goal = self.task.goal
        return goal if goal.metric != "value" else replace(goal, metric=self.task.name)

    def check(self, space: SearchSpace) -> None:
        """Check that the model is of a space.

        Raises:
            InvalidArgumentError: If it is of another.
        """
        if _whole(space).identity != _whole(self.task.space).identity:
            raise InvalidArgumentError(
                f"the cost model {self.text} is of networks of {_whole(self.task.space).name}, and "
                f"the search of {_whole(space).name}; measure networks of this space with "
                "'surrogate-nas measure'"
            )

    def predict(self, choices: IntArray) -> Prediction:
        """Costs of encodings (n, decisions) in their own sign; the deviation is 0 if measured."""
        sign = self.goal.sign
        measured = self.task.lookup(choices)
        known = np.isfinite(measured)
        if known.all() or self.predictor is None:
            return Prediction(sign * measured, np.zeros(len(measured)))
        found = self.predictor.predict(choices)
        mean = np.where(known, measured, found.mean)
        return Prediction(sign * mean, np.where(known, 0.0, found.std))

    def with_measured(self, choices: IntArray, costs: FloatArray) -> CostModel:
        """The model that has also learnt these costs (n,), in their own sign."""
        if self.predictor is None:
            return self
        support = TaskData(
            self.task.name,
            _whole(self.task.space),
            np.concatenate([self.task.choices, choices]),
            np.concatenate([self.task.values, self.goal.sign * costs]),
        )
        return replace(self, predictor=copy.copy(self.predictor).fit(support))

    def bound(self, choices: IntArray, confidence: float) -> FloatArray:
        """Costs (n,) that a measurement exceeds with probability 1 - confidence, own sign."""
        found = self.predict(choices)
        return np.asarray(found.mean - self.goal.sign * float(ndtri(confidence)) * found.std)


def _whole(space: SearchSpace) -> SearchSpace:
    return space.whole if isinstance(space, RestrictedSpace) else space


def open_cost_model(table: str, sources: str | None = None) -> CostModel:
    """Read the measurements of a device, and learn from them.

    Args:
        table: ``FILE.h5`` as `surrogate_nas.workflows.measure` writes it, or any table, with
            ``:TASK`` where it has several.
        sources: Other devices: a file of weights of meta-cost, or tables as
            ``B[:T,…][;B2…]``, of which the table's own task is left out; None for none.

    Raises:
        SurrogateNASError: If a file is missing or of another kind, or there are too few networks.
    """
    task = _one_task(table)
    stamp = task.fingerprint
    given = None if sources is None else (sources, _stamp(sources))
    return _kept(table, stamp, given)


def _stamp(sources: str) -> float:
    return os.stat(sources).st_mtime if os.path.isfile(sources) else 0.0


def _one_task(table: str) -> TabularTask:
    if table.endswith(SUFFIX):
        raise InvalidArgumentError(
            f"--cost-model must be a table of networks that were measured on the device, got the "
            f"weights {table!r}; measure ten with 'surrogate-nas measure', and give the weights as "
            "--cost-sources"
        )
    tasks = suite_tasks(table)
    if len(tasks) != 1:
        raise InvalidArgumentError(
            f"--cost-model must be one task, and {table!r} has {len(tasks)}: "
            f"{', '.join(task.name for task in tasks)}; name one, {table}:{tasks[0].name}"
        )
    return tasks[0]


@functools.lru_cache(maxsize=8)
def _kept(table: str, stamp: str, sources: tuple[str, float] | None) -> CostModel:
    task = _one_task(table)
    text = f"{table} ({stamp[:8]})" + ("" if sources is None else f" with {sources[0]}")
    space = _whole(task.space)
    if space.countable and len(task) == space.size:
        return CostModel(task, None, text)
    if len(task) < LEAST:
        raise InvalidArgumentError(
            f"the cost model {table!r} must have at least {LEAST} measured networks, got "
            f"{len(task)}; measure more with 'surrogate-nas measure --count 10'"
        )
    support = TaskData(task.name, task.space, task.choices, task.values)
    if sources is None:
        return CostModel(task, cost_alone(support), text)
    return CostModel(task, _learner(sources[0], task).adapt(support), text)


def _learner(sources: str, task: TabularTask) -> MetaCost:
    if sources.endswith(SUFFIX):
        tensors, settings = read_weights(sources)
        if settings.predictor != "meta-cost":
            raise InvalidArgumentError(
                f"--cost-sources must be weights of meta-cost, and {sources!r} has those of "
                f"{settings.predictor}; make some with 'surrogate-nas meta-train --predictor "
                "meta-cost'"
            )
        if settings.saw(task.space, task.name, task.fingerprints):
            raise InvalidArgumentError(
                f"the weights {sources!r} have learnt from {full_name(task)} itself, so nothing "
                "could be said about it; leave it out with meta-train --holdout"
            )
        return MetaCost.restored(tensors, settings.for_learner())
    tasks = [other for other in suite_tasks(sources) if not same_task(other, task)]
    if not tasks:
        raise InvalidArgumentError(
            f"--cost-sources must have another device than {full_name(task)}, got {sources!r}"
        )
    return MetaCost().meta_fit(
        [TaskData(full_name(t), t.space, t.choices, t.values) for t in tasks]
    )
