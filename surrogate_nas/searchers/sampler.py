"""Our searchers as a sampler for any Optuna study of architectures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import TrialPruned
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.factory import MakePredictor, make_searcher
from surrogate_nas.searchers.parameters import Parameter
from surrogate_nas.searchers.study_reader import Constraints
from surrogate_nas.searchers.study_session import (
    StudySession,
    WarmStart,
    check_warm_start,
    parameters_of,
)
from surrogate_nas.spaces.base import Architecture, SearchSpace


def suggest_architecture(trial: BaseTrial, space: SearchSpace) -> Architecture:
    """Suggest an architecture, one categorical parameter for each decision that counts.

    Names and options are those of the trial store (`surrogate_nas.store`); of a `ParameterSpace`
    they are its own parameters. Given a finished trial, such as ``study.best_trial``, this is the
    architecture that it had.

    Args:
        trial: The trial of an objective; its study may have any sampler.
        space: Where the architecture is from.

    Raises:
        InvalidArgumentError: If a finished trial has a value that is no option of the space.
        optuna.TrialPruned: If the choices together are no architecture of the space, which
            `SurrogateSampler` never suggests.
    """
    parameters = parameters_of(space)

    def suggested(i: int) -> int:
        found = parameters.listed[i]
        option = found.option(_suggested(trial, found))
        if option < 0:
            raise InvalidArgumentError(
                f"parameter {found.decision.name!r} of the trial must be an option of "
                f"{space.name!r}, got {trial.params[found.decision.name]!r}"
            )
        return option

    arch = space.decide(suggested)
    if not space.is_valid(arch):
        raise TrialPruned(f"{arch.choices} is no architecture of {space.name!r}")
    return arch


def _suggested(trial: BaseTrial, parameter: Parameter) -> Any:
    """The value of a parameter, by the distribution that the trial or its space has for it."""
    name, distribution = parameter.decision.name, parameter.distribution
    if name in trial.params:
        return trial.params[name]
    if parameter.presence_of is not None and isinstance(trial, FrozenTrial):
        return ("false", "true")[parameter.presence_of in trial.params]
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        limits = distribution.low, distribution.high
        return trial.suggest_int(name, *limits, step=distribution.step, log=distribution.log)
    if isinstance(distribution, FloatDistribution):
        ends = distribution.low, distribution.high
        return trial.suggest_float(name, *ends, step=distribution.step, log=distribution.log)
    raise InvalidArgumentError(f"parameter {name!r} has an unknown distribution: {distribution!r}")


class SurrogateSampler(BaseSampler):
    """Samples the decisions of a space by a search that a predictor guides.

    The decisions are categorical parameters as `suggest_architecture` makes them, or as the study
    has them already, such as ints. All other parameters that trials suggest beside an architecture,
    such as a learning rate, are decisions, too, as soon as one trial had them: the search goes on
    over architectures and these together. Of a float without a step it suggests 11 levels, of a
    range with 1,000 numbers or more 101. A parameter that only some trials have counts where
    another one's value says so, see `space_from_study`. With an ``independent_sampler``, and with
    a predictor that learnt from other tasks, which knows architectures alone, other parameters are
    no decisions and go to that sampler.

    Nothing is suggested twice until the space is used up, which a warning says, also by several
    threads, processes and machines at once: each writes its choice to the storage before it
    suggests it, and chooses anew if another one has it. What others evaluate counts with its
    predicted value.

    What it knows are the trials of the study: finished ones, also of other processes and of
    earlier runs; running and enqueued ones, which it does not suggest again; failed ones, which
    count as the worst value seen. A pruned trial counts with its last reported value, though as no
    worse than the worst finished one. With one worker, the same seed gives the same study.

    Fixed decisions (``enqueue_trial``, ``PartialFixedSampler``) replace those it suggests, without
    regard to the others: restrict the space instead (`SearchSpace.restricted`).

    A study of several directions is searched for its front, and ``constraints_func`` says which
    trials are feasible.

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
        constraints_func: Constraints | None = None,
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
                suggested again. A study of the same direction, whose parameters are matched by
                name, or a table's rows. A warning says what is left out, and which parameters
                beside the architecture are missing: such trials count as with the middle.
            constraints_func: As of Optuna's own samplers: given a finished trial, it returns
                numbers, as many for each trial, and a trial is feasible if none is above 0.
            independent_sampler: For all parameters that are not the architecture's; None to
                search them, too, and for a random one where that is not possible.

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
        self.constraints_func = constraints_func
        self._independent = independent_sampler or RandomSampler(
            seed=int(np.random.SeedSequence(self.seed).generate_state(1)[0])
        )
        if warm_start is not None:
            check_warm_start(warm_start, space)
        made = self._make_searcher(space)  # the names are checked here, not in the first trial
        from_others = getattr(getattr(made, "predictor", None), "has_prior", False) is True
        self._joint = independent_sampler is None and not from_others
        self._lock = threading.Lock()
        self._session: StudySession | None = None

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
        """The decisions: of the space from the first trial on, later what is beside them, too."""
        with self._lock:
            return self._session_of(study).search_space()

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """An architecture for the decisions in ``search_space``; the rest independently."""
        params: dict[str, Any] = {}
        with self._lock:
            session = self._session_of(study)
            known = session.decided
            decisions = {name for name in search_space if known.get(name) == search_space[name]}
            if decisions - trial.system_attrs.get("fixed_params", {}).keys():
                values = session.suggest(trial)
                params = {name: value for name, value in values.items() if name in decisions}
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

    def _session_of(self, study: Study) -> StudySession:
        if self._session is None or not self._session.is_of(study):
            self._session = StudySession(
                study,
                self.space,
                self._make_searcher,
                self.warm_start,
                joint=self._joint,
                constraints=self.constraints_func,
            )
        return self._session

    def _make_searcher(self, space: SearchSpace) -> Searcher:
        return make_searcher(self.searcher, space, seed=self.seed, predictor=self.predictor)
