"""Our searchers as a sampler for any Optuna study of architectures."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import TrialPruned
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Evaluation, Proposal, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import MakePredictor, make_searcher
from surrogate_nas.spaces.base import Architecture, SearchSpace

WarmStart = TaskData | Study


def suggest_architecture(trial: BaseTrial, space: SearchSpace) -> Architecture:
    """Suggest an architecture, one categorical parameter for each decision that counts.

    Names and options are those of the trial store (`surrogate_nas.store`). Given a finished trial,
    such as ``study.best_trial``, this is the architecture that it had.

    Args:
        trial: The trial of an objective; its study may have any sampler.
        space: Where the architecture is from.

    Raises:
        optuna.TrialPruned: If the choices together are no architecture of the space, which
            `SurrogateSampler` never suggests.
    """

    def suggested(i: int) -> int:
        decision = space.decisions[i]
        return decision.options.index(trial.suggest_categorical(decision.name, decision.options))

    arch = space.decide(suggested)
    if not space.is_valid(arch):
        raise TrialPruned(f"{arch.choices} is no architecture of {space.name!r}")
    return arch


class SurrogateSampler(BaseSampler):
    """Samples the decisions of a space by a search that a predictor guides.

    The decisions are categorical parameters as `suggest_architecture` makes them; all other
    parameters go to an independent sampler. No architecture is suggested twice until the space is
    used up, which a warning says; only processes that choose at the same moment, before either has
    written its choice to the storage, may choose the same.

    What it knows are the trials of the study: finished ones, also of other processes and of
    earlier runs; running and enqueued ones, which it does not suggest again; failed ones, which
    count as the worst value seen. A pruned trial counts with its last reported value, though as no
    worse than the worst finished one. With one worker, the same seed gives the same study.

    Fixed decisions (``enqueue_trial``, ``PartialFixedSampler``) replace those it suggests, without
    regard to the others: restrict the space instead (`SearchSpace.restricted`).

    Example:
        >>> import optuna
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> def objective(trial):
        ...     arch = suggest_architecture(trial, space)
        ...     lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
        ...     return sum(arch.choices) - lr  # in earnest: a training
        >>> sampler = SurrogateSampler(space, "gp", seed=0)
        >>> study = optuna.create_study(direction="maximize", sampler=sampler)
        >>> study.optimize(objective, n_trials=12)
        >>> sorted(study.best_params)
        ['layer1', 'layer2', 'layer3', 'layer4', 'layer5', 'lr']
    """

    def __init__(
        self,
        space: SearchSpace,
        predictor: str | Predictor | MakePredictor | None = "gp",
        *,
        searcher: str = "evolution",
        seed: int | None = None,
        warm_start: WarmStart | None = None,
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        """Sample architectures of ``space``.

        Args:
            space: Where to search.
            predictor: The guide: a registered name, an object, or what makes one of the space and
                a seed, such as ``choose_for_training("auto", space, "digits").make`` of
                `surrogate_nas.transfer`; ``"none"`` or None for no guide.
            searcher: What is guided, a registered name.
            seed: Source of all randomness; None for another one each time.
            warm_start: Results of the same objective: its architectures are known and not
                suggested again. A study of the same direction, or a table's rows.
            independent_sampler: For parameters that are no decisions; None for a random one.

        Raises:
            UnknownNameError: If there is no such searcher or predictor.
            InvalidArgumentError: If ``warm_start`` is of another space or type, or ``seed`` is no
                whole number from 0 on.
        """
        if seed is not None and not (isinstance(seed, (int, np.integer)) and seed >= 0):
            raise InvalidArgumentError(
                f"seed must be a whole number, at least 0, or None, got {seed!r}"
            )
        self.space = space
        self.predictor = predictor
        self.searcher = searcher
        self.seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self.warm_start = warm_start
        self._independent = independent_sampler or RandomSampler(
            seed=int(np.random.SeedSequence(self.seed).generate_state(1)[0])
        )
        self._distributions = _distributions(space)
        if warm_start is not None:
            _check_warm_start(warm_start, space)
        self._make_searcher()  # the names are checked here, not in the first trial
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but what belongs to this process: a copy learns from the study anew."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_lock", "_session")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._session = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The decisions, from the first trial on."""
        return dict(self._distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """An architecture for the decisions in ``search_space``; the rest independently."""
        _refuse_several_objectives(study)
        decisions = {
            name for name in search_space if self._distributions.get(name) == search_space[name]
        }
        params: dict[str, Any] = {}
        if decisions - trial.system_attrs.get("fixed_params", {}).keys():
            with self._lock:
                arch = self._session_of(study).suggest(trial.number)
            params = {
                decision.name: decision.options[choice]
                for decision, choice in zip(self.space.decisions, arch.choices, strict=True)
                if decision.name in decisions
            }
        for name, distribution in search_space.items():
            if name not in decisions:
                params[name] = self.sample_independent(study, trial, name, distribution)
        return params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A parameter that is no decision, by the independent sampler."""
        _refuse_several_objectives(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass on to the independent sampler."""
        self._independent.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass on to the independent sampler."""
        self._independent.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed the independent sampler; what searches is shared by all threads."""
        self._independent.reseed_rng()

    def _session_of(self, study: Study) -> _Session:
        if self._session is None or not self._session.is_of(study):
            self._session = _Session(study, self._make_searcher(), self.warm_start)
        return self._session

    def _make_searcher(self) -> Searcher:
        return make_searcher(self.searcher, self.space, seed=self.seed, predictor=self.predictor)


class _Session:
    """A searcher and the study that it follows."""

    def __init__(self, study: Study, searcher: Searcher, warm_start: WarmStart | None) -> None:
        # Not the study itself: for each of its brackets, Hyperband hands out another one.
        self._storage = study._storage
        self._study_id = study._study_id
        self._direction = study.directions[0]
        self._searcher = searcher
        self._reader = _Reader(searcher.space, self._direction)
        self._told: set[int] = set()  # numbers of the study's trials
        self._used: set[Architecture] = set()  # keys that trials of the study have
        self._suggested: dict[int, Proposal] = {}  # by the number of the trial
        self._unused: list[Proposal] = []
        if isinstance(warm_start, TaskData):
            searcher.tell(_rows(warm_start, searcher.space))
            self._reader.worst = float(warm_start.values.min())
        elif warm_start is not None:
            self._learn_from(warm_start)

    def is_of(self, study: Study) -> bool:
        return study._storage is self._storage and study._study_id == self._study_id

    def suggest(self, number: int) -> Architecture:
        """The architecture of the trial with this number."""
        self._follow()
        while self._unused:
            proposal = self._unused.pop(0)
            if self._searcher.space.key(proposal.arch) not in self._used:
                break
        else:
            try:
                (proposal,) = self._searcher.ask()
            except SpaceExhaustedError as error:
                warnings.warn(f"{error}: now they are repeated at random", stacklevel=4)
                return self._searcher.space.sample(self._searcher.rng)
        self._suggested[number] = proposal
        return proposal.arch

    def _learn_from(self, study: Study) -> None:
        if study.directions != [self._direction]:
            raise InvalidArgumentError(
                f"warm_start must be a study that is to {self._direction.name.lower()} one value, "
                f"got the directions {[d.name.lower() for d in study.directions]}"
            )
        for frozen in study.get_trials(deepcopy=False):
            arch = self._reader.architecture(frozen)
            if arch is not None and frozen.state.is_finished():
                trial = self._reader.read(frozen, Proposal(frozen.number, arch))
                if trial is not None:
                    self._searcher.tell([trial])

    def _follow(self) -> None:
        """Learn what happened in the study since the last time."""
        for frozen in self._storage.get_all_trials(self._study_id, deepcopy=False):
            if frozen.number not in self._told:
                self._see(frozen)

    def _see(self, frozen: FrozenTrial) -> None:
        finished = frozen.state.is_finished()
        arch = self._reader.architecture(frozen)
        proposal = self._suggested.get(frozen.number)
        if arch is not None:
            self._used.add(self._searcher.space.key(arch))
            self._searcher.claim(arch)
            if not finished:
                return
            if proposal is None or proposal.arch != arch:
                proposal = Proposal(frozen.number, arch)
            trial = self._reader.read(frozen, proposal)
            if trial is None:
                return
            self._searcher.tell([trial])
        elif finished and proposal is not None and not self._reader.has_decisions(frozen):
            self._unused.append(proposal)
        if finished:
            self._told.add(frozen.number)
            self._suggested.pop(frozen.number, None)


class _Reader:
    """Optuna's trials as ours."""

    def __init__(self, space: SearchSpace, direction: StudyDirection) -> None:
        self._space = space
        self._sign = 1 if direction == StudyDirection.MAXIMIZE else -1
        self.worst = math.inf  # value of the finished trials

    def architecture(self, frozen: FrozenTrial) -> Architecture | None:
        """What the trial evaluates; None where it has not all decisions or is of another kind."""
        params = frozen.system_attrs.get("fixed_params", {}) | frozen.params
        decisions = self._space.decisions
        try:
            arch = self._space.decide(
                lambda i: decisions[i].options.index(params[decisions[i].name])
            )
        except (KeyError, ValueError):
            return None
        return arch if self._space.is_valid(arch) else None

    def has_decisions(self, frozen: FrozenTrial) -> bool:
        """Whether the trial suggested any decision of the space."""
        return any(decision.name in frozen.params for decision in self._space.decisions)

    def read(self, frozen: FrozenTrial, proposal: Proposal) -> Trial | None:
        """A finished trial; None for a pruned one as long as no value can be compared with it."""
        if frozen.state == TrialState.FAIL or frozen.value is None:
            return Trial(proposal, error=frozen.state.name.lower())
        value = self._sign * frozen.value
        if not math.isfinite(value):
            return Trial(proposal, error=f"the value is {frozen.value}")
        if frozen.state == TrialState.COMPLETE:
            self.worst = min(self.worst, value)
        elif math.isinf(self.worst):
            return None
        return Trial(proposal, Evaluation((max(value, self.worst),)))


def _distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    return {d.name: CategoricalDistribution(d.options) for d in space.decisions}


def _check_warm_start(given: WarmStart, space: SearchSpace) -> None:
    if isinstance(given, TaskData):
        if _distributions(given.space) != _distributions(space):
            raise InvalidArgumentError(
                f"warm_start must be of the space {space.name!r}, got data of {given.space.name!r}"
            )
        return
    if not isinstance(given, Study):
        raise InvalidArgumentError(
            "warm_start must be an Optuna study, TaskData (of a table's task: task.data(rows)) or "
            f"None, got {type(given).__name__}"
        )
    finished = [t for t in given.get_trials(deepcopy=False) if t.state.is_finished()]
    reader = _Reader(space, StudyDirection.MAXIMIZE)  # no value is read here
    if finished and all(reader.architecture(trial) is None for trial in finished):
        raise InvalidArgumentError(
            f"warm_start must be of the space {space.name!r}, but none of the {len(finished)} "
            "finished trials of the study has an architecture of it"
        )


def _rows(data: TaskData, space: SearchSpace) -> Iterable[Trial]:
    for number, (choices, value) in enumerate(zip(data.choices, data.values, strict=True)):
        arch = Architecture(space.name, tuple(choices.tolist()))
        yield Trial(Proposal(number, arch), Evaluation((float(value),)))


def _refuse_several_objectives(study: Study) -> None:
    if len(study.directions) > 1:
        raise InvalidArgumentError(
            "SurrogateSampler needs a study with one direction, got "
            f"{len(study.directions)} directions; optimise one value, or take another sampler"
        )
