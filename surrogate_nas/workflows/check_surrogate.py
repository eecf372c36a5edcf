"""Checks whether a surrogate ranks searchers and architectures as a table does."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, Progress
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.catalog import kept_task, open_benchmark
from surrogate_nas.benchmarks.surrogate import (
    EXTRAPOLATION,
    ROWS,
    SurrogateBenchmark,
    SurrogateTask,
    refuse_surrogate,
)
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.parallel import cores, each
from surrogate_nas.predictors.calibration import Z90
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.progress import as_progress
from surrogate_nas.records.surrogates import SurrogateCheckRecord, SurrogateTaskCheck
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher

SEARCHERS = (
    *("random", "local", "evolution", "genetic"),
    *("reinforce", "gradient", "bayesian", "optuna:tpe"),
)
"""Whose order is compared."""

MEANS = ("searchers_tau", "regret", "tau", "coverage")
"""What a record tells as means over the tasks."""

AT = (25, 50, 100, 200)
"""Budgets in trials."""

_GOOD = 10  # one in ten true values is good
_BEST = 100  # one in a hundred shows the noise of the best
_MOST = 20_000  # architectures whose order is compared


@dataclass(frozen=True, slots=True)
class _Side:
    """A task of the surrogate or of the table, as other processes open it."""

    benchmark: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Job:
    """A search on one of the two sides, in the space of the true table."""

    side: _Side
    truth: _Side
    task: str
    searcher: str
    seed: int
    trials: int


def check_surrogate(
    path: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    *,
    tasks: Sequence[str] | None = None,
    searchers: Sequence[str] = SEARCHERS,
    seeds: int = 20,
    trials: int = 100,
    workers: int | None = None,
    progress: Progress | bool = False,
) -> SurrogateCheckRecord:
    """Compare a surrogate with a table of the same space.

    Both are searched by the same searchers with the same seeds, in the space of the table.

    Args:
        path: The surrogate's file or name.
        truth: The table.
        tasks: Names of tasks that both have; None for all of them.
        searchers: See `surrogate_nas.searchers.factory.make_searcher`; at least two.
        seeds: Searches of each searcher on each task and side.
        trials: Evaluations of a search; values are compared at `AT` and at the end.
        workers: Processes; None for all cores.
        progress: Shows the searches; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: If the first is no surrogate, the second is one, they are of different
            spaces or have no task in common, or a number is out of range.
    """
    started = time.perf_counter()
    surrogate, table = open_benchmark(path), open_benchmark(truth)
    names = _tasks(surrogate, table, tasks)
    _check_numbers(searchers, seeds, trials, workers)
    for name in names:
        _rest(_model(surrogate, name), table.task(name))  # refuses too few before the searches
    sides = {
        name: (_side(path, surrogate.task(name)), _side(truth, table.task(name))) for name in names
    }
    jobs = _jobs(sides, searchers, seeds, trials)
    found: dict[_Job, FloatArray] = {}
    with as_progress(progress)(f"check {os.fspath(path)}", len(jobs)) as advance:
        for position, values in each(_searched, jobs, workers=workers or cores()):
            job = jobs[position]
            found[job] = values
            advance(f"{job.task} {job.searcher}, seed {job.seed}")
    checks = []
    for name in names:
        own = {job: values for job, values in found.items() if job.task == name}
        model = _model(surrogate, name)
        checks.append(_check(model, table.task(name), own, searchers, seeds, trials))
    mean = {key: float(np.mean([getattr(check, key) for check in checks])) for key in MEANS}
    return SurrogateCheckRecord(
        path=os.fspath(path),
        against=os.fspath(truth),
        **mean,
        searchers=tuple(searchers),
        seeds=seeds,
        tasks=tuple(checks),
        seconds=time.perf_counter() - started,
    )


def _jobs(
    sides: Mapping[str, tuple[_Side, _Side]], searchers: Sequence[str], seeds: int, trials: int
) -> list[_Job]:
    return [
        _Job(side, pair[1], task, searcher, seed, trials)
        for task, pair in sides.items()
        for searcher in searchers
        for seed in range(seeds)
        for side in pair
    ]


def _side(path: str | os.PathLike[str], task: TabularTask) -> _Side:
    return _Side(os.fspath(path), task.fingerprint)


def _tasks(surrogate: Benchmark, table: Benchmark, wanted: Sequence[str] | None) -> list[str]:
    """Names of the tasks that both have."""
    if not isinstance(surrogate, SurrogateBenchmark):
        raise InvalidArgumentError(
            f"what is checked must be a surrogate, and {surrogate!r} is a table; make one with "
            "'surrogate-nas build --surrogate'"
        )
    refuse_surrogate(table, "the truth")
    if surrogate.space.identity != table.space.identity:
        raise InvalidArgumentError(
            f"the surrogate is of the space {surrogate.space.identity}, and the truth of "
            f"{table.space.identity}; name the table of the same space"
        )
    both = [name for name in surrogate.tasks if name in table.tasks]
    missing = [name for name in wanted or () if name not in both]
    if missing or not both:
        raise InvalidArgumentError(
            f"tasks must be some that the surrogate ({', '.join(surrogate.tasks)}) and the truth "
            f"({', '.join(table.tasks)}) both have, got {', '.join(missing) or 'none'}"
        )
    return list(wanted or both)


def _model(surrogate: Benchmark, name: str) -> SurrogateTask:
    task = surrogate.task(name)
    assert isinstance(task, SurrogateTask)
    return task


def _check_numbers(searchers: Sequence[str], seeds: int, trials: int, workers: int | None) -> None:
    if len(set(searchers)) < 2:
        raise InvalidArgumentError(
            f"searchers must be two different ones or more, got {list(searchers)}"
        )
    for name, number in (("seeds", seeds), ("trials", trials), ("workers", workers or 1)):
        if number < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, got {number}")


def _at(trials: int) -> tuple[int, ...]:
    return (*(n for n in AT if n < trials), trials)


def _searched(job: _Job) -> FloatArray:
    """The best value, larger is better, at each budget."""
    task, true = (
        kept_task(side.benchmark, job.task, "separate", side.fingerprint)
        for side in (job.side, job.truth)
    )
    space = true.space
    searcher = make_searcher(job.searcher, space, seed=job.seed)
    result = search(searcher, task, trials=job.trials)
    values = [-np.inf if trial.value is None else trial.value for trial in result.trials]
    best = np.maximum.accumulate(values)
    return np.asarray(best[np.array(_at(job.trials)) - 1])


def _check(
    model: SurrogateTask,
    true: TabularTask,
    found: dict[_Job, FloatArray],
    searchers: Sequence[str],
    seeds: int,
    trials: int,
) -> SurrogateTaskCheck:
    sides = []
    for fingerprint in (model.fingerprint, true.fingerprint):
        cells = np.empty((len(searchers), seeds, len(_at(trials))))
        for job, values in found.items():
            if job.side.fingerprint == fingerprint:
                cells[searchers.index(job.searcher), job.seed] = values
        sides.append(cells)
    means = [cells.mean(axis=1) for cells in sides]
    halves = [sides[1][:, first::2].mean(axis=1) for first in (0, 1)] if seeds > 1 else []
    rest = _rest(model, true)
    predicted, values = model.lookup(rest), true.lookup(rest)
    good = np.argsort(-values, kind="stable")[: max(len(values) // _GOOD, 2)]
    far = model.with_goals([EXTRAPOLATION]).lookup(rest) * -1
    best = true.choices[np.argmax(model.lookup(true.choices))]
    inside = np.abs(values - predicted) <= Z90 * model.uncertainty(rest)
    sign = true.goal.sign
    return SurrogateTaskCheck(
        task=true.name,
        searchers_tau=kendall_tau(means[0].ravel(), means[1].ravel()),
        at=_at(trials),
        tau_at=tuple(kendall_tau(a, b) for a, b in zip(means[0].T, means[1].T, strict=True)),
        ceiling=kendall_tau(halves[0].ravel(), halves[1].ravel()) if halves else None,
        surrogate=_values(searchers, sign * means[0]),
        truth=_values(searchers, sign * means[1]),
        regret=true.regret(float(true.lookup(best[None])[0])),
        seed_deviation=_seed_deviation(true),
        tau=kendall_tau(predicted, values),
        tau_good=kendall_tau(predicted[good], values[good]),
        coverage=float(inside.mean()),
        extrapolation=float(far.mean()),
        rest=len(rest),
    )


def _values(searchers: Sequence[str], values: FloatArray) -> dict[str, tuple[float, ...]]:
    return {name: tuple(row.tolist()) for name, row in zip(searchers, values, strict=True)}


def _rest(model: SurrogateTask, true: TabularTask) -> IntArray:
    """Architectures of the table that the surrogate was not fitted to."""
    space = true.space
    fitted = space.index(space.keys(model.table.array(ROWS)))
    rest = true.choices[~np.isin(space.index(space.keys(true.choices)), fitted)]
    if len(rest) < 2:
        raise InvalidArgumentError(
            f"the truth must hold architectures that the surrogate was not fitted to, got "
            f"{len(rest)} of task {true.name!r}"
        )
    if len(rest) > _MOST:
        rest = rest[np.sort(np.random.default_rng(0).permutation(len(rest))[:_MOST])]
    return rest


def _seed_deviation(true: TabularTask) -> float | None:
    """Deviation between seeds of the best hundredth, pooled."""
    if true.seeds < 2:
        return None
    best = np.argsort(-true.values, kind="stable")[: max(len(true) // _BEST, 10)]
    cells = np.stack([true.lookup_rows(best, seed=seed) for seed in range(true.seeds)], axis=1)
    count = np.isfinite(cells).sum(axis=1)
    cells = cells[count > 1]
    if not len(cells):
        return None
    return float(np.sqrt(np.nanmean(np.nanvar(cells, axis=1, ddof=1))))
