"""Train a space, or a part of it, and write the results as a table."""

from __future__ import annotations

import os
import pickle
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, OnStep, Progress
from surrogate_nas._version import __version__
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cluster import Cluster, ClusterOptions
from surrogate_nas.errors import (
    InvalidArgumentError,
    MissingDependencyError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.limits import TrialLimits
from surrogate_nas.parallel import Pool, default_workers, dispatch
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.log import Key, TrainingLog
from surrogate_nas.training.record import Record, Recorder
from surrogate_nas.training_settings import recorded

_GOAL = Goal("accuracy", unit="%")
_PARAMETERS, _FLOPS = Goal("parameters", maximise=False), Goal("flops", maximise=False)
_LATENCY = Goal("latency", maximise=False, unit="ms")
_SECONDS = Goal("seconds", maximise=False, unit="s")
_FELL_BACK = Goal("fell_back", maximise=False)
_TRIES = 1000  # draws without a new architecture


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a table to be built.

    Attributes:
        recorder: Trains architectures; its epochs are the budgets of the table.
        training: The settings of the trainings, from which they can be repeated, see `TaskSpec`.
    """

    recorder: Recorder
    training: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Built:
    """A finished table.

    Attributes:
        path: The file.
        log: The log of its trainings, with which later calls continue.
        architectures: Number of rows.
        trainings: Number of trainings in the table, failed ones included.
        trained: Number of trainings that this call made.
        failed: Task, architecture, seed and reason of each failed training.
        seconds: Duration of this call.
    """

    path: Path
    log: Path
    architectures: int
    trainings: int
    trained: int
    failed: tuple[tuple[str, str, int, str], ...]
    seconds: float


def log_of(out: Path) -> Path:
    """Path of the log of a table's trainings."""
    return out.with_name(f"{out.name}.log")


def build(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    choices: IntArray,
    *,
    out: str | os.PathLike[str],
    seeds: int = 1,
    workers: int | None = None,
    cluster: ClusterOptions | None = None,
    licence: str = "",
    found_by: Sequence[str] | None = None,
    retry: str | None = None,
    accept: Collection[str] = (),
    limits: TrialLimits | None = None,
    progress: Progress | bool = False,
) -> Built:
    """Train architectures on tasks with seeds 0, 1, …, and write a table of all epochs.

    Every finished training is written to a log beside the table at once, and is never repeated. So
    the same call continues after a kill, as does one with more seeds, architectures or tasks. A
    training that fails is a missing value.

    Args:
        space: The space.
        tasks: The table's tasks by name.
        choices: Encodings to train, one for each network: int (n, decisions), see `choose`.
        out: The table, a file that ends with .h5.
        seeds: Number of trainings of each architecture on each task.
        workers: Number of processes, of one thread each; None for one a GPU, or a core.
        cluster: A Ray cluster that trains, in place of ``workers``.
        licence: Licence of the table.
        found_by: How each architecture was chosen; None where that is unknown.
        retry: A regular expression; failures whose reasons it is found in are tried again.
        accept: Recorded settings that may be others than before: ``"network"``.
        limits: Time and memory of each training; beyond them it is ended, and failed.
        progress: Shows the trainings, earlier ones included; True for a bar, also in a notebook.

    Raises:
        SurrogateNASError: If an argument is out of range, the log is of other trainings, every
            training of a task failed, another process builds the table, or a file is not written.
    """
    started, path = time.perf_counter(), Path(out)
    _check(path, seeds, workers)
    rows = [tuple(row) for row in space.check_all(choices).tolist()]
    jobs = [(task, row, seed) for seed in range(seeds) for row in rows for task in tasks]
    settings = {name: recorded(task.training) for name, task in tasks.items()}
    shown = as_progress(progress)(f"build {path.name}", len(jobs))
    with TrainingLog(log_of(path)) as log, shown as advance:
        log.begin(space.identity, settings, accept)
        missing = _missing(log, jobs, retry)
        _step_over(len(jobs) - len(missing), advance)
        if missing:
            pool, devices = _pool(tasks, workers, len(missing), cluster, limits)
            with pool:
                _train(space, tasks, pool, devices, missing, log, advance)
        write_table(path, _spec(path.stem, space, tasks, choices, seeds, licence, log, found_by))
        failed = _failed(space, jobs, log)
    seconds = time.perf_counter() - started
    return Built(path, log.path, len(choices), len(jobs), len(missing), failed, seconds)


def _step_over(steps: int, on_step: OnStep) -> None:
    for _ in range(steps):
        on_step("was there")


def _missing(log: TrainingLog, jobs: Sequence[Key], retry: str | None) -> list[Key]:
    again = set() if retry is None else set(log.failures(retry))
    return [key for key in jobs if key not in log.done or key in again]


def _failed(
    space: SearchSpace, jobs: Sequence[Key], log: TrainingLog
) -> tuple[tuple[str, str, int, str], ...]:
    """Task, architecture, seed and reason of each training that failed."""
    return tuple(
        (task, space.format(space.architecture(np.array(row))), seed, reason)
        for task, row, seed in jobs
        if isinstance(reason := log.done[task, row, seed], str)
    )


def _check(path: Path, seeds: int, workers: int | None) -> None:
    for name, number in (("seeds", seeds), ("workers", workers)):
        if number is not None and number < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, got {number}")
    if path.suffix != ".h5":
        raise InvalidArgumentError(
            f"out must be a file that ends with .h5, got {os.fspath(path)!r}"
        )
    if path.exists() and not log_of(path).exists():
        raise InvalidArgumentError(
            f"{path} exists, and there is no log {log_of(path).name} of its trainings beside it; "
            "choose another --out, or remove it"
        )


def choose(space: SearchSpace, count: int | None = None, seed: int = 0) -> IntArray:
    """Architectures to train, one encoding for each network: int (n, decisions).

    Args:
        space: The space.
        count: How many, drawn at random; None for all.
        seed: Draws them; a larger ``count`` contains those of a smaller one.

    Raises:
        InvalidArgumentError: If there are fewer than ``count``, or too many to train all.
    """
    merged = space.with_isomorphs("merged")
    if count is None and not merged.enumerable:
        raise InvalidArgumentError(
            f"space {space.name!r} has {space.encodings:,} encodings; name the number of those to "
            "train with --count"
        )
    if merged.enumerable:
        every = merged.unique()
        if count is None:
            return every
        if not 0 < count <= len(every):
            raise InvalidArgumentError(
                f"count must be between 1 and {len(every)}, the architectures of {space.name!r}, "
                f"got {count}"
            )
        return every[np.random.default_rng(seed).permutation(len(every))[:count]]
    return _sampled(merged, count or 0, np.random.default_rng(seed))


def _sampled(space: SearchSpace, count: int, rng: np.random.Generator) -> IntArray:
    if count < 1:
        raise InvalidArgumentError(f"count must be at least 1, got {count}")
    found: dict[tuple[int, ...], None] = {}
    in_vain = 0
    while len(found) < count:
        before = len(found)
        found[space.canonical(space.sample(rng)).choices] = None
        in_vain = 0 if len(found) > before else in_vain + 1
        if in_vain == _TRIES:
            raise InvalidArgumentError(
                f"count must be at most the number of architectures of {space.name!r}: after "
                f"{len(found)} different ones, {_TRIES} draws brought no other; got {count}"
            )
    return np.array(list(found), dtype=np.int16)


# Training -------------------------------------------------------------------------------------


def _pool(
    tasks: Mapping[str, Task],
    workers: int | None,
    most: int,
    cluster: ClusterOptions | None,
    limits: TrialLimits | None,
) -> tuple[Pool | Cluster, Sequence[str]]:
    """Processes that know the recorders, and the devices to which trainings are dispatched."""
    recorders = {name: task.recorder for name, task in tasks.items()}
    try:
        sent = pickle.dumps(recorders)
    except Exception as error:
        raise InvalidArgumentError(
            f"the trainings cannot be sent to other processes ({error}); functions must be those "
            "of a module"
        ) from error
    if cluster is not None:  # which shows each process its own GPUs
        return Cluster(cluster, _receive, sent, limits=limits), ["auto" if cluster.gpus else "cpu"]
    devices = next(iter(recorders.values())).devices()
    workers = min(workers or default_workers(devices), most)
    return Pool(workers, _receive, sent, limits=limits), devices


def _train(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    pool: Pool | Cluster,
    devices: Sequence[str],
    missing: Sequence[Key],
    log: TrainingLog,
    on_step: OnStep,
) -> None:
    """Make the missing trainings, and log each."""
    waiting = deque(missing)
    train = partial(_train_there, space.name)
    outcome: Record | str
    machine: Mapping[str, str] | None
    for key, result in dispatch(
        pool, train, lambda: waiting.popleft() if waiting else None, devices
    ):
        try:
            outcome, machine = result()
        except BrokenProcessPool as error:
            outcome, machine = str(error), None
        log.add(key, outcome, machine)
        if isinstance(outcome, Record):
            task, choices, seed = key
            tasks[task].recorder.forget(Architecture(space.name, choices), seed)
        on_step(_step(space, key, outcome))


def _step(space: SearchSpace, key: Key, outcome: Record | str) -> str:
    task, row, seed = key
    arch = space.format(space.architecture(np.array(row)))
    result = "failed" if isinstance(outcome, str) else f"{outcome.validation[-1]:.2f} %"
    return f"{task} {arch} seed {seed}: {result}"


# In a worker's process ------------------------------------------------------------------------

_recorders: dict[str, Recorder]


def _receive(sent: bytes) -> None:
    global _recorders
    _recorders = pickle.loads(sent)


def _train_there(space: str, key: Key, device: str) -> tuple[Record | str, Mapping[str, str]]:
    """Train once; the record, or the reason of a failure, and the machine.

    Raises:
        UnknownNameError: If a name is wrong, since every training would fail.
        MissingDependencyError: If a package is missing, since every training would fail.
    """
    task, choices, seed = key
    recorder = _recorders[task]
    machine = recorder.machine(device)
    try:
        return recorder.record(Architecture(space, choices), seed, device), machine
    except (UnknownNameError, MissingDependencyError):
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # of the user's functions
        return f"{type(error).__name__}: {error}", machine


# The table ------------------------------------------------------------------------------------


def _spec(
    name: str,
    space: SearchSpace,
    tasks: Mapping[str, Task],
    choices: IntArray,
    seeds: int,
    licence: str,
    log: TrainingLog,
    found_by: Sequence[str] | None,
) -> TableSpec:
    return TableSpec(
        name=name,
        space=space,
        choices=choices,
        tasks=[_task(task, tasks[task], choices, seeds, log) for task in tasks],
        source=f"trained by surrogate-nas {__version__}",
        licence=licence,
        found_by=found_by,
    )


def _task(name: str, task: Task, choices: IntArray, seeds: int, log: TrainingLog) -> TaskSpec:
    epochs = task.recorder.epochs
    shape = (len(choices), seeds)
    curves = {key: np.full((*shape, epochs), np.nan) for key in ("validation", "test", "elapsed")}
    numbers = {key: np.full((*shape, 1), np.nan) for key in ("parameters", "flops", "latency")}
    if "optimizer" in task.training:
        numbers["fell_back"] = np.full((*shape, 1), np.nan)
    reason = ""
    for i, row in enumerate(choices.tolist()):
        for seed in range(seeds):
            outcome = log.done[name, tuple(row), seed]
            if isinstance(outcome, str):
                reason = reason or outcome
                continue
            for key, cells in (*curves.items(), *numbers.items()):
                value = getattr(outcome, key)  # None in logs of versions that did not note it
                cells[i, seed] = np.nan if value is None else value
    if np.isnan(curves["validation"][..., -1]).all():
        raise SurrogateNASError(
            f"every training of {name!r} failed, so there is no table; the first reason was: "
            f"{reason} (all are in {log.path}; `surrogate-nas retry` tries them again)"
        )
    metrics = [
        (_PARAMETERS, _any_seed(numbers["parameters"])),
        (_FLOPS, _any_seed(numbers["flops"])),
        (_LATENCY, numbers["latency"]),
        (_SECONDS, curves["elapsed"]),
    ]
    if "fell_back" in numbers:
        metrics.append((_FELL_BACK, numbers["fell_back"]))
    return TaskSpec(
        name=name,
        goal=_GOAL,
        values=curves["validation"],
        test=curves["test"],
        metrics=metrics,
        budgets=tuple(range(1, epochs + 1)),
        training={**task.training, "seeds": seeds, "machines": log.machines},
    )


def _any_seed(cells: FloatArray) -> FloatArray:
    """A value that is the same for all seeds, from a seed that succeeded: (rows, 1, 1)."""
    return np.fmax.reduce(cells, axis=1, keepdims=True)
