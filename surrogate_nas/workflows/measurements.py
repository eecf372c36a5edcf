"""Measurements that a surrogate is fitted to: rows of a table, or the trials of searches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark, table_of
from surrogate_nas.benchmarks.hdf5 import UNKNOWN
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.benchmarks.surrogate import EXTRAPOLATION, refuse_surrogate
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal, Trial
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct
from surrogate_nas.store import Study, open_storage, read_study
from surrogate_nas.store.contents import study_names
from surrogate_nas.workflows.sampling import Sampling, check_sampling, sample


@dataclass(frozen=True, slots=True)
class MeasuredTask:
    """Measurements of one task.

    Attributes:
        name: The task's name.
        goal: Metric, direction and unit.
        columns: By the names of a table's columns, float64 (rows, seeds, budgets), NaN where
            missing.
        goals: Of the columns that are not the goal's.
        budgets: Epochs.
        costs: Of one evaluation at each budget, in epochs.
        fingerprints: Of the measurements, see `TabularTask`.
        training: How this program can repeat them, see `TabularTask`; None if it cannot.
    """

    name: str
    goal: Goal
    columns: Mapping[str, FloatArray]
    goals: Mapping[str, Goal]
    budgets: tuple[int, ...]
    costs: tuple[float, ...]
    fingerprints: tuple[str, ...] = ()
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements of some architectures of a space.

    Attributes:
        space: The whole space.
        choices: int (rows, decisions), all different.
        found_by: How each row was chosen: ``random``, a searcher, or `UNKNOWN`.
        tasks: What was measured.
        source: Where it comes from.
    """

    space: SearchSpace
    choices: IntArray
    found_by: tuple[str, ...]
    tasks: tuple[MeasuredTask, ...]
    source: str


def is_store(name: str) -> bool:
    """Whether a name is that of a trial store, not of a table."""
    return "://" in name or name.endswith(".journal")


def joined(parts: Sequence[Measurements]) -> Measurements:
    """Measurements of different tasks of one space, each of its own architectures, as one.

    Raises:
        InvalidArgumentError: If they are of several spaces, or of one task twice.
    """
    spaces = {part.space.identity for part in parts}
    names = [task.name for part in parts for task in part.tasks]
    if len(spaces) != 1 or len(set(names)) < len(names):
        raise InvalidArgumentError(
            "measurements are joined that are of different tasks of one space, got "
            f"{', '.join(names) or 'none'} of {', '.join(sorted(spaces)) or 'no space'}"
        )
    stacked = np.concatenate([part.choices for part in parts])
    found_by = np.concatenate([part.found_by for part in parts])
    _, first, inverse = np.unique(stacked, axis=0, return_index=True, return_inverse=True)
    first, position = np.sort(first), first.argsort().argsort()[inverse.ravel()]
    ends = np.cumsum([len(part.choices) for part in parts])[:-1]
    tasks = [
        replace(task, columns=_spread(task, rows, len(first)))
        for part, rows in zip(parts, np.split(position, ends), strict=True)
        for task in part.tasks
    ]
    return Measurements(
        space=parts[0].space,
        choices=stacked[first].astype(np.int16),
        found_by=tuple(found_by[first].tolist()),
        tasks=tuple(tasks),
        source=", ".join(part.source for part in parts),
    )


def _spread(task: MeasuredTask, rows: IntArray, count: int) -> dict[str, FloatArray]:
    """The columns of a task whose measurements are at these of so many rows."""
    found = {}
    for name, cells in task.columns.items():
        found[name] = np.full((count, *cells.shape[1:]), np.nan)
        found[name][rows] = cells
    return found


# A table ------------------------------------------------------------------------------------------


def of_table(
    name: str,
    tasks: Sequence[str] | None,
    choices: IntArray | None = None,
    found_by: Sequence[str] = (),
) -> Measurements:
    """The rows of a table.

    Args:
        name: What `open_benchmark` takes.
        tasks: Names of tasks; None for all.
        choices: Encodings of some rows; None for all.
        found_by: How these were chosen.

    Raises:
        UnknownNameError: If there is no such table or task.
        InvalidArgumentError: If it is a surrogate.
    """
    table = open_benchmark(name)
    refuse_surrogate(table, "what a surrogate is fitted to")
    opened = [table.task(task) for task in (table.tasks if tasks is None else tasks)]
    every = opened[0]._source.choices
    rows = np.arange(len(every))
    known = getattr(table, "found_by", None) or (UNKNOWN,) * len(every)
    if choices is not None:
        position = {row: i for i, row in enumerate(map(tuple, every.tolist()))}
        rows = np.array([position[row] for row in map(tuple, choices.tolist())])
    return Measurements(
        space=table.space,
        choices=every[rows],
        found_by=tuple(found_by) if choices is not None else known,
        tasks=tuple(_of_task(task, rows) for task in opened),
        source=os.path.basename(table_of(opened[0])),
    )


def _of_task(task: TabularTask, rows: IntArray) -> MeasuredTask:
    source = task._source
    columns = {}
    for name in source.columns:
        if name != METRICS + EXTRAPOLATION:
            planes = [source.read(name, i)[rows] for i in range(len(task.budgets))]
            columns[name] = np.stack(planes, axis=-1)
    goals = {name: source.goals.get(name, Goal(name.removeprefix(METRICS))) for name in columns}
    return MeasuredTask(
        name=task.name,
        goal=task.own_goal,
        columns=columns,
        goals=goals,
        budgets=task.budgets,
        costs=task.costs,
        fingerprints=task.fingerprints,
        training=task.training,
    )


# Searches -----------------------------------------------------------------------------------------


def of_store(
    store: str, tasks: Sequence[str] | None, space: str | os.PathLike[str] | None = None
) -> Measurements:
    """All finished trials of the searches of a store.

    An architecture that several searches measured has several seeds. Of trials with several
    budgets, those with the largest count.

    Args:
        store: A journal, or a database.
        tasks: Names of the tasks or data sets that were searched; None for all.
        space: Their space, where it is neither registered nor in the studies.

    Raises:
        UnknownNameError: If no search was of such a task.
        InvalidArgumentError: If the searches are of several spaces or of several goals.
    """
    storage = open_storage(store, new=False)
    names = [n for n in study_names(storage) if not n.startswith("verify ")]
    studies = [read_study(storage, name, space=space) for name in names]
    by_task: dict[str, list[Study]] = {}
    for study in studies:
        by_task.setdefault(_task_name(study), []).append(study)
    for wanted in tasks or ():
        if wanted not in by_task:
            raise UnknownNameError("task of the store", wanted, by_task)
    chosen = {name: by_task[name] for name in (tasks or by_task)}
    spaces = {study.space.identity for own in chosen.values() for study in own}
    if len(spaces) != 1:
        raise InvalidArgumentError(
            f"the searches of {store} must be of one space, got {', '.join(sorted(spaces))}; name "
            f"tasks of one with --task: {', '.join(by_task)}"
        )
    opened = next(iter(chosen.values()))[0].space
    whole = getattr(opened, "whole", opened)
    done = {name: _finished(own) for name, own in chosen.items()}
    every = [t.arch.choices for own in done.values() for _, t in own]
    if not every:
        raise InvalidArgumentError(f"the searches of {store} have no finished trial")
    choices = np.array(every, dtype=np.int16)
    choices = choices[distinct(whole, choices)[0]]
    position = {row: i for i, row in enumerate(map(tuple, choices.tolist()))}
    found_by: dict[int, str] = {}
    for own in done.values():
        for searcher, trial in own:
            found_by.setdefault(position[trial.arch.choices], searcher)
    measured = [_of_trials(name, chosen[name], own, position) for name, own in done.items()]
    return Measurements(
        space=whole,
        choices=choices,
        found_by=tuple(found_by[i] for i in range(len(choices))),
        tasks=tuple(measured),
        source=os.path.basename(store),
    )


def _task_name(study: Study) -> str:
    settings = study.settings
    return str(settings.get("task") or settings.get("dataset") or study.name).replace("/", " ")


def _finished(studies: Sequence[Study]) -> list[tuple[str, Trial]]:
    """The searcher and the trial of each finished evaluation at the largest budget."""
    found = []
    for study in studies:
        guide = study.settings.get("predictor")
        searcher = str(study.settings.get("searcher", UNKNOWN))
        name = f"{searcher}+{guide}" if guide else searcher
        found += [(name, trial) for trial in study.trials if trial.evaluation is not None]
    largest = max((t.evaluation.budget for _, t in found if t.evaluation), default=1)
    return [(n, t) for n, t in found if t.evaluation and t.evaluation.budget == largest]


def _of_trials(
    name: str,
    studies: Sequence[Study],
    trials: Sequence[tuple[str, Trial]],
    position: Mapping[tuple[int, ...], int],
) -> MeasuredTask:
    goals = studies[0].goals
    if any([g.metric for g in study.goals] != [g.metric for g in goals] for study in studies):
        raise InvalidArgumentError(f"the searches of {name!r} must have the same goals")
    seen: dict[int, list[dict[str, float]]] = {}
    for _, trial in trials:
        evaluation = trial.evaluation
        if evaluation is None:
            continue
        values = {VALIDATION: goals[0].sign * evaluation.value}
        for goal, value in zip(goals[1:], evaluation.values[1:], strict=True):
            values[METRICS + goal.metric] = goal.sign * value
        values |= {METRICS + key: float(v) for key, v in evaluation.metrics.items()}
        if goals[0].metric in evaluation.hidden:
            values[TEST] = float(evaluation.hidden[goals[0].metric])
        seen.setdefault(position[trial.arch.choices], []).append(values)
    names = dict.fromkeys(key for rows in seen.values() for row in rows for key in row)
    names.pop(METRICS + EXTRAPOLATION, None)
    if all(repeat == measured[0] for measured in seen.values() for repeat in measured):
        seen = {row: measured[:1] for row, measured in seen.items()}  # of a table's means
    seeds = max(map(len, seen.values()))
    columns = {key: np.full((len(position), seeds, 1), np.nan) for key in names}
    for row, measured in seen.items():
        for seed, values in enumerate(measured):
            for key in values.keys() & names.keys():
                columns[key][row, seed, 0] = values[key]
    own = {METRICS + goal.metric: goal for goal in goals[1:]}
    costs = ("latency", "parameters", "flops", "seconds")
    described = {
        key: own.get(key, Goal(bare, maximise=not bare.startswith(costs)))
        for key in names
        for bare in [key.removeprefix(METRICS)]
    }
    budget = trials[0][1].evaluation.budget if trials[0][1].evaluation else 1
    return MeasuredTask(name, goals[0], columns, described, (budget,), (float(budget),))


# A sample of a table ------------------------------------------------------------------------------


def sampled_from(
    name: str,
    tasks: Sequence[str] | None,
    *,
    how: Sampling,
    count: int,
    seed: int = 0,
    progress: Progress | bool = False,
) -> Measurements:
    """Some rows of a table, as if they had been measured: at random, and where searches go.

    Args:
        name: What `open_benchmark` takes.
        tasks: Names of tasks; None for all.
        how: See `surrogate_nas.workflows.sampling.sample`.
        count: How many at most.
        seed: Of the draw and the searches.
        progress: Shows the rounds; True for a bar, also in a notebook.

    Raises:
        UnknownNameError: If there is no such table or task.
        InvalidArgumentError: If it is a surrogate, or there are fewer rows.
    """
    check_sampling(how, count)
    table = open_benchmark(name)
    refuse_surrogate(table, "what a surrogate is fitted to")
    names = table.tasks if tasks is None else tuple(tasks)
    opened = [table.task(task) for task in names]
    space = opened[0].space
    if count > len(opened[0]):
        raise InvalidArgumentError(
            f"count must be at most {len(opened[0])}, the architectures of {opened[0].name!r}, "
            f"got {count}"
        )
    order = np.random.default_rng(seed).permutation(len(opened[0]))

    def measure(choices: IntArray, _: Sequence[str]) -> FloatArray:
        return np.stack([task.lookup(choices) for task in opened])

    with as_progress(progress)(f"sample {name}", 0) as advance:
        found = sample(
            space,
            measure,
            lambda n: opened[0].choices[order[:n]],
            how=how,
            count=count,
            seed=seed,
            on_step=advance,
        )
    return of_table(name, names, found.choices, found.found_by)
