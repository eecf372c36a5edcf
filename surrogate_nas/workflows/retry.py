"""Tries failed trials of a stored search, or failed trainings of a table, again."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.attempts import EvaluationJob, attempts, evaluations, forget
from surrogate_nas.benchmarks.hdf5 import UNKNOWN, HDF5Benchmark
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.evaluation import Trial
from surrogate_nas.limits import TrialLimits
from surrogate_nas.parallel import one_thread
from surrogate_nas.progress import as_progress, renamed
from surrogate_nas.records.retry import RetryRecord
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.log import TrainingLog
from surrogate_nas.workflows.build import Task, build, log_of

if TYPE_CHECKING:
    from surrogate_nas.store import Stored


def pattern(reason: str | None) -> re.Pattern[str]:
    """The regular expression of ``--reason``; every reason where there is none.

    Raises:
        InvalidArgumentError: If it is none.
    """
    try:
        return re.compile(reason or "")
    except re.error as error:
        raise InvalidArgumentError(
            f"--reason must be a regular expression, got {reason!r} ({error})"
        ) from error


def retry_trials(
    stored: Stored,
    *,
    store: str,
    reason: str | None = None,
    budget: int | None = None,
    workers: int = 1,
    limits: TrialLimits | None = None,
    progress: Progress | bool = False,
) -> RetryRecord:
    """Evaluate the failed trials of a stored search again; successes replace their failures.

    What fails again stays as it was. The search must not run at the same time.

    Args:
        stored: The search, with an objective that evaluates.
        store: Name of the store, for the record.
        reason: A regular expression that is searched for in the reasons; None for all failures.
        budget: Epochs of trials without a budget of their own; None for the objective's.
        workers: Number of processes.
        limits: See `surrogate_nas.run.search`.
        progress: Shows the trials; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: If ``reason`` is no regular expression, or ``workers`` is below 1.
        StoreError: If another process searches the study, or it cannot be written.
    """
    wanted, started = pattern(reason), time.perf_counter()
    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    errors: list[str] = []
    with stored.owned(), one_thread():
        failed = [t for t in stored.known if t.error is not None and wanted.search(t.error)]
        jobs = deque(_job(trial, budget) for trial in failed)
        with as_progress(progress)(f"retry {stored.name}", len(jobs)) as advance:
            for trial in _tried(stored, jobs, workers, limits):
                if trial.error is None:
                    stored.record(trial)
                    forget(stored.objective, trial, _job(trial, budget))
                else:
                    errors.append(" ".join(trial.error.split()))
                advance(errors[-1] if trial.error is not None else "succeeded")
    return record(store, stored.name, len(failed), errors, time.perf_counter() - started)


def _job(trial: Trial, budget: int | None) -> EvaluationJob:
    own = trial.proposal.budget
    return trial.proposal, budget if own is None else own, trial.proposal.info.get("seed")


def _tried(
    stored: Stored, jobs: deque[EvaluationJob], workers: int, limits: TrialLimits | None
) -> Iterator[Trial]:
    if workers == 1:
        with attempts(stored.objective, limits) as evaluate:
            for job in jobs:
                yield evaluate(job)
        return
    take = lambda: jobs.popleft() if jobs else None  # noqa: E731
    workers = min(workers, len(jobs)) or 1
    yield from evaluations(stored.objective, take, workers=workers, limits=limits)


def record(
    store: str, study: str | None, retried: int, errors: Sequence[str], seconds: float
) -> RetryRecord:
    """The record of trials that were tried again."""
    return RetryRecord(
        store=store,
        study=study,
        retried=retried,
        succeeded=retried - len(errors),
        failed=len(errors),
        errors=tuple(errors),
        seconds=seconds,
    )


# Of a table -----------------------------------------------------------------------------------


def read_log(
    out: Path, space: str | os.PathLike[str] | None = None
) -> tuple[SearchSpace, dict[str, Mapping[str, Any]]]:
    """The space of a table's log, and the settings of the trainings of each task.

    Args:
        out: The table, which need not exist.
        space: Name or TOML file of the space, if it is neither registered nor in the table.

    Raises:
        InvalidArgumentError: If there is no log.
        SurrogateNASError: If it cannot be read, or the space is another.
    """
    if not log_of(out).is_file():
        raise InvalidArgumentError(f"there is no log {log_of(out)} of a table's trainings")
    with TrainingLog(log_of(out)) as log:
        identity, trainings = log.space or "", dict(log.trainings)
    if space is not None:
        opened = open_space(space)
    elif out.is_file():
        opened = HDF5Benchmark(out).space
    else:
        opened = open_space(identity.partition("#")[0])
    if opened.identity != identity:
        raise InvalidArgumentError(
            f"the log {log_of(out)} is of the space {identity!r}, not {opened.identity!r}; name "
            "its TOML file with --space"
        )
    return opened, trainings


def rebuild(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    *,
    out: Path,
    reason: str | None = None,
    workers: int | None = None,
    accept: Collection[str] = (),
    limits: TrialLimits | None = None,
    progress: Progress | bool = False,
) -> RetryRecord:
    """Make the failed trainings of a table again, and write it anew.

    Args:
        space: See `read_log`.
        tasks: All tasks of the log.
        out: The table.
        reason: A regular expression that is searched for in the reasons; None for all failures.
        workers: See `build`, also for ``accept`` and ``limits``.
        accept: See `build`.
        limits: See `build`.
        progress: Shows the trainings; True for a bar, also in a notebook.

    Raises:
        SurrogateNASError: See `build`.
    """
    started = time.perf_counter()
    pattern(reason)
    with TrainingLog(log_of(out)) as log:
        keys, failed = list(log.done), log.failures(reason)
    rows = dict.fromkeys(row for _, row, _ in keys)
    seeds = 1 + max(seed for _, _, seed in keys)
    errors: list[str] = []
    if failed:
        build(
            space,
            tasks,
            np.array(list(rows), dtype=np.int16),
            out=out,
            found_by=_found_by(out, list(rows)),
            seeds=seeds,
            workers=workers,
            retry=reason or "",
            accept=accept,
            limits=limits,
            progress=renamed(as_progress(progress), f"retry {out.name}"),
        )
        with TrainingLog(log_of(out)) as log:
            errors = [found for key in failed if isinstance(found := log.done[key], str)]
    errors = [" ".join(error.split()) for error in errors]
    return record(os.fspath(out), None, len(failed), errors, time.perf_counter() - started)


def _found_by(out: Path, rows: Sequence[tuple[int, ...]]) -> list[str] | None:
    """How the table says that these rows were chosen; None where it does not."""
    if not out.is_file():
        return None
    try:
        table = HDF5Benchmark(out)
        said = table.found_by
    except FormatError:  # it is written anew
        return None
    if said is None:
        return None
    known = dict(zip(map(tuple, table.choices.tolist()), said, strict=True))
    return [known.get(row, UNKNOWN) for row in rows]
