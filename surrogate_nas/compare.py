"""Search methods side by side, over tasks and seeds, on all cores."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from surrogate_nas import __version__
from surrogate_nas.benchmarks.base import Benchmark, TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.parallel import cores, each
from surrogate_nas.result import SearchResult, Standing, standing
from surrogate_nas.run import check_arguments, search
from surrogate_nas.search.factory import make_searcher
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.summary import summarise

COLUMNS = ("number", "arch", "value", "cost", "error", "test", "best_value", "best_rank")
"""Of runs.csv, after task, searcher, predictor and seed."""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that decides one run."""

    benchmark: str
    task: str
    fingerprint: str
    isomorphs: Isomorphs
    searcher: str
    predictor: str | None
    seed: int
    trials: int
    batch: int
    version: str = __version__

    @property
    def method(self) -> str:
        """The searcher with its predictor."""
        return self.searcher if self.predictor is None else f"{self.searcher}+{self.predictor}"

    @property
    def file(self) -> str:
        """Name of the file of its result."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        readable = "".join(c if c.isalnum() or c in "+-." else "_" for c in self.method)
        return f"{self.task}-{readable}-{self.seed}-{digest[:16]}.json"


def compare(
    benchmark: str,
    *,
    tasks: Sequence[str],
    searchers: Sequence[str],
    trials: int,
    seeds: int,
    out: str | os.PathLike[str],
    batch: int = 5,
    workers: int | None = None,
    isomorphs: Isomorphs = "separate",
    on_run: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run every searcher on every task with every seed, and summarise.

    Each run is kept in ``out/runs`` as soon as it is finished, and never repeated. ``out`` also
    gets ``runs.csv`` with every trial, and ``compare.json`` with what is returned.

    Args:
        benchmark: A registered name or the path of a table.
        tasks: Names of tasks.
        searchers: Such as ``"evolution"`` or ``"evolution+gp"``.
        trials: Evaluations of each run.
        seeds: Number of runs of each searcher on each task, with the seeds 0, 1, …
        out: A folder, made if it does not exist.
        batch: See `surrogate_nas.run.search`.
        workers: Processes; None for all cores.
        isomorphs: See `TabularTask`.
        on_run: Called with a text for each run that is finished, or was.

    Returns:
        ``benchmark``; ``runs``, a list of ``task``, ``searcher``, ``predictor``, ``seed``,
        ``source_evaluations`` and, best so far after each trial, ``values``, ``ranks``, ``costs``
        and ``test``; ``summary``, see `surrogate_nas.summary.summarise`.

    Raises:
        UnknownNameError: If there is no such benchmark, task, searcher or predictor.
        InvalidArgumentError: If a number is out of range, or ``out`` cannot be written.
    """
    if seeds < 1:
        raise InvalidArgumentError(f"seeds must be at least 1, got {seeds}")
    opened = open_benchmark(benchmark)
    open_tasks = {name: opened.task(name, isomorphs=isomorphs) for name in tasks}
    for task in open_tasks.values():
        check_arguments(task, trials=trials, batch=batch)
    space = next(iter(open_tasks.values())).space
    for method in searchers:
        make_searcher(method, space, seed=0)
    folder = _folder(Path(out))
    jobs = [
        Job(
            benchmark=benchmark,
            task=name,
            fingerprint=task.fingerprint,
            isomorphs=isomorphs,
            searcher=method.partition("+")[0],
            predictor=method.partition("+")[2] or None,
            seed=seed,
            trials=trials,
            batch=batch,
        )
        for name, task in open_tasks.items()
        for method in searchers
        for seed in range(seeds)
    ]
    records = _records(jobs, folder, workers or cores(), on_run)
    runs = [record["run"] for record in records]
    sizes = {name: len(task) for name, task in open_tasks.items()}
    result = {"benchmark": opened.name, "runs": runs, "summary": summarise(runs, sizes)}
    _write(folder.parent / "compare.json", json.dumps(result))
    _write_csv(folder.parent / "runs.csv", records)
    return result


def _folder(out: Path) -> Path:
    folder = out / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidArgumentError(
            f"out must be a folder that can be written, got {os.fspath(out)!r}: {error.strerror}"
        ) from error
    return folder


def _records(
    jobs: Sequence[Job], folder: Path, workers: int, on_run: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The jobs' records, in their order; those that are missing are made now."""
    records: list[dict[str, Any] | None] = [_read(folder / job.file) for job in jobs]
    missing = [i for i, record in enumerate(records) if record is None]
    for _ in range(len(jobs) - len(missing)):
        on_run("was there")
    work = functools.partial(_run_and_keep, folder)
    for place, record in each(work, [jobs[i] for i in missing], workers=workers):
        job = jobs[missing[place]]
        records[missing[place]] = record
        on_run(f"{job.task} {job.method} seed {job.seed}")
    return [record for record in records if record is not None]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return record


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _write_csv(path: Path, records: Sequence[dict[str, Any]]) -> None:
    part = path.with_name(f"{path.name}.part")
    with open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("task", "searcher", "predictor", "seed", *COLUMNS))
        for record in records:
            run = record["run"]
            head = [run[key] for key in ("task", "searcher", "predictor", "seed")]
            writer.writerows([*head, *row] for row in record["trials"])
    part.replace(path)


# In a worker's process ------------------------------------------------------------------------


@functools.cache
def _benchmark(name: str) -> Benchmark:
    return open_benchmark(name)


@functools.cache
def _task(benchmark: str, name: str, isomorphs: Isomorphs) -> TabularTask:
    return _benchmark(benchmark).task(name, isomorphs=isomorphs)


def _run_and_keep(folder: Path, job: Job) -> dict[str, Any]:
    task = _task(job.benchmark, job.task, job.isomorphs)
    searcher = make_searcher(job.method, task.space, seed=job.seed)
    result = search(searcher, task, trials=job.trials, batch=job.batch)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    record = _record(job, task, result)
    _write(folder / job.file, json.dumps(record))
    return record


def _record(job: Job, task: TabularTask, result: SearchResult) -> dict[str, Any]:
    sign, incumbents = task.goal.sign, result.incumbents
    best = {i: standing(task, result.trials[i]) for i in set(incumbents) if i is not None}
    standings = [Standing() if i is None else best[i] for i in incumbents]
    values = [None if i is None else result.trials[i].evaluation for i in incumbents]
    curve = [None if evaluation is None else sign * evaluation.value for evaluation in values]
    rows = []
    for number, trial in enumerate(result.trials):
        evaluation = trial.evaluation
        rows.append(
            (
                number,
                task.space.format(trial.arch),
                None if evaluation is None else sign * evaluation.value,
                None if evaluation is None else evaluation.cost,
                trial.error,
                None if evaluation is None else evaluation.hidden.get(task.goal.metric),
                curve[number],
                standings[number].rank,
            )
        )
    run = {
        "task": job.task,
        "searcher": job.searcher,
        "predictor": job.predictor,
        "seed": job.seed,
        "source_evaluations": 0,
        "values": curve,
        "ranks": [s.rank for s in standings],
        "costs": result.costs.tolist(),
        "test": [s.test for s in standings],
    }
    return {"settings": asdict(job), "run": run, "trials": rows}
