"""Optuna's samplers over a space: ``optuna:tpe``, ``optuna:gp``, ``optuna:nsga2``, …."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal, Proposal, Trial
from surrogate_nas.searchers.base import KnownCosts, Searcher
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.several import least_values
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.store.storages import quiet

SAMPLERS = ("tpe", "gp", "nsga2", "random")
_REMEMBERED = 50  # visits of which the next one is told
_AT_RANDOM = "which draws categorical decisions at random"
_REFUSED = {
    "cmaes": _AT_RANDOM,
    "qmc": _AT_RANDOM,
    "bruteforce": "which draws in random order without repetition, as every search here does",
    "grid": "which draws in random order without repetition, as every search here does",
    "nsga3": "which spreads several objectives apart, and a search here has one",
}


class OptunaSearch(Searcher):
    """A sampler of Optuna, asked and told through a study in memory.

    Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    Decisions are categorical parameters. ``tpe`` is the tree-structured Parzen estimator (Bergstra
    et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011), multivariate, with a
    constant liar for trials that are under way; ``gp`` a Gaussian process, which takes tenths of a
    second a proposal; ``nsga2`` a genetic algorithm in generations of 50 (Deb et al., 2002), which
    does not learn from trials that it did not ask for. Failed trials are ignored, by Optuna's rule.

    A wish that is invalid or known is marked as failed, and a new neighbour of it is proposed: in
    NAS-Bench-201 that finds as good architectures as asking again, which samplers answer with the
    same.
    """

    variant: ClassVar[str | None] = "sampler"
    serves_several_goals: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int | np.random.SeedSequence = 0,
        sampler: str = "tpe",
    ) -> None:
        """Start a search of ``space``.

        Args:
            space: Where to search.
            seed: Source of randomness.
            sampler: One of `SAMPLERS`.

        Raises:
            InvalidArgumentError: If the sampler has no use for categorical decisions.
            UnknownNameError: If there is no such sampler.
        """
        super().__init__(space, seed=seed)
        self.sampler = sampler
        self._distributions: dict[str, BaseDistribution] = {
            decision.name: _Options(range(size))
            for decision, size in zip(space.decisions, space.sizes, strict=True)
        }
        made = _make(sampler, self.rng)
        with quiet():
            self._study = optuna.create_study(direction="maximize", sampler=made)
        self._asked: dict[Architecture, int] = {}  # key to the number of the study's open trial
        self._beyond: dict[int, tuple[float, ...]] = {}  # violations by number of the trial
        self._visited: list[Architecture] = []  # on predictions, the last time

    def pursue(self, goals: Sequence[Goal], known_costs: KnownCosts | None = None) -> None:
        """Start a study of several directions; limits are Optuna's constraints."""
        super().pursue(goals, known_costs)
        if self.goals:
            made = _make(self.sampler, self.rng, self._beyond)
            free = sum(goal.limit is None for goal in self.goals)
            with quiet():
                self._study = optuna.create_study(directions=["maximize"] * free, sampler=made)

    def visit(self, objective: PredictedObjective, steps: int) -> IntArray:
        """As every searcher, in a quarter of the steps: each takes milliseconds.

        The fork is first told what the predictor now thinks of the best earlier visits, if there
        is one goal. They are visited again.
        """
        if self.goals:
            return super().visit(objective, max(1, steps // 4))
        fork = self.fork()
        kept = [arch for arch in self._visited if not self.seen(arch)]
        evaluations = objective.evaluate_all(kept) if kept else []
        order = np.argsort([-e.values[0] for e in evaluations], kind="stable")[:_REMEMBERED]
        numbers = range(self._next_number, self._next_number + len(order))
        fork.tell(
            Trial(Proposal(number, kept[i]), evaluations[i])
            for number, i in zip(numbers, order.tolist(), strict=True)
        )
        known = np.array([kept[i].choices for i in order], dtype=np.int16)
        met = fork.walk(objective, max(1, steps // 4))
        met = np.concatenate([known.reshape(-1, met.shape[1]), met])
        self._visited = [self.space.architecture(row) for row in met]
        return met

    def _shared(self) -> dict[int, Any]:
        shared = super()._shared()
        # The storage replaces a trial that changes, so copies of it may share its trials.
        shared |= {id(trial): trial for trial in self._study.get_trials(deepcopy=False)}
        shared[id(self._distributions)] = self._distributions
        shared[id(self._visited)] = self._visited
        beyond = shared[id(self._beyond)] = dict(self._beyond)
        constrained = beyond if self.goals else None
        shared[id(self._study.sampler)] = _make(self.sampler, shared[id(self.rng)], constrained)
        return shared

    def _fresh(self) -> Architecture | None:
        number, arch = self._ask()
        if not self.space.is_valid(arch) or not self.claim(arch):
            self._study.tell(number, state=TrialState.FAIL)
            replacement = self._beside(arch)
            if replacement is None:
                return None
            arch = replacement
            self._study.enqueue_trial(self._params(arch))
            number, _ = self._ask()
        self._asked[self.space.key(arch)] = number
        return arch

    def _candidate(self) -> Architecture:
        return self._ask()[1]

    def _ask(self) -> tuple[int, Architecture]:
        trial = self._study.ask(self._distributions)
        params = trial.params  # a copy at each access
        # All decisions are suggested, whether they count or not.
        return trial.number, self.space.decide(lambda i: params[self.space.decisions[i].name])

    def _beside(self, arch: Architecture) -> Architecture | None:
        """An architecture that was never proposed, claimed, if possible a neighbour of ``arch``."""
        near = self.space.neighbour_choices(np.array([arch.choices]))
        near = near[self._free(self.space.keys(near))]
        if len(near) == 0:
            return self._unclaimed()
        chosen = self.space.architecture(near[self.rng.integers(len(near))])
        self.claim(chosen)
        return chosen

    def _params(self, arch: Architecture) -> dict[str, int]:
        return {d.name: c for d, c in zip(self.space.decisions, arch.choices, strict=True)}

    def _observe(self, trial: Trial) -> None:
        number = self._asked.pop(self.space.key(trial.arch), None)
        state = TrialState.FAIL if trial.value is None else TrialState.COMPLETE
        values: list[float] | None = None
        if trial.evaluation is not None:
            values = list(trial.evaluation.values)
            if self.goals:
                least = least_values(self.goals)
                pairs = list(zip(values, least, strict=True))
                at = len(self._study.get_trials(deepcopy=False)) if number is None else number
                self._beyond[at] = tuple(bound - v for v, bound in pairs if bound is not None)
                values = [v for v, bound in pairs if bound is None]
        if number is not None:
            self._study.tell(number, values, state)
        else:
            self._study.add_trial(
                create_trial(
                    state=state,
                    values=values,
                    params=self._params(trial.arch),
                    distributions=dict(self._distributions),
                )
            )


class _Options(CategoricalDistribution):
    """The numbers of a decision's options, from 0 on, which nothing changes.

    A sampler copies, compares and converts them for each decision of each trial, which takes a
    third of the time of guided proposals in a chain of 20 layers.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> _Options:
        return self

    def __eq__(self, other: object) -> bool:
        return self is other or bool(super().__eq__(other))

    __hash__ = CategoricalDistribution.__hash__

    def to_internal_repr(self, param_value_in_external_repr: Any) -> float:
        """The position of an option, which is its number."""
        number: float = param_value_in_external_repr
        return number


def _make(
    sampler: str,
    rng: np.random.Generator,
    beyond: Mapping[int, Sequence[float]] | None = None,
) -> BaseSampler:
    """A sampler, with the violations of several goals' limits by the number of the trial."""
    if sampler in _REFUSED:
        raise InvalidArgumentError(
            f"the Optuna sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}, "
            f"{_REFUSED[sampler]}"
        )
    seed = int(rng.integers(2**31))
    constraints: Callable[[FrozenTrial], Sequence[float]] | None = None
    if beyond is not None:
        constraints = functools.partial(_constraints, beyond)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)  # Optuna 5 prefers constraints in trials
        if sampler == "tpe":
            return TPESampler(
                seed=seed, multivariate=True, constant_liar=True, constraints_func=constraints
            )
        if sampler == "gp":
            return GPSampler(seed=seed, constraints_func=constraints)
        if sampler == "nsga2":
            return NSGAIISampler(seed=seed, constraints_func=constraints)
        if sampler == "random":
            return RandomSampler(seed=seed)
    raise UnknownNameError("Optuna sampler", sampler, SAMPLERS)


def _constraints(beyond: Mapping[int, Sequence[float]], trial: FrozenTrial) -> Sequence[float]:
    return beyond.get(trial.number, ())
