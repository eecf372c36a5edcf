"""Optuna studies: a history of trials becomes a table of one task."""

from __future__ import annotations

import math
import os
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.importers.base import (
    Imported,
    Listener,
    check_bad,
    check_name,
    install,
    space_of_table,
)
from surrogate_nas.benchmarks.importers.bounded import MOST_VALUES
from surrogate_nas.benchmarks.importers.columns import MOST_EPOCHS
from surrogate_nas.benchmarks.importers.encoding import check_decisions, with_fixed
from surrogate_nas.benchmarks.importers.options import ABSENT, UNKNOWN, OptionReader
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import (
    ArchitectureError,
    FormatError,
    InvalidArgumentError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.decisions import option_name
from surrogate_nas.training_settings import recorded

_LEFT_OUT = {
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class _Record:
    """What one trial measured: values by budget, and the rest at the largest budget."""

    arch: Architecture
    values: Mapping[int, float]
    metrics: Mapping[str, float] = field(default_factory=dict)
    test: float = math.nan
    cost: float | None = None

    @property
    def budget(self) -> int:
        return max(self.values)


def import_optuna(
    storage: BaseStorage,
    *,
    name: str,
    study: str | None = None,
    space: str | os.PathLike[str] | None = None,
    task: str | None = None,
    decisions: Mapping[str, str] | None = None,
    fixed: Mapping[str, str] | None = None,
    nearest: bool = False,
    skip_bad: bool = False,
    listener: Listener | None = None,
) -> Imported:
    """Make an installed table of a study; a table of the same name is replaced.

    The completed trials become rows. Their parameters must have the names of the decisions and
    values that are options (8, 8.0 and ``"8"`` are the option ``8``). A decision that is inactive
    in a trial may be missing there. Other parameters are ignored. The direction is that of the
    study. Several trials of one architecture are its seeds, in the order of their numbers. Values
    that all trials reported at the same steps become budgets, counted from 1, and the value of a
    trial is that of the last budget. Of several objectives the first is the goal, the others are
    metrics. A study that this program stored also has budgets, costs, metrics, test metrics and
    learning curves, and the table records how to repeat its trainings.

    Args:
        storage: Optuna's storage.
        name: Name of the table.
        study: Name of the study; optional if there is only one, beside those of `verify`.
        space: Name of a registered space or a TOML file; optional if a search of this
            program stored the study.
        task: Name of the task, likewise.
        decisions: Parameter by decision, for parameters with other names than the decisions.
        fixed: Option by decision, for decisions that the study lacks: the same in all trials.
        nearest: Whether a number between two options of a decision means the nearer one.
        skip_bad: Skip completed trials that are no architecture or have no finite value,
            instead of refusing the study.
        listener: Hears what is skipped.

    Raises:
        UnknownNameError: If there is no such study or space.
        InvalidArgumentError: If an argument breaks a rule or is missing, or the study lacks
            decisions of the space.
        FormatError: If there is no usable trial, or a bad one; then nothing is written.
    """
    check_name(name)
    listener = listener or Listener()
    opened = _study(storage, study)
    settings = opened.user_attrs
    searched = "decisions" in settings and "metrics" in settings
    if searched:
        _check_settings(opened.study_name, settings)
    chosen = _space(opened.study_name, space, settings if searched else {})
    task = task if task is not None else settings.get("task") if searched else None
    if task is None:
        raise InvalidArgumentError(f"name the task of study {opened.study_name!r} with --task")
    everything = opened.get_trials(deepcopy=False)
    _check_trials(opened.study_name, everything, searched=searched)
    trials = [trial for trial in everything if trial.state == TrialState.COMPLETE]
    others = Counter(_LEFT_OUT[trial.state] for trial in everything if trial.state in _LEFT_OUT)
    if others:
        told = ", ".join(f"{count} {state}" for state, count in others.items())
        listener.note(f"left out of {len(everything)} trials: {told}")
    parameters = _Parameters(chosen, decisions or {}, fixed or {}, nearest=nearest)
    parameters.check(opened.study_name, trials, listener)
    names = _metric_names(opened, settings if searched else {})
    records, bad = _records(parameters, trials, names, listener, searched=searched)
    source = f"the study {opened.study_name!r}"
    check_bad(source, bad, unit="trial", usable=len(records), skip_bad=skip_bad)
    goal = Goal(names[0], opened.directions[0] == StudyDirection.MAXIMIZE)
    maximised = {
        metric: direction == StudyDirection.MAXIMIZE
        for metric, direction in zip(names, opened.directions, strict=True)
    }
    archs = list(dict.fromkeys(record.arch for record in records))
    choices = np.array([arch.choices for arch in archs], dtype=np.int16)
    spec = _task(task, goal, maximised, records, archs)
    if searched:
        spec = replace(spec, training=_training(settings, trials))
    return install(
        TableSpec(
            name,
            chosen,
            choices,
            [spec],
            source=with_fixed(f"Optuna study {opened.study_name}", fixed or {}),
        ),
        skipped=tuple(bad),
    )


def _study(storage: BaseStorage, name: str | None) -> optuna.Study:
    names = optuna.get_all_study_names(storage)
    if name is None and not names:
        raise InvalidArgumentError("the store holds no study; name another store")
    if name is None and len(names) > 1:
        # The trainings of `verify` stand beside their search, which is what is meant.
        found = {study.study_name: study.user_attrs for study in storage.get_all_studies()}
        searches = [key for key in names if not _is_verification(found[key])]
        if len(searches) != 1:
            listed = ", ".join(map(repr, names))
            raise InvalidArgumentError(f"name a study with --study: the store holds {listed}")
        (name,) = searches
    if name is not None and name not in names:
        raise UnknownNameError("study", name, names)
    return optuna.load_study(study_name=name, storage=storage)


def _is_verification(settings: Mapping[str, Any]) -> bool:
    return "decisions" in settings and "searcher" not in settings


def _check_settings(study: str, settings: Mapping[str, Any]) -> None:
    """Refuse settings of a search that no search writes."""
    metrics = settings["metrics"]
    wrong = {
        key: settings[key]
        for key in ("space", "definition", "task")
        if not isinstance(settings.get(key, ""), str)
    }
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        wrong["metrics"] = metrics
    for key, value in wrong.items():
        shown = reprlib.repr(value)
        raise FormatError(f"study {study!r} is damaged: its attribute {key} is {shown}")


def _check_trials(study: str, trials: Sequence[FrozenTrial], *, searched: bool) -> None:
    """Refuse what Optuna does not write: other programs may have changed the storage.

    Raises:
        FormatError: If there is any; the message names the trial.
    """
    for trial in trials:
        attributes: Any = trial.user_attrs
        values: Any = [*(trial.values or ()), *trial.intermediate_values.values()]
        wrong = (
            not all(isinstance(name, str) for name in trial.params)
            or not all(map(_is_epoch, trial.intermediate_values))
            or not all(map(_is_number, values))
            or not isinstance(attributes, dict)
            or (trial.state == TrialState.COMPLETE and not trial.values)
        )
        if not wrong and searched:
            parts = [attributes.get(key, {}) for key in ("hidden", "metrics")]
            numbers = [attributes.get(key) for key in ("budget", "cost", "seed")]
            wrong = not all(isinstance(part, dict) for part in parts) or not all(
                one is None or _is_number(one)
                for one in (*numbers, *(v for part in parts for v in part.values()))
            )
            wrong = wrong or not _is_epoch(attributes.get("budget", 1))
        if wrong:
            raise FormatError(
                f"trial {trial.number} of study {study!r} is damaged: a value of it has a type "
                "that Optuna does not write"
            )


def _is_epoch(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 1 << 1000  # as a float can hold it


def _space(
    study: str, space: str | os.PathLike[str] | None, settings: Mapping[str, Any]
) -> SearchSpace:
    if space is not None:
        return space_of_table(space)
    if "definition" in settings:
        return CustomSpace(settings["definition"], source=f"the space of study {study!r}")
    if "space" in settings:
        return space_of_table(settings["space"])
    raise InvalidArgumentError(
        f"study {study!r} was not stored by a search of this program; name its space with --space"
    )


class _Parameters:
    """The parameters of trials that are decisions of a space."""

    def __init__(
        self,
        space: SearchSpace,
        decisions: Mapping[str, str],
        fixed: Mapping[str, str],
        *,
        nearest: bool,
    ) -> None:
        check_decisions(space, decisions, fixed)
        self._space = space
        self._fixed = fixed
        self._names = {d.name: decisions.get(d.name, d.name) for d in space.decisions}
        self._readers = [OptionReader(d, nearest=nearest) for d in space.decisions]

    def check(self, study: str, trials: Sequence[FrozenTrial], listener: Listener) -> None:
        """Refuse a study that lacks decisions, and say what else it has."""
        found = dict.fromkeys(parameter for trial in trials for parameter in trial.params)
        needed = [name for decision, name in self._names.items() if decision not in self._fixed]
        missing = [name for name in needed if name not in found]
        if trials and missing:
            raise InvalidArgumentError(
                f"the parameters of study {study!r} must be named like the decisions of "
                f"{self._space.name!r}: {', '.join(missing)} "
                f"{'are' if len(missing) > 1 else 'is'} missing, it has "
                f"{', '.join(found) or 'none'}; name them with --decision NAME=PARAMETER, or where "
                "all trials had the same option, give it with --fixed NAME=OPTION"
            )
        others = [parameter for parameter in found if parameter not in needed]
        if others:
            listener.note(
                f"parameters that are no decisions of {self._space.name!r} are ignored: "
                f"{', '.join(others)}"
            )

    def architecture(self, trial: FrozenTrial) -> Architecture:
        """The architecture of a trial."""
        choices = []
        for reader in self._readers:
            name = reader.decision.name
            option = self._fixed.get(name, trial.params.get(self._names[name], ""))
            choices.append(reader.number(option_name(option)))
            if choices[-1] == UNKNOWN:
                raise ArchitectureError(str(reader.unknown(option_name(option))))
        if not all(map(math.isfinite, trial.values)):
            raise ArchitectureError(f"the value is not finite: {trial.values}")
        found = np.maximum([choices], 0)
        active = self._space.active(found)[0].tolist()
        for reader, choice, counts in zip(self._readers, choices, active, strict=True):
            if choice == ABSENT and counts:
                parameter = self._names[reader.decision.name]
                raise ArchitectureError(f"the parameter {parameter!r} is missing")
        return self._space.architecture(self._space.settled(found)[0])


def _metric_names(study: optuna.Study, settings: Mapping[str, Any]) -> list[str]:
    """A name for each objective of the study."""
    given = settings.get("metrics") or study.metric_names
    count = len(study.directions)
    return list(given or ["value", *(f"value{i}" for i in range(2, count + 1))])


# Trials ---------------------------------------------------------------------------------------


def _records(
    parameters: _Parameters,
    trials: Sequence[FrozenTrial],
    names: Sequence[str],
    listener: Listener,
    *,
    searched: bool,
) -> tuple[list[_Record], list[str]]:
    """What the good trials measured, in their order, and what is wrong with the others."""
    good: list[tuple[FrozenTrial, Architecture]] = []
    bad = []
    for trial in trials:
        try:
            good.append((trial, parameters.architecture(trial)))
        except ArchitectureError as error:
            bad.append(f"trial {trial.number}: {error}")
    if searched:
        return [_searched(trial, arch, names) for trial, arch in good], bad
    steps = _steps([trial for trial, _ in good], listener)
    shift = int(0 in steps)
    records = []
    for trial, arch in good:
        reported = {step + shift: trial.intermediate_values[step] for step in steps}
        values = reported | {max(reported, default=1): trial.values[0]}
        metrics = dict(zip(names[1:], trial.values[1:], strict=True))
        records.append(_Record(arch, values, metrics))
    return records, bad


def _steps(trials: Sequence[FrozenTrial], listener: Listener) -> list[int]:
    """The steps at which all trials reported a value; none if their steps differ."""
    steps = {tuple(sorted(trial.intermediate_values)) for trial in trials}
    if len(steps) > 1:
        listener.note("trials reported values at different steps, so their last ones alone count")
    if len(steps) != 1:
        return []
    (found,) = steps
    if found and found[-1] > MOST_EPOCHS:
        listener.note(
            f"trials reported values at steps above {MOST_EPOCHS:,}, which are no epochs, so their "
            "last ones alone count"
        )
        return []
    return list(found)


def _searched(trial: FrozenTrial, arch: Architecture, names: Sequence[str]) -> _Record:
    """A trial that a search of this program stored."""
    attributes, curve = trial.user_attrs, trial.intermediate_values
    further = dict(zip(names[1:], trial.values[1:], strict=True))
    test = attributes.get("hidden", {}).get(names[0])
    return _Record(
        arch,
        curve | {attributes.get("budget", 1): trial.values[0]},
        further | {key: v for key, v in attributes.get("metrics", {}).items() if v is not None},
        math.nan if test is None else test,
        attributes.get("cost"),
    )


def _training(
    settings: Mapping[str, Any], trials: Sequence[FrozenTrial]
) -> Mapping[str, Any] | None:
    """What a study of trainings records of them, and the number of seeds."""
    found = recorded(settings)
    seeds = [trial.user_attrs.get("seed") or 0 for trial in trials]
    return found | {"seeds": 1 + max(seeds)} if found else None


# The table ------------------------------------------------------------------------------------


def _task(
    name: str,
    goal: Goal,
    maximised: Mapping[str, bool],
    records: Sequence[_Record],
    archs: Sequence[Architecture],
) -> TaskSpec:
    row = {arch: i for i, arch in enumerate(archs)}
    budgets = sorted({budget for record in records for budget in record.values})
    position = {budget: i for i, budget in enumerate(budgets)}
    seen: Counter[tuple[Architecture, int]] = Counter()
    seeds = []
    for record in records:
        cells = [(record.arch, budget) for budget in record.values]
        seeds.append(max(seen[cell] for cell in cells))
        for cell in cells:
            seen[cell] = seeds[-1] + 1

    shape = (len(archs), max(seeds) + 1, len(budgets))
    if math.prod(shape) > MOST_VALUES:
        raise InvalidArgumentError(
            f"one architecture has {shape[1]:,} trials, so that {shape[0]:,} architectures at "
            f"{shape[2]:,} budgets would need as many seeds each; import a study with fewer"
        )

    def empty() -> FloatArray:
        return np.full(shape, np.nan)

    values, test = empty(), empty()
    metrics: dict[str, FloatArray] = {}
    for record, seed in zip(records, seeds, strict=True):
        for budget, value in record.values.items():
            values[row[record.arch], seed, position[budget]] = value
        last = row[record.arch], seed, position[record.budget]
        test[last] = record.test
        for metric, value in record.metrics.items():
            metrics.setdefault(metric, empty())[last] = value
    costs = None
    if all(record.cost for record in records):
        spent = [
            [(r.cost or 0.0) * budget / r.budget for r in records if budget in r.values]
            for budget in budgets
        ]
        costs = tuple(float(np.mean(each)) for each in spent)
    return TaskSpec(
        name=name,
        goal=goal,
        values=values,
        test=None if np.isnan(test).all() else test,
        metrics=[(Goal(key, maximised.get(key, True)), cube) for key, cube in metrics.items()],
        budgets=tuple(budgets),
        costs=costs,
    )
