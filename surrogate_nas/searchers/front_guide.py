"""Guidance towards a front: one predictor a goal, and expected hypervolume improvement."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.evaluation import Evaluation, Features, Goal, Prediction, TaskData, Trial
from surrogate_nas.fronts import nondominated
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.meta.several_tasks import SeveralTasks
from surrogate_nas.searchers.acquisition import most_promising
from surrogate_nas.searchers.base import KnownCosts, Searcher
from surrogate_nas.searchers.candidates import Candidates
from surrogate_nas.searchers.front_data import GoalPredictions, GoalScale, KnownTrials, keeping
from surrogate_nas.searchers.improvement import MOST_EXACT, expected_hypervolume_improvement
from surrogate_nas.searchers.learning_rows import LearningRows
from surrogate_nas.searchers.operation_counts import OperationCounts, sizes
from surrogate_nas.searchers.part_values import PartValues
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.several import Values, best_first, least_values, tchebycheff
from surrogate_nas.spaces.base import Architecture, SearchSpace

_FEW = 5  # successful trials before a predictor without a prior is trusted
_FAR = 3.0  # standard deviations beyond which an improvement is neglected
_FIRST = 15  # guided proposals that are all by the expected improvement
_MIXED = 2  # later ones of which one is by a scalarisation
_EQUAL = 1e-9  # difference of distances
_BEST = 10  # architectures of the front whose neighbours become candidates


Free = Callable[[IntArray], BoolArray]
"""Which keys (n, decisions) were neither proposed nor told: bool (n,)."""


class PredictedGoals(PredictedObjective):
    """Evaluates architectures by their predicted values of all goals, at no cost."""

    def __init__(self, guide: FrontGuide) -> None:
        """Predict by what the guide has learnt."""
        super().__init__(guide.space, _NotDifferentiable())
        self.guide = guide

    def evaluate_all(self, archs: Sequence[Architecture]) -> list[Evaluation]:
        """Predict many at once, in the scale of scores."""
        means = self.guide.predicted(np.array([arch.choices for arch in archs])).mean
        return [Evaluation(tuple(row), cost=0.0) for row in means.tolist()]


class _NotDifferentiable(Predictor):
    """Stands where a searcher might look for gradients of a single goal."""

    def fit(self, data: TaskData) -> _NotDifferentiable:
        return self

    def predict(self, choices: IntArray) -> Prediction:
        raise NotImplementedError


class FrontGuide:
    """The part of `surrogate_nas.searchers.guided.Guided` that serves several goals.

    Each goal that is not known of all architectures has a predictor of its own, which learns
    warped values (see `surrogate_nas.predictors.scores.warped`). Candidates are compared by their
    expected hypervolume improvement in these scales, times the probability that they keep all
    limits. Only the model's own uncertainty counts, because a noisy measurement gains nothing, and
    the reference point lies a tenth behind the worst of all trials, so that the ends of the front
    are found, too. With more than three goals, and for every few proposals, the upper confidence
    bounds are compared by an augmented Tchebycheff function with random weights instead (Knowles,
    "ParEGO", 2006). Pending trials count with their predicted values.
    """

    def __init__(
        self,
        inner: Searcher,
        predictor: Predictor,
        goals: Sequence[Goal],
        known_costs: KnownCosts | None,
        rng: np.random.Generator,
        *,
        initial: int,
        refit_every: int,
        exploration: float,
        inner_every: int,
        steps: int,
        labels: int,
        features: Features | None,
        all_candidates: bool,
    ) -> None:
        """Guide ``inner`` towards the front of ``goals``; see `Guided` for the other arguments.

        Args:
            inner: The searcher that is guided.
            predictor: Of the first goal; the others have copies of it. Where it has a prior,
                which knows nothing of other goals, they have Gaussian processes.
            goals: Of the objective.
            known_costs: The goals that are known of all architectures, or None.
            rng: The guide's source of randomness.
            initial: See `Guided`.
            refit_every: See `Guided`.
            exploration: See `Guided`, for the upper confidence bounds.
            inner_every: See `Guided`.
            steps: See `Guided`.
            labels: See `Guided`.
            features: See `Guided`.
            all_candidates: Whether all architectures are compared.
        """
        self.inner = inner
        self.space: SearchSpace = inner.space
        self.goals = tuple(goals)
        self.known_costs = known_costs
        self.rng = rng
        self.refit_every = refit_every
        self.exploration = exploration
        self.inner_every = inner_every
        self.features = features
        self.counts = OperationCounts.of(self.space, features)
        self.all_candidates = all_candidates
        from surrogate_nas.predictors.gp import GaussianProcess  # slow to import

        one = self.space.sample_choices(rng.spawn(1)[0], 1)
        known = {} if known_costs is None else known_costs(one)
        self.free = np.array([goal.limit is None for goal in self.goals])
        self.models: dict[int, Predictor] = {}
        for i, goal in enumerate(self.goals):
            if goal.metric in known:
                continue
            if isinstance(predictor, SeveralTasks) and goal.metric in predictor.metrics:
                self.models[i] = predictor.of_one()  # each task is a goal
                continue
            own = GaussianProcess() if predictor.has_prior else copy.deepcopy(predictor)
            self.models[i] = predictor if i == 0 else own
        learns = any(not model.has_prior for model in self.models.values())
        self.initial = max(initial, _FEW) if learns else initial
        self._told: dict[Architecture, Values | None] = {}
        self._believed: dict[Architecture, Values] = {}
        self._plan: deque[tuple[Architecture, Values]] = deque()
        self._scales: list[GoalScale] = []
        self._rows = LearningRows(labels)
        self._parts = PartValues(next(iter(self.models.values()), predictor))
        self._news = 0
        self._guided = 0
        # Of a read-only array of architectures: their known costs, the scales, and the scores.
        self._costs: tuple[IntArray, dict[int, Prediction]] | None = None
        self._cost_scales: tuple[IntArray, dict[int, GoalScale]] | None = None
        self._cost_scores: tuple[IntArray, dict[int, tuple[FloatArray, FloatArray]]] | None = None
        model = next(iter(self.models.values()), predictor)
        self._candidates = Candidates(inner, model, rng, steps=steps, proposals=refit_every)
        self.foreseen: dict[Architecture, float] = {}
        self._started = 0
        self._sizes: IntArray | None = None  # of all candidates, before the first plan

    def shared(self) -> dict[int, Any]:
        """What a fork does not copy, see `Searcher.fork`."""
        found: dict[int, Any] = {id(model): copy.copy(model) for model in self.models.values()}
        for kept in (self.counts, self._sizes, self._costs, self._cost_scales, self._cost_scores):
            if kept is not None:
                found[id(kept)] = kept
        return found

    @property
    def succeeded(self) -> int:
        """Number of architectures with values."""
        return sum(values is not None for values in self._told.values())

    def observe(self, trial: Trial) -> None:
        """Learn from one trial."""
        key = self.space.key(trial.arch)
        self._believed.pop(key, None)
        self._parts.observe(key, trial.evaluation, self.goals)
        if trial.evaluation is not None:
            self._told[key] = trial.evaluation.values
        else:
            self._told.setdefault(key, None)
        self._news += 1

    def candidate(self, free: Free) -> Architecture:
        """The next architecture; ``free`` tells which keys were not proposed yet."""
        if self.succeeded < max(self.initial, 1):
            return self._first(free) or self.inner.ask(1)[0].arch
        self._guided += 1
        if not self.inner_every or self._guided % self.inner_every:
            if self._news >= self.refit_every or not self._plan:
                self._replan(free)
            while self._plan:
                arch, means = self._plan.popleft()
                if free(np.array([arch.choices]))[0]:
                    self._believed[arch] = means
                    return arch
        return self.inner.ask(1)[0].arch

    def _first(self, free: Free) -> Architecture | None:
        """An architecture before there is anything to learn from.

        Each is from another part of the range of the first known goal, and keeps the known limits.
        Where no goal is known, sizes take its place: what costs little, and what costs much, are
        measured before a model has a say. A model that has seen neither may take all that it has
        not seen for what it has.
        """
        if not self.all_candidates:
            return None
        candidates = self.space.unique()
        known = self._known(candidates)
        if not known:
            return self._first_of_size(candidates, free(candidates))
        open_ = free(candidates)
        for i, least in enumerate(least_values(self.goals)):
            if i in known and least is not None:
                open_ &= known[i].mean >= least
        left = np.flatnonzero(open_)
        if not left.size:
            return None
        left = left[np.argsort(known[min(known)].mean[left], kind="stable")]
        part = self._part(max(self.initial, 1))
        return self.space.architecture(candidates[left[int(part * len(left))]])

    def _first_of_size(self, candidates: IntArray, open_: BoolArray) -> Architecture | None:
        """One of the free candidates whose size is nearest to a draw from the range of sizes."""
        left = np.flatnonzero(open_)
        if self.counts is None or not left.size:
            return None
        if self._sizes is None:
            self._sizes = sizes(self.space, candidates)
        found = self._sizes[left]
        least, most = int(found.min()), int(found.max())
        if least == most:
            return None
        distance = np.abs(found - least - self._part(max(self.initial, 1)) * (most - least))
        nearest = left[distance <= distance.min() + _EQUAL]
        return self.space.architecture(candidates[nearest[self.inner.rng.integers(len(nearest))]])

    def _part(self, parts: int) -> float:
        """A draw from the next of so many equal parts of the range from 0 to 1."""
        part = (self._started % parts + self.inner.rng.random()) / parts
        self._started += 1
        return float(part)

    def _replan(self, free: Free) -> None:
        """Fit, predict, and line up the next proposals."""
        self._news = 0
        if self.all_candidates:
            candidates = self.space.unique()
            known = self._learn(candidates)
        else:
            known = self._learn(np.array([arch.choices for arch in self._told]))
            front = best_first([v for v in self._told.values() if v is not None], self.goals)
            done = [arch for arch, values in self._told.items() if values is not None]
            best = np.array([done[i].choices for i in front[:_BEST].tolist()])
            candidates = self._candidates.gathered(
                best,
                PredictedGoals(self),
                lambda choices: self._score(choices, known, free)[1],
            )
        mean, score = self._score(candidates, known, free)
        chosen = most_promising(candidates, score, self.refit_every)
        archs = [Architecture(self.space.name, tuple(candidates[i].tolist())) for i in chosen]
        self._plan = deque(zip(archs, map(tuple, mean[chosen].tolist()), strict=True))
        values = self._scales[0].to_values(mean[chosen, 0]).tolist()
        self.foreseen = dict(zip(archs, values, strict=True))

    def _learn(self, pool: IntArray) -> KnownTrials:
        """Update or refit the predictors, and return their data.

        Args:
            pool: Architectures whose known costs give these goals their scales.
        """
        from surrogate_nas.predictors.scores import warped  # slow to import

        archs = [*self._told, *self._believed]
        nothing = (np.nan,) * len(self.goals)
        values = np.array([nothing if v is None else v for v in self._told.values()])
        failed = np.isnan(values[:, 0])
        values = np.where(np.isnan(values), np.nanmin(values, axis=0), values)
        believed = np.array(list(self._believed.values())).reshape(-1, len(self.goals))
        scores = np.empty((len(archs), len(self.goals)))
        scales = self._known_scales(pool)
        self._scales = []
        for i, column in enumerate(values.T):
            if i in self.models:
                self._scales.append(GoalScale.of(column))
                measured = warped(column)
            else:
                self._scales.append(scales[i])
                measured = self._scales[i].to_scores(column)
            scores[:, i] = np.append(measured, believed[:, i])
        least = [
            -np.inf if value is None else float(scale.to_scores(np.array(value)))
            for value, scale in zip(least_values(self.goals), self._scales, strict=True)
        ]
        failed = np.append(failed, np.zeros(len(believed), dtype=np.bool_))
        known = KnownTrials(archs, scores, values, failed, np.array(least))
        self._fit(known)
        return known

    def _fit(self, known: KnownTrials) -> None:
        def worst(best: int) -> IntArray:
            order = best_first([tuple(row) for row in known.values.tolist()], self.goals)
            return np.sort(order[best:])

        trials = len(known.values)
        rows, anew = self._rows.choose(trials, len(known.archs) - trials, worst, self.rng)
        choices = np.array([known.archs[i].choices for i in rows.tolist()])
        for i, model in self.models.items():
            features = self.features if i == 0 else self.counts or self.features
            parts = self._parts.of([known.archs[j] for j in rows.tolist()]) if i == 0 else None
            data = TaskData(
                "search", self.space, choices, known.scores[rows, i], features, parts=parts
            )
            (model.fit if anew else model.update)(data)

    def _known(self, choices: IntArray) -> dict[int, Prediction]:
        """The goals that are known, by position, larger is better; kept for a read-only array."""
        if self.known_costs is None:
            return {}
        if self._costs is not None and self._costs[0] is choices:
            return self._costs[1]
        found = {}
        read = self.known_costs(choices)
        for i, goal in enumerate(self.goals):
            if i not in self.models:
                cost = read[goal.metric]
                found[i] = Prediction(goal.sign * cost.mean, cost.std)
        if not choices.flags.writeable:
            self._costs = (choices, found)
        return found

    def _known_scales(self, pool: IntArray) -> dict[int, GoalScale]:
        """The scale of each known goal, kept for a read-only array."""
        if self._cost_scales is not None and self._cost_scales[0] is pool:
            return self._cost_scales[1]
        found = {i: GoalScale.of(cost.mean) for i, cost in self._known(pool).items()}
        if not pool.flags.writeable:
            self._cost_scales = (pool, found)
        return found

    def _known_scores(self, choices: IntArray) -> dict[int, tuple[FloatArray, FloatArray]]:
        """Scores of the known goals and their deviations, kept for a read-only array."""
        fixed = self._cost_scales is not None and self._cost_scales[0] is choices
        if fixed and self._cost_scores is not None and self._cost_scores[0] is choices:
            return self._cost_scores[1]
        found: dict[int, tuple[FloatArray, FloatArray]] = {}
        for i, cost in self._known(choices).items():
            scale = self._scales[i]
            spread: FloatArray = np.zeros(len(choices))
            if cost.std.any():
                ends = scale.to_scores(np.stack([cost.mean - cost.std, cost.mean + cost.std]))
                spread = (ends[1] - ends[0]) / 2
            found[i] = scale.to_scores(cost.mean), spread
        if fixed:
            self._cost_scores = (choices, found)
        return found

    def predicted(self, choices: IntArray) -> GoalPredictions:
        """Predictions of encodings (n, decisions) by what was learnt last."""
        shape = (len(choices), len(self.goals))
        mean, own, std = np.empty(shape), np.empty(shape), np.empty(shape)
        for i, model in self.models.items():
            found = model.predict(choices)
            mean[:, i], std[:, i] = found.mean, found.std
            own[:, i] = found.std if found.epistemic is None else found.epistemic
        for i, (scores, spread) in self._known_scores(choices).items():
            mean[:, i], own[:, i], std[:, i] = scores, spread, spread
        return GoalPredictions(mean, own, std)

    def _score(
        self, choices: IntArray, known: KnownTrials, free: Free
    ) -> tuple[FloatArray, FloatArray]:
        """Mean scores (n, goals) of keys, and acquisition values, minus infinity if proposed."""
        found = self.predicted(choices)
        chance = keeping(found, known.least)
        mean, own = found.mean[:, self.free], found.own[:, self.free]
        front = known.feasible(self.free)
        front = np.unique(front[nondominated(front)], axis=0)
        every = known.scores[:, self.free]
        worst, best = every.min(axis=0), every.max(axis=0)
        beyond = worst - 0.1 * np.where(best > worst, best - worst, 1.0)
        new = free(choices)
        score: FloatArray = np.zeros(len(choices))
        late = self._guided > _FIRST
        scalar = mean.shape[1] > MOST_EXACT or (late and self._guided % _MIXED == 0)
        if not scalar:
            open_ = chance > 0
            for row in front:
                open_ &= (mean + _FAR * own > row).any(axis=1)
            at = np.flatnonzero(open_)
            gain = expected_hypervolume_improvement(mean[at], own[at], front, beyond)
            score[at] = gain * chance[at]
            score[~new] = 0.0
        if scalar or score.max(initial=0) <= 0:
            score = self._scalarised(mean + self.exploration * own, chance, front, every)
        score[~new] = -np.inf
        return found.mean, score

    def _scalarised(
        self, optimistic: FloatArray, chance: FloatArray, front: FloatArray, every: FloatArray
    ) -> FloatArray:
        """Upper confidence bounds (n, goals) by an augmented Tchebycheff function."""
        front = front if len(front) else every
        best = front.max(axis=0)
        span = best - front.min(axis=0)
        span = np.where(span > 0, span, 1.0)
        weights = np.random.default_rng(self._guided).dirichlet(np.ones(len(best)))
        score = tchebycheff((optimistic - best) / span, weights)
        doubtful = chance < 0.5
        score[doubtful] = score.min() - 1 + chance[doubtful]
        return np.asarray(score)
