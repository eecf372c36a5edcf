"""Guides any searcher by a predictor."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import SpaceExhaustedError, UnknownNameError
from surrogate_nas.evaluation import Features, Goal, Prediction, Proposal, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.acquisition import ACQUISITIONS, most_promising, near
from surrogate_nas.searchers.base import KnownCosts, Requirements, Searcher
from surrogate_nas.searchers.candidates import BEST, Candidates, extent
from surrogate_nas.searchers.decision_process import DecisionProcess
from surrogate_nas.searchers.guide_data import KnownScores
from surrogate_nas.searchers.guide_settings import GuideSettings
from surrogate_nas.searchers.opinions import Opinion, Opinions
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.stalls import PATIENCE, PATIENCE_WITH_PRIOR, RepeatedNetworks, Stall
from surrogate_nas.spaces.base import Architecture, frozen

if TYPE_CHECKING:
    from surrogate_nas.searchers.front_guide import FrontGuide
    from surrogate_nas.searchers.lower_budget import LowerBudget

_EARLY = 20  # proposals of a predictor with a prior, all of which it makes itself
_PRIOR = 10  # the first of these, which rest on the prior more than on results
_JUDGED = 30  # most promising candidates of the process, which the predictor compares, too


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
    proposals without gain, fifty of a predictor with a prior, every other plan explores wider, up
    to four times. Unless the predictor is a Gaussian process, these plans are made by one that
    learns from this search alone, see `surrogate_nas.searchers.opinions.Opinions`. And where
    encodings of one network have measured equal values, any guide measures none of them again.
    See `surrogate_nas.searchers.stalls`.

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
        settings = GuideSettings.of(
            inner.space,
            predictor,
            initial=initial,
            refit_every=refit_every,
            exploration=exploration,
            inner_every=inner_every,
            steps=steps,
            labels=labels,
        )
        if acquisition is not None and acquisition not in ACQUISITIONS:
            raise UnknownNameError("acquisition function", acquisition, ACQUISITIONS)
        super().__init__(inner.space, seed=seed)
        self.inner = inner
        self.predictor = predictor
        self.initial = settings.initial
        self.refit_every = settings.refit_every
        self.exploration = settings.exploration
        self.inner_every = settings.inner_every
        self.steps = settings.steps
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
        self._news = 0
        self._planned = 1 if settings.joined else self.refit_every  # proposals of a plan
        self._guided = 0
        patience = PATIENCE_WITH_PRIOR if predictor.has_prior else PATIENCE
        self._stall, self._repeats = Stall(patience), RepeatedNetworks(self.space)
        self._opinions = Opinions(
            self.space,
            predictor,
            exploration=self.exploration,
            process=DecisionProcess(self.space, exploration) if settings.joined else None,
            refit_every=self.refit_every,
            labels=labels,
            features=features,
        )
        self._front: FrontGuide | None = None  # of several goals
        self.lower: LowerBudget | None = None
        self._candidates = Candidates(
            inner,
            predictor,
            self.rng,
            steps=self.steps,
            proposals=self._planned,
            cheap=settings.joined,
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
        if new and (self._opinions.own.rows.fitted or self.predictor.has_prior):
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
        return self._front is None and self._opinions.own.rows.fitted > 0

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
        known = KnownScores.of(self._told, self._believed)
        self._opinions.learn(self._opinions.own, known, self.rng)
        choices = np.array([arch.choices for arch in archs])
        return self._with_lower(self.predictor.predict(choices), choices, known).mean

    def _shared(self) -> dict[int, Any]:
        return super()._shared() | {
            id(self.inner): self.inner.fork(),
            id(self.features): self.features,
            **self._opinions.shared(),
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
        early = self.predictor.has_prior and self._guided <= _EARLY
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
        self._opinions.observe(key, trial.evaluation)
        guided = self._believed.pop(key, None) is not None
        self._stall.observe(trial.value, guided=guided, turned=key in self._turned)
        self._turned.discard(key)
        before = self._told.setdefault(key, math.nan)
        if trial.value is not None:
            self._succeeded += math.isnan(before)
            self._told[key] = trial.value
            self._repeats.observe(key, trial.value)
        self._news += 1

    def _replan(self) -> None:
        """Fit, predict, and line up the next proposals."""
        self._news = 0
        if self.candidates == "all":  # elsewhere exploration is wide from the first
            self._stall.next_plan()
        opinion = self._opinions.asked(turned=self._stall.turned and self._succeeded > 0)
        known = KnownScores.of(self._told, self._believed)
        self._opinions.learn(opinion, known, self.rng)
        self._opinions.learn_process(known)
        process = self._opinions.process
        if self.candidates == "all":  # always the same array, for which predictors keep a cache
            candidates = self.space.unique()
        else:
            predicted = None
            if self._succeeded:
                asked = opinion.predictor
                relaxed = None if process is None else process.relaxation(asked)
                predicted = PredictedObjective(self.space, asked, known.to_value(), relaxed)
            candidates = self._candidates.gathered(
                known.best(BEST),
                predicted,
                lambda choices: self._promise(opinion, choices, known),
            )
            if process is not None:
                candidates = frozen(candidates[:_JUDGED])
        mean, score = self._compared(opinion, candidates, known)
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

    def _promise(self, opinion: Opinion, choices: IntArray, known: KnownScores) -> FloatArray:
        """How promising keys (n, decisions) are, by the process alone where there is one: (n,)."""
        process = self._opinions.process
        if process is None:
            return self._compared(opinion, choices, known)[1]
        return self._scored(process.predict(choices), choices, known, process.exploration)

    def _compared(
        self, opinion: Opinion, candidates: IntArray, known: KnownScores
    ) -> tuple[FloatArray, FloatArray]:
        """Predicted scores of keys (n, decisions), and their acquisition values, -inf if taken."""
        prediction, exploration = self._opinions.predicted(opinion, candidates)
        prediction = self._with_lower(prediction, candidates, known)
        return prediction.mean, self._scored(prediction, candidates, known, exploration)

    def _with_lower(
        self, prediction: Prediction, candidates: IntArray, known: KnownScores
    ) -> Prediction:
        """The prediction with what trainings of a smaller budget say, if there are any."""
        if self.lower is None or not self.informed:
            return prediction
        trained = len(known.values)
        choices = np.array([arch.choices for arch in known.archs[:trained]])
        return self.lower.joined(prediction, candidates, choices, known.scores[:trained])

    def _scored(
        self, prediction: Prediction, candidates: IntArray, known: KnownScores, exploration: float
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
