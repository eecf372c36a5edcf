"""A searcher that follows an Optuna study, with what trials decide beside the architecture."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas.errors import InvalidArgumentError, SpaceExhaustedError
from surrogate_nas.evaluation import Evaluation, Proposal, TaskData, Trial
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.histories import conditioned, read_history
from surrogate_nas.searchers.parameter_spaces import Parameters, ParameterSpace
from surrogate_nas.searchers.parameters import (
    Parameter,
    adopted,
    decision_parameter,
    parameter,
)
from surrogate_nas.searchers.study_claims import StudyClaims, claimed_parameters
from surrogate_nas.searchers.study_reader import Constraints, StudyReader
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.joint import JointSpace

WarmStart = TaskData | Study

_FINE = 1_000  # numbers of a range, above which it is a grid
_GRID = 101  # levels of that
_ATTEMPTS = 100  # to suggest what no other trial has
_RECENT = 10  # trials without a parameter, after which it counts as given up


class StudySession:
    """A searcher and the study that it follows.

    With ``joint`` the searcher has the decisions of the space and, beside them, all that trials
    with an architecture suggested so far. It starts anew, from the whole study, when that changes.
    """

    def __init__(
        self,
        study: Study,
        space: SearchSpace,
        make: Callable[[SearchSpace], Searcher],
        warm_start: WarmStart | None,
        *,
        joint: bool,
        constraints: Constraints | None = None,
    ) -> None:
        """Follow ``study`` by the searchers that ``make`` makes of a space."""
        # Not the study itself: for each of its brackets, Hyperband hands out another one.
        self._storage = study._storage
        self._study_id = study._study_id
        self._reader = StudyReader(study, constraints)
        self._make = make
        self._warm_start = warm_start
        self._joint = joint
        self._architectures = parameters_of(space)
        self._ended: dict[int, FrozenTrial] = {}  # with an architecture, by number
        self._looked_at: set[int] = set()
        self._beside: dict[str, Parameter] = {}
        self._follower = self._start()
        self._claims = StudyClaims(self._storage, self._study_id)

    def is_of(self, study: Study) -> bool:
        """Whether this follows ``study``."""
        return study._storage is self._storage and study._study_id == self._study_id

    def search_space(self) -> dict[str, BaseDistribution]:
        """The parameters that are decisions now, by name."""
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        if self._notice(trials) | self._reader.count_constraints(trials):
            self._follower = self._start()
        return self.decided

    @property
    def decided(self) -> dict[str, BaseDistribution]:
        """As `search_space` said last."""
        return dict(self._follower.parameters.distributions)

    def suggest(self, trial: FrozenTrial) -> dict[str, Any]:
        """The parameters of a trial, which no other one has."""
        follower, fixed = self._follower, trial.system_attrs.get("fixed_params")
        for _ in range(_ATTEMPTS):
            follower.follow(self._storage.get_all_trials(self._study_id, deepcopy=False))
            values, key = follower.suggest(trial.number)
            if key is None or fixed or self._claims.hold(trial, values, key, follower.key_of):
                break
            follower.give_up(trial.number)
        return values

    def _start(self) -> _Follower:
        parameters = self._architectures
        if self._beside:
            listed = list(self._beside.values())
            space = JointSpace(parameters.space, [each.decision for each in listed])
            parameters = Parameters(space, [*parameters.listed, *listed])
        fill = frozenset(self._beside)
        searcher = self._make(parameters.space)
        searcher.pursue(self._reader.goals)
        follower = _Follower(parameters, searcher, self._reader.anew(), fill)
        follower.learn_from(self._warm_start)
        return follower

    def _notice(self, trials: Iterable[FrozenTrial]) -> bool:
        """Whether the trials show other parameters than those so far."""
        fresh = [t for t in trials if t.state.is_finished() and t.number not in self._looked_at]
        if not fresh:
            return False
        self._looked_at.update(trial.number for trial in fresh)
        before = self._architectures.distributions
        self._adopt(fresh)
        changed = self._architectures.distributions != before
        if not self._joint:
            return changed
        for trial in fresh:
            if trial.state != TrialState.FAIL and _read(self._architectures, trial) is not None:
                self._ended[trial.number] = trial
        beside = self._found_beside()
        changed |= beside != self._beside
        self._beside = beside
        return changed

    def _adopt(self, trials: Iterable[FrozenTrial]) -> None:
        """Take decisions as the study has them, such as ints."""
        space, own = self._architectures.space, self._architectures.distributions
        if isinstance(space, ParameterSpace):
            return
        given: dict[str, BaseDistribution] = {}
        for trial in trials:
            given |= {k: v for k, v in trial.distributions.items() if own.get(k, v) != v}
        if given:
            listed = [
                (adopted(d, given[d.name]) if d.name in given else None) or known
                for d, known in zip(space.decisions, self._architectures.listed, strict=True)
            ]
            self._architectures = Parameters(space, listed)

    def _found_beside(self) -> dict[str, Parameter]:
        trials = [self._ended[number] for number in sorted(self._ended)]
        decided = {decision.name for decision in self._architectures.space.decisions}
        if not any(trial.params.keys() - decided for trial in trials):
            return {}
        history = read_history(trials)
        recent = {name for trial in trials[-_RECENT:] for name in trial.params}
        own = {p.decision.name: p for p in self._architectures.listed}
        beside = {
            name: _beside(name, distribution)
            for name, distribution in history.distributions.items()
            if name not in decided
            and not distribution.single()
            and (name in recent or history.presence.get(name) is not None)
        }
        found = conditioned(own | beside, history)
        return {name: found[name] for name in beside}


class _Follower:
    """A searcher that is told the trials of a study."""

    def __init__(
        self,
        parameters: Parameters,
        searcher: Searcher,
        reader: StudyReader,
        fill: frozenset[str],
    ) -> None:
        self.parameters = parameters
        self._searcher = searcher
        self._fill = fill  # parameters that trials may lack
        self._reader = reader
        self._told: set[int] = set()  # numbers of the study's trials
        self._used: set[Architecture] = set()  # keys that trials of the study have
        self._suggested: dict[int, Proposal] = {}  # by the number of the trial
        self._unused: list[Proposal] = []
        self._claimed: dict[int, Architecture] = {}  # of trials that run, by number

    def suggest(self, number: int) -> tuple[dict[str, Any], Architecture | None]:
        """The parameters of the trial with this number, and their key, None for a repetition."""
        space = self._searcher.space
        while self._unused:
            proposal = self._unused.pop(0)
            if space.key(proposal.arch) not in self._used:
                break
        else:
            try:
                (proposal,) = self._searcher.ask()
            except SpaceExhaustedError as error:
                warnings.warn(f"{error}: now they are repeated at random", stacklevel=5)
                return self._values(space.sample(self._searcher.rng)), None
        self._suggested[number] = proposal
        return self._values(proposal.arch), space.key(proposal.arch)

    def give_up(self, number: int) -> None:
        """Take note that another trial has what was suggested for this one."""
        self._suggested.pop(number, None)

    def key_of(self, frozen: FrozenTrial) -> Architecture | None:
        """The key that a trial has, or that its process is about to suggest."""
        fill = self._fill if frozen.state.is_finished() else frozenset()
        arch = _read(self.parameters, frozen, fill)
        return None if arch is None else self._searcher.space.key(arch)

    def _values(self, arch: Architecture) -> dict[str, Any]:
        """All parameters, but those beside the architecture that are inactive."""
        active = self.parameters.values(arch)
        return {
            each.decision.name: each.values[choice]
            for each, choice in zip(self.parameters.listed, arch.choices, strict=True)
            if each.decision.name in active or each.decision.name not in self._fill
        }

    # Learning -----------------------------------------------------------------------------

    def learn_from(self, warm_start: WarmStart | None) -> None:
        """Learn from results of before."""
        if isinstance(warm_start, TaskData):
            if len(self._reader.directions) > 1:
                raise InvalidArgumentError(
                    "warm_start must be a study of the same directions, because TaskData has one "
                    f"value for each architecture and the study {len(self._reader.directions)}"
                )
            self._searcher.tell(self._rows(warm_start))
            self._reader.worst = float(warm_start.values.min())
        elif warm_start is not None:
            self._learn_from_study(warm_start)

    def _rows(self, data: TaskData) -> Iterable[Trial]:
        space, choices = self._searcher.space, data.choices
        if isinstance(space, JointSpace):
            middle = [p.middle for p in self.parameters.listed[choices.shape[1] :]]
            choices = space.joined(choices, middle)
            self._warn_of(dict.fromkeys(self._fill, len(choices)))
        for number, (row, value) in enumerate(zip(choices, data.values, strict=True)):
            arch = Architecture(space.name, tuple(row.tolist()))
            yield Trial(Proposal(number, arch), Evaluation((float(value),)))

    def _learn_from_study(self, study: Study) -> None:
        self._reader.check_directions(study)
        missing: dict[str, int] = {}
        left_out = 0
        for frozen in study.get_trials(deepcopy=False):
            arch = _read(self.parameters, frozen, self._fill)
            complete = frozen.state == TrialState.COMPLETE
            if arch is not None and frozen.state.is_finished():
                trial = self._reader.read(frozen, Proposal(frozen.number, arch))
                if trial is not None:
                    self._searcher.tell([trial])
                for name in self._lacking(arch, frozen) if complete else ():
                    missing[name] = missing.get(name, 0) + 1
            left_out += complete and arch is None
        self._warn_of(missing)
        if left_out:
            warnings.warn(
                f"warm_start: {left_out} completed trials of study {study.study_name!r} are left "
                f"out, because a parameter is missing or beyond what {self._searcher.space.name!r} "
                "has",
                stacklevel=7,
            )

    def _lacking(self, arch: Architecture, frozen: FrozenTrial) -> list[str]:
        if not self._fill:
            return []
        active = self.parameters.values(arch).keys()
        return [name for name in self._fill if name in active and name not in frozen.params]

    def _warn_of(self, missing: dict[str, int]) -> None:
        for each in self.parameters.listed:
            if missing.get(each.decision.name):
                name = each.decision.name
                warnings.warn(
                    f"warm_start: {missing[name]} trials have no {name!r} and count as with "
                    f"{each.values[each.middle]!r}, the middle of it",
                    stacklevel=8,
                )

    def follow(self, trials: Iterable[FrozenTrial]) -> None:
        """Learn what happened in the study since the last time."""
        for frozen in trials:
            if frozen.number not in self._told:
                self._see(frozen)

    def _see(self, frozen: FrozenTrial) -> None:
        finished = frozen.state.is_finished()
        arch = _read(self.parameters, frozen, self._fill if finished else frozenset())
        proposal = self._suggested.get(frozen.number)
        if arch is not None:
            self._used.add(self._searcher.space.key(arch))
            self._searcher.claim(arch)
            if not finished:
                self._searcher.expect([arch])
                self._claimed[frozen.number] = arch
                return
            if proposal is None or proposal.arch != arch:
                proposal = Proposal(frozen.number, arch)
            trial = self._reader.read(frozen, proposal)
            if trial is None:
                return
            self._searcher.tell([trial])
        elif finished and not self._has_decisions(frozen):
            claimed = self._claimed.get(frozen.number)
            if proposal is None and claimed is not None:  # of another process that ended early
                proposal = Proposal(frozen.number, claimed)
            if proposal is not None:
                self._used.discard(self._searcher.space.key(proposal.arch))
                self._unused.append(proposal)
        if finished:
            self._claimed.pop(frozen.number, None)
            self._told.add(frozen.number)
            self._suggested.pop(frozen.number, None)

    def _has_decisions(self, frozen: FrozenTrial) -> bool:
        """Whether the trial suggested any decision."""
        return any(name in frozen.params for name in self.parameters.distributions)


def _beside(name: str, distribution: BaseDistribution) -> Parameter:
    found = parameter(name, distribution, most=_FINE)
    return found if len(found.values) < _FINE else parameter(name, distribution, most=_GRID)


def parameters_of(space: SearchSpace) -> Parameters:
    """The decisions of a space as parameters of a study, see `suggest_architecture`."""
    if isinstance(space, ParameterSpace):
        return space.parameters
    return Parameters(space, [decision_parameter(decision) for decision in space.decisions])


def check_warm_start(given: WarmStart, space: SearchSpace) -> None:
    """Refuse results of another space.

    Raises:
        InvalidArgumentError: If it is of another space or type.
    """
    parameters = parameters_of(space)
    if isinstance(given, TaskData):
        if parameters_of(given.space).distributions != parameters.distributions:
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
    if finished and all(_read(parameters, trial) is None for trial in finished):
        raise InvalidArgumentError(
            f"warm_start must be of the space {space.name!r}, but none of the {len(finished)} "
            "finished trials of the study has an architecture of it"
        )


def _read(
    parameters: Parameters, frozen: FrozenTrial, fill: frozenset[str] = frozenset()
) -> Architecture | None:
    """What the trial evaluates; None where it has not all decisions or is of another kind."""
    fixed = frozen.system_attrs.get("fixed_params", {})
    params = {**claimed_parameters(frozen), **fixed, **frozen.params}
    try:
        arch = parameters.read(params, fill=fill)
    except InvalidArgumentError:
        return None
    return arch if parameters.space.is_valid(arch) else None
