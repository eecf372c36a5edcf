"""Who predicts for a guide of one goal: its predictor, and what stands beside it."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.evaluation import Evaluation, Features, Prediction, TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.searchers.guide_data import KnownScores
from surrogate_nas.searchers.learning_rows import LearningRows
from surrogate_nas.searchers.part_values import PartValues
from surrogate_nas.spaces.base import Architecture, SearchSpace

_ALONE = 1.0  # exploration of a second opinion


class Opinion:
    """A predictor, and what it learns from.

    Attributes:
        predictor: Fitted and refitted when it is asked.
        exploration: How many standard deviations its upper confidence bound is above the mean.
        rows: The rows that it learns from.
    """

    def __init__(self, predictor: Predictor, exploration: float, labels: int) -> None:
        """Learn from about ``labels`` trials where there are more."""
        self.predictor = predictor
        self.exploration = exploration
        self.rows = LearningRows(labels)


class Opinions:
    """A guide's own predictor, a process on decisions that joins it, and a second opinion.

    The process is there from the first result on, in spaces that cannot be listed, see
    `surrogate_nas.searchers.decision_process.DecisionProcess`.

    The second opinion is a Gaussian process that learns from the trials of this search alone. It is
    asked in turn while any other predictor stalls, in a space that has graphs. A predictor that is
    wrong about a task is corrected by trials, but only where it lets the guide propose. Another one
    is not wrong in the same places. See `surrogate_nas.searchers.stalls`.

    Attributes:
        own: The guide's predictor.
        second: The second opinion; None before the first stall.
        process: That on decisions; None without one, and before the first result.
    """

    def __init__(
        self,
        space: SearchSpace,
        predictor: Predictor,
        *,
        exploration: float,
        process: DecisionProcess | None,
        refit_every: int,
        labels: int,
        features: Features | None,
    ) -> None:
        """Predict architectures of ``space``; see `surrogate_nas.searchers.guided.Guided`."""
        self.space = space
        self.own = Opinion(predictor, exploration, labels)
        self.second: Opinion | None = None
        self.process: DecisionProcess | None = None
        self._process = process
        self._refit_every = refit_every
        self._labels = labels
        self._features = features
        self._parts = PartValues(predictor)
        self._unlearnt = 0  # results since the last update

    def shared(self) -> dict[int, Any]:
        """What a fork does not copy, see `Searcher.fork`.

        `fit` starts anew each time, so a shallow copy keeps whatever a predictor caches.
        """
        asked = [opinion.predictor for opinion in (self.own, self.second) if opinion is not None]
        return {id(predictor): copy.copy(predictor) for predictor in asked}

    def observe(self, key: Architecture, evaluation: Evaluation | None) -> None:
        """Take note of a trial, which failed if there is no evaluation."""
        self._parts.observe(key, evaluation)
        self._unlearnt += 1

    def asked(self, *, turned: bool) -> Opinion:
        """Whose opinion a plan follows; ``turned`` if a stall changes this one."""
        if not (turned and self._has_graphs):
            return self.own
        from surrogate_nas.predictors.gp import GaussianProcess  # of stalls alone

        if isinstance(self.own.predictor, GaussianProcess):
            return self.own
        if self.second is None:
            self.second = Opinion(GaussianProcess(), _ALONE, self._labels)
        return self.second

    @functools.cached_property
    def _has_graphs(self) -> bool:
        """Whether the space has graphs, without which a Gaussian process sees nothing."""
        try:
            self.space.graphs(self.space.sample_choices(np.random.default_rng(0), 1))
        except NotImplementedError:
            return False
        return True

    def learn(self, opinion: Opinion, known: KnownScores, rng: np.random.Generator) -> None:
        """Update or refit a predictor; it is used as it is before there is anything to fit to."""
        trials = len(known.values)
        if not trials:
            return
        waits = self._process is not None and self._refit_every > 1 and opinion.rows.fitted > 0
        if waits and self._unlearnt < self._refit_every:  # the process has learnt the others
            return
        self._unlearnt = 0
        rows, anew = opinion.rows.choose(trials, len(known.archs) - trials, known.worst, rng)
        predictor = opinion.predictor
        (predictor.fit if anew else predictor.update)(self._data(known, rows))

    def learn_process(self, known: KnownScores) -> None:
        """Fit the process on decisions, if there is one."""
        if self._process is not None and len(known.values):
            choices = np.array([arch.choices for arch in known.archs])
            self._process.fit(choices, known.scores)
            self.process = self._process

    def predicted(self, opinion: Opinion, choices: IntArray) -> tuple[Prediction, float]:
        """Scores of keys (n, decisions), and the exploration that goes with them."""
        prediction = opinion.predictor.predict(choices)
        if self.process is None:
            return prediction, opinion.exploration
        return self.process.joined(prediction, choices), self.process.exploration

    def _data(self, known: KnownScores, rows: IntArray) -> TaskData:
        archs = [known.archs[i] for i in rows.tolist()]
        choices = np.array([arch.choices for arch in archs])
        parts = self._parts.of(archs)
        return TaskData(
            "search", self.space, choices, known.scores[rows], self._features, parts=parts
        )
