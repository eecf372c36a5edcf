"""Guides any searcher by a predictor."""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError, UnknownNameError
from surrogate_nas.evaluation import Features, Goal, Prediction, Proposal, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.acquisition import ACQUISITIONS, most_promising, near
from surrogate_nas.searchers.base import KnownCosts, Requirements, Searcher
from surrogate_nas.searchers.candidates import BEST, Candidates, extent
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.searchers.learning_rows import LearningRows
from surrogate_nas.searchers.part_values import PartValues
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.stalls import PATIENCE, PATIENCE_WITH_PRIOR, RepeatedNetworks, Stall
from surrogate_nas.spaces.base import Architecture, frozen

if TYPE_CHECKING:
    from surrogate_nas.predictors.scores import QuantileMap
    from surrogate_nas.searchers.front_guide import FrontGuide
    from surrogate_nas.searchers.lower_budget import LowerBudget
    from surrogate_nas.searchers.second_opinion import SecondOpinion

_INITIAL = 20
_FEW = 5  # the default of `initial` for predictors that condition on new rows
_SOON = 10  # where a process on decisions stands beside the predictor
_JUDGED = 30  # most promising candidates of the process, which the predictor compares, too
_SEVERAL = 2.0  # exploration of several goals in spaces that cannot be listed
_PRIOR = 10  # first proposals of a predictor with a prior, which rest on it more than on results


@dataclass(frozen=True, slots=True)
class _Known:
    """The data from which a guide learns.

    Attributes:
        archs: The architectures of trials, in the order of their first results, and then of
            pending proposals.
        values: float64 (trials,), NaN where a trial failed.
        scores: float64 (archs,), the warped values, with the worst for failed trials, and the
            predictions for pending proposals.
    """

    archs: list[Architecture]
    values: FloatArray
    scores: FloatArray

    def best(self, n: int) -> IntArray:
        """Up to n architectures that succeeded, the best first: (m, decisions)."""
        succeeded = int((~np.isnan(self.values)).sum())
        order = np.argsort(-self.values, kind="stable")[: min(n, succeeded)]
        return np.array([self.archs[i].choices for i in order.tolist()])

    def worst(self, best: int) -> IntArray:
        """Positions of the trials but the best of a number, the worst first: int (n,)."""
        trials = len(self.values)
        return np.argsort(self.scores[:trials], kind="stable")[: max(trials - best, 0)]

    def to_value(self) -> QuantileMap:
        """The map from scores back to values; needs a trial that succeeded."""
        from surrogate_nas.predictors.scores import QuantileMap  # slow to import

        succeeded = np.flatnonzero(~np.isnan(self.values))
        return QuantileMap(self.scores[succeeded], self.values[succeeded])


class Guided(Searcher):
    """Proposes the most promising architectures by a predictor that is fitted to the trials so far.

    The inner searcher is told every real trial, and proposes until there are enough of them. From
    then on candidates are compared by an acquisition function (see
    `surrogate_nas.searchers.acquisition`). In a space, or a part of one, that can be listed, all
    architectures are candidates, unless only those are wanted that the inner searcher visits.
    Elsewhere candidates are gathered around these visits and the best known architectures, and
    improved by local search, see `surrogate_nas.searchers.candidates.Candidates`. There a predictor
    without a prior is joined by a process on decisions, which chooses thirty candidates that the
    predictor compares, too, see `surrogate_nas.searchers.decision_process.DecisionProcess`.

    The acquisition function is the upper confidence bound. Only for the first ten proposals of a
    predictor with a prior it is the expected improvement, which soon tries architectures about
    which the sources disagree. Before the first result a predictor with a prior proposes the best
    by its mean, no two of them neighbours.

    A guide that compares all architectures notices when it is wrong: after twenty rounds of
    proposals without gain every other plan explores wider, up to four times. With a prior these
    plans are made by a process that knows nothing of other tasks, see
    `surrogate_nas.searchers.second_opinion.SecondOpinion`. And where encodings of one network have
    measured equal values, any guide measures none of them again. See
    `surrogate_nas.searchers.stalls`.

    The predictor learns warped values (see `surrogate_nas.predictors.scores.warped`), so that units
    and outliers do not matter and uncertainty is symmetric. One that conditions on new rows at
    little cost (`Predictor.conditions`) is updated for each proposal. Others are updated once for
    every few proposals, no two of which are neighbours unless a process joins it, and a fixed share
    of the proposals is the inner searcher's own. All are fitted anew when the number of trials has
    grown by a third.

    Pending trials count with their predicted value (kriging believer, Ginsbourger et al., "Kriging
    is well-suited to parallelize optimization", 2010), failed ones with the worst value seen. To
    bound the time of a step, the predictor learns from the best of many trials and from a random
    part of the others. The predicted value of a proposal is ``predicted`` in its ``info``.

    Example:
        >>> from surrogate_nas import FunctionObjective, make_searcher, search
        >>> from surrogate_nas.predictors.gp import GaussianProcess
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("transnas-macro")
        >>> inner = make_searcher("evolution", space, seed=0)
        >>> objective = FunctionObjective(space, lambda arch: sum(arch.choices))
        >>> result = search(Guided(inner, GaussianProcess()), objective, trials=12)
        >>> len(result.trials)
        12
    """

    serves_several_goals: ClassVar[bool] = True

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        """A subclass that is made from a space has a guide, see `Searcher.requirements`."""
        return Requirements(guide="gp")

    def __init__(
        self,
        inner: Searcher,
        predictor: Predictor,
        *,
        seed: int | np.random.SeedSequence = 0,
        initial: int | None = None,
        refit_every: int | None = None,
        exploration: float | None = None,
        inner_every: int | None = None,
        steps: int | None = None,
        acquisition: str | None = None,
        labels: int = 200,
        features: Features | None = None,
        candidates: str | None = None,
    ) -> None:
        """Guide ``inner`` by ``predictor``.

        Args:
            inner: A searcher that is used by nothing else.
            predictor: Fitted and refitted here.
            seed: Source of the choices' randomness.
            initial: Number of successful trials before the predictor is trusted; None for 20, for
                10 where a process on decisions joins it, for 5 where it conditions on new rows, or
                for 0 where it has a prior.
            refit_every: Number of proposals, or of new results, for one update; None for 5, or for
                1 where it conditions on new rows. A process that joins it learns at each proposal.
            exploration: How many standard deviations the upper confidence bound is above the mean
                after a gain; None for 1 where the predictor conditions on new rows without a prior,
                for what `DecisionProcess` says where a process joins it, else for 1.25.
            inner_every: Number of proposals of which one is the inner searcher's own, so that a
                predictor which is wrong about a region does not exclude it; 0 for none of them.
                None for 5, for 10 where a process joins it, or for 0 where it conditions on new
                rows.
            steps: Steps of the inner searcher's fork where not all architectures are compared;
                None for 100 where the space cannot be listed, as other candidates are added there,
                else for 400, or for 200 where the predictor conditions on new rows.
            acquisition: How candidates are compared, one of
                `surrogate_nas.searchers.acquisition.ACQUISITIONS`; None for the defaults above.
            labels: With more trials than this, the predictor learns from a part of them.
            features: Of the architectures, for the predictor.
            candidates: ``"all"`` to compare all architectures of a space that can be listed,
                ``"visited"`` to compare those that a fork of the inner searcher visits; None for
                all where that is possible.

        Raises:
            UnknownNameError: If there is no such acquisition function.
            InvalidArgumentError: If a number is out of range, or there are no such candidates.
        """
        # A process on decisions stands beside the predictor.
        joined = not (inner.space.enumerable or predictor.has_prior)
        if initial is None:
            least = _FEW if predictor.conditions else _SOON if joined else _INITIAL
            initial = 0 if predictor.has_prior else least
        if refit_every is None:
            refit_every = 1 if predictor.conditions else 5
        if steps is None:
            steps = (200 if predictor.conditions else 400) if inner.space.enumerable else 100
        if inner_every is None:
            inner_every = 0 if predictor.conditions else 10 if joined else 5
        for name, value, least in (
            ("initial", initial, 0 if predictor.has_prior else 2),
            ("refit_every", refit_every, 1),
            ("steps", steps, 1),
            ("labels", labels, 2),
        ):
            if value < least:
                raise InvalidArgumentError(f"{name} must be at least {least}, got {value}")
        if inner_every < 0:
            raise InvalidArgumentError(f"inner_every must be at least 0, got {inner_every}")
        if exploration is not None and not 0 <= exploration < math.inf:
            raise InvalidArgumentError(f"exploration must be 0 or larger, got {exploration}")
        if acquisition is not None and acquisition not in ACQUISITIONS:
            raise UnknownNameError("acquisition function", acquisition, ACQUISITIONS)
        super().__init__(inner.space, seed=seed)
        self._beside = DecisionProcess(self.space, exploration) if joined else None
        if exploration is None:  # which the process has its own of
            alone = 1.0 if predictor.conditions and not predictor.has_prior else 1.25
            exploration = _SEVERAL if joined else alone
        self.inner = inner
        self.predictor = predictor
        self.initial = initial
        self.refit_every = refit_every
        self.exploration = exploration
        self.inner_every = inner_every
        self.steps = steps
        self.acquisition = acquisition
        self.labels = labels
        self.features = features
        self.candidates = extent(candidates, self.space)
        self._told: dict[Architecture, float] = {}  # NaN for failed ones
        self._succeeded = 0
        self._believed: dict[Architecture, float] = {}
        self._plan: deque[tuple[Architecture, float]] = deque()
        self._foreseen: dict[Architecture, float] = {}  # values of what is planned
        self._turned: set[Architecture] = set()  # pending ones that a stall made it propose
        self._rows = LearningRows(labels)
        self._news = 0
        self._unlearnt = 0  # results since the predictor's last update
        self._planned = 1 if joined else refit_every  # proposals of a plan
        self._guided = 0
        patience = PATIENCE_WITH_PRIOR if predictor.has_prior else PATIENCE
        self._stall, self._repeats = Stall(patience), RepeatedNetworks(self.space)
        self._second: SecondOpinion | None = None  # of a prior that stalls
        self._front: FrontGuide | None = None  # of several goals
        self._parts = PartValues(predictor)
        self.lower: LowerBudget | None = None
        self._candidates = Candidates(
            inner, predictor, self.rng, steps=steps, proposals=self._planned, cheap=joined
        )

    def pursue(self, goals: Sequence[Goal], known_costs: KnownCosts | None = None) -> None:
        """Guide towards a front where there are several goals, see `FrontGuide`."""
        super().pursue(goals, known_costs)
        self.inner.pursue(goals, known_costs)
        if self.goals:
            from surrogate_nas.searchers.front_guide import FrontGuide  # of several goals alone

            self._front = FrontGuide(
                self.inner,
                self.predictor,
                self.goals,
                known_costs,
                self.rng,
                initial=self.initial,
                refit_every=self.refit_every,
                exploration=self.exploration,
                inner_every=self.inner_every,
                steps=self.steps,
                labels=self.labels,
                features=self.features,
                all_candidates=self.candidates == "all",
            )

    def claim(self, arch: Architecture) -> bool:
        """Mark an architecture as proposed, for the inner searcher too; False if it was."""
        self.inner.claim(arch)
        return super().claim(arch)

    def expect(self, archs: Iterable[Architecture]) -> None:
        """Take note of what others evaluate now: it counts with its predicted value."""
        keys = dict.fromkeys(self.space.key(arch) for arch in archs)
        new = [key for key in keys if key not in self._told and key not in self._believed]
        super().expect(keys)
        if new and (self._rows.fitted or self.predictor.has_prior):
            means = self.predictor.predict(np.array([key.choices for key in new])).mean
            self._believed |= zip(new, means.tolist(), strict=True)

    def forget(self, archs: Iterable[Architecture]) -> None:
        """Take note that these evaluations, which were expected, ended without a result."""
        for arch in archs:
            self._believed.pop(self.space.key(arch), None)
            self._turned.discard(self.space.key(arch))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, {self.predictor!r})"

    @property
    def fitted(self) -> bool:
        """Whether the predictor has learnt from trials."""
        return self._front is None and self._rows.fitted > 0

    @property
    def informed(self) -> bool:
        """Whether trainings of a smaller budget help from the first result on."""
        return self._succeeded > 0 and self.lower is not None and self.lower.known

    @property
    def trusted(self) -> bool:
        """Whether enough trials succeeded for the predictor to propose; with one goal."""
        return self._front is None and (self._succeeded >= self.initial or self.informed)

    def expected(self, archs: Sequence[Architecture]) -> FloatArray:
        """Predicted scores of keys, proposed or not; for a guide that is trusted."""
        known = self._learn(self.predictor, self._rows)
        choices = np.array([arch.choices for arch in archs])
        return self._with_lower(self.predictor.predict(choices), choices, known).mean

    def _shared(self) -> dict[int, Any]:
        # `fit` starts anew each time, so a shallow copy keeps whatever the predictor caches.
        return super()._shared() | {
            id(self.inner): self.inner.fork(),
            id(self.predictor): copy.copy(self.predictor),
            id(self.features): self.features,
            **({} if self._second is None else {id(self._second): self._second.forked()}),
            **({} if self._front is None else self._front.shared()),
            **({} if self.lower is None else {id(self.lower): self.lower}),
        }

    def _fresh(self) -> Architecture | None:
        try:
            return super()._fresh()
        except SpaceExhaustedError:  # of the inner searcher, which is told all that this one is
            return None

    def _propose(self) -> Proposal | None:
        proposal = super()._propose()
        foreseen = self._foreseen if self._front is None else self._front.foreseen
        if proposal is None or proposal.arch not in foreseen:
            return proposal
        return replace(proposal, info={"predicted": foreseen[proposal.arch]})

    def _candidate(self) -> Architecture:
        if self._front is not None:
            return self._front.candidate(self._free)
        if not self.trusted:
            return self.inner.ask(1)[0].arch
        self._guided += 1
        self._stall.propose()
        # At first a prior is better than the inner searcher, so it makes all proposals.
        early = self.predictor.has_prior and self._guided <= _INITIAL
        if early or not self.inner_every or self._guided % self.inner_every:
            if self._news >= self._planned or not self._plan:
                self._replan()
            while self._plan:
                arch, mean = self._plan.popleft()
                if not self.seen(arch):
                    self._believed[arch] = mean
                    if self._stall.turned:
                        self._turned.add(arch)
                    return arch
        return self.inner.ask(1)[0].arch

    def _observe(self, trial: Trial) -> None:
        self.inner.tell([trial])
        if self._front is not None:
            self._front.observe(trial)
            return
        key = self.space.key(trial.arch)
        self._parts.observe(key, trial.evaluation)
        guided = self._believed.pop(key, None) is not None
        self._stall.observe(trial.value, guided=guided, turned=key in self._turned)
        self._turned.discard(key)
        before = self._told.setdefault(key, math.nan)
        if trial.value is not None:
            self._succeeded += math.isnan(before)
            self._told[key] = trial.value
            self._repeats.observe(key, trial.value)
        self._news += 1
        self._unlearnt += 1

    def _replan(self) -> None:
        """Fit, predict, and line up the next proposals."""
        self._news = 0
        if self.candidates == "all":  # elsewhere exploration is wide from the first
            self._stall.next_plan()
        predictor, rows = self._asked()
        known = self._learn(predictor, rows)
        if self._beside is not None and self._succeeded:
            self._beside.fit(np.array([arch.choices for arch in known.archs]), known.scores)
        if self.candidates == "all":  # always the same array, for which predictors keep a cache
            candidates = self.space.unique()
        else:
            predicted = None
            if self._succeeded:
                relaxed = None
                if self._beside is not None:
                    relaxed = self._beside.relaxation(predictor)
                predicted = PredictedObjective(self.space, predictor, known.to_value(), relaxed)
            candidates = self._candidates.gathered(
                known.best(BEST),
                predicted,
                lambda choices: self._promise(predictor, choices, known),
            )
            if self._beside is not None:
                candidates = frozen(candidates[:_JUDGED])
        mean, score = self._compared(predictor, candidates, known)
        if not self._succeeded:  # a prior learns nothing from pending ones: avoid their neighbours
            for arch in self._believed:
                score[near(candidates, np.array(arch.choices))] = -np.inf
        chosen = most_promising(candidates, score, self._planned)
        self._plan = deque(
            (Architecture(self.space.name, tuple(candidates[i].tolist())), float(mean))
            for i, mean in zip(chosen, mean[chosen], strict=True)
        )
        self._foreseen = {}
        if self._succeeded:  # else the scale of the values is not known
            values = known.to_value()(mean[chosen]).tolist()
            self._foreseen = {arch: v for (arch, _), v in zip(self._plan, values, strict=True)}

    def _asked(self) -> tuple[Predictor, LearningRows]:
        """The predictor of this plan, and its rows; where a prior stalls, in turn a second one."""
        if not (self._stall.turned and self.predictor.has_prior and self._succeeded):
            return self.predictor, self._rows
        if self._second is None:
            from surrogate_nas.searchers.second_opinion import SecondOpinion  # of stalls alone

            self._second = SecondOpinion(self.labels)
        return self._second.predictor, self._second.rows

    def _promise(self, predictor: Predictor, choices: IntArray, known: _Known) -> FloatArray:
        """How promising keys (n, decisions) are, by the process alone where there is one: (n,)."""
        if self._beside is None or not self._succeeded:
            return self._compared(predictor, choices, known)[1]
        return self._scored(self._beside.predict(choices), choices, known, self._beside.exploration)

    def _compared(
        self, predictor: Predictor, candidates: IntArray, known: _Known
    ) -> tuple[FloatArray, FloatArray]:
        """Predicted scores of keys (n, decisions), and their acquisition values, -inf if taken."""
        prediction = predictor.predict(candidates)
        asked: Guided | SecondOpinion | DecisionProcess = self
        if predictor is not self.predictor and self._second is not None:
            asked = self._second
        elif self._beside is not None and self._succeeded:
            asked = self._beside
            prediction = self._beside.joined(prediction, candidates)
        prediction = self._with_lower(prediction, candidates, known)
        return prediction.mean, self._scored(prediction, candidates, known, asked.exploration)

    def _with_lower(
        self, prediction: Prediction, candidates: IntArray, known: _Known
    ) -> Prediction:
        """The prediction with what trainings of a smaller budget say, if there are any."""
        if self.lower is None or not self.informed:
            return prediction
        trained = len(known.values)
        choices = np.array([arch.choices for arch in known.archs[:trained]])
        return self.lower.joined(prediction, candidates, choices, known.scores[:trained])

    def _scored(
        self, prediction: Prediction, candidates: IntArray, known: _Known, exploration: float
    ) -> FloatArray:
        """Acquisition values of keys (n, decisions), -inf if taken: (n,)."""
        if self._succeeded:
            compare = ACQUISITIONS[self.acquisition or self._usual()]
            exploration = exploration * self._stall.factor
            score = compare(prediction, float(known.scores.max()), exploration, self.rng)
        else:  # a prior's uncertainty only tells what it knows least, so its mean decides
            score = prediction.mean.copy()
        score[~self._free(candidates)] = -np.inf
        repeated = self._repeats.among(candidates)
        if score[~repeated].max(initial=-np.inf) > -np.inf:  # else all others are used up
            score[repeated] = -np.inf
        return score

    def _usual(self) -> str:
        """The acquisition function if none was given."""
        return "ei" if self.predictor.has_prior and self._guided <= _PRIOR else "ucb"

    def _learn(self, predictor: Predictor, learning: LearningRows) -> _Known:
        """Update or refit a predictor, and return its data."""
        from surrogate_nas.predictors.scores import warped  # slow to import

        values = np.array(list(self._told.values()))
        believed = list(self._believed.values())
        if not self._succeeded:  # there is nothing to fit to, so the prior is used as it is
            return _Known(list(self._believed), values[:0], np.array(believed))
        scores = warped(np.where(np.isnan(values), np.nanmin(values), values))
        known = _Known([*self._told, *self._believed], values, np.append(scores, believed))
        waits = self._beside is not None and self.refit_every > 1 and learning.fitted > 0
        if waits and self._unlearnt < self.refit_every:  # the process has learnt the others
            return known
        self._unlearnt = 0
        rows, anew = learning.choose(len(values), len(believed), known.worst, self.rng)
        (predictor.fit if anew else predictor.update)(self._data(known, rows))
        return known

    def _data(self, known: _Known, rows: IntArray) -> TaskData:
        archs = [known.archs[i] for i in rows.tolist()]
        choices = np.array([arch.choices for arch in archs])
        parts = self._parts.of(archs)
        return TaskData(
            "search", self.space, choices, known.scores[rows], self.features, parts=parts
        )
