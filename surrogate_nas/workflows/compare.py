"""Search methods side by side, over tasks and seeds, on all cores."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import OnStep, silent
from surrogate_nas._version import __version__
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import kept_task, open_benchmark
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features
from surrogate_nas.parallel import cores, each
from surrogate_nas.records import SearchResult, Standing, standing
from surrogate_nas.reporting.statistics import summarise
from surrogate_nas.run import check_arguments, search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.transfer import PredictorChoice, choose_predictor, learns_from_others
from surrogate_nas.workflows.proxies import method_proxies, task_proxies, unread

COLUMNS = ("number", "arch", "value", "cost", "error", "test", "best_value", "best_rank")
"""Of runs.csv, after task, searcher, predictor and seed."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that decides one run.

    ``weights`` is the hash of the file's content; ``proxies`` identify their values.
    """

    benchmark: str
    task: str
    fingerprint: str
    isomorphs: Isomorphs
    searcher: str
    predictor: str | None
    seed: int
    trials: int
    batch: int
    weights: str | None
    proxies: str | None = None
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
    sources: str | None = None,
    leave_one_out: bool = False,
    proxies: Sequence[str] | None = None,
    dataset: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_run: OnStep = silent,
    on_step: OnStep = silent,
) -> dict[str, Any]:
    """Run every searcher on every task with every seed, and summarise.

    Each run is kept in ``out/runs`` as soon as it is finished, and never repeated. ``out`` also
    gets ``runs.csv`` with every trial, and ``compare.json`` with what is returned.

    Args:
        benchmark: A registered name or the path of a table.
        tasks: Names of tasks.
        searchers: Such as ``"evolution"`` or ``"evolution+gp"``; the predictor may be a file of
            weights, or ``auto``, see `surrogate_nas.transfer.choose_predictor`.
        trials: Evaluations of each run.
        seeds: Number of runs of each searcher on each task, with the seeds 0, 1, …
        out: A folder, made if it does not exist.
        batch: See `surrogate_nas.run.search`.
        workers: Processes; None for all cores.
        isomorphs: See `TabularTask`.
        sources: What meta-learners are trained on, see `surrogate_nas.transfer.choose_predictor`.
        leave_one_out: Whether these are all other tasks of the benchmark.
        proxies: Zero-cost proxies for the predictors that read them, or None. See
            `surrogate_nas.workflows.proxies.task_proxies`.
        dataset: Images for them, where the table records none.
        data_dir: Where the files of the images are.
        on_run: Called with a text for each run that is finished, or was.
        on_step: Called with a text for each part of a meta-training, or of the proxies.

    Returns:
        ``benchmark``; ``runs``, a list of ``task``, ``searcher``, ``predictor``, ``guide``
        (what ``auto`` means on this task, else the predictor), ``seed``, ``source_evaluations``
        and, best so far after each whole trial, ``values``, ``ranks``, ``costs`` and ``test``;
        ``summary``, see `surrogate_nas.reporting.statistics.summarise`.

    Raises:
        UnknownNameError: If there is no such benchmark, task, searcher or predictor.
        InvalidArgumentError: If a number is out of range, or ``out`` cannot be written.
    """
    if seeds < 1:
        raise InvalidArgumentError(f"seeds must be at least 1, got {seeds}")
    methods = {text: Method.parse(text) for text in searchers}
    opened = open_benchmark(benchmark)
    open_tasks = {name: opened.task(name, isomorphs=isomorphs) for name in tasks}
    for task in open_tasks.values():
        check_arguments(task, trials=trials, batch=batch)
    guides = _guides(open_tasks, methods, sources, leave_one_out, on_step)
    read = {
        (name, method): method_proxies(proxies, methods[method], guide)
        for (name, method), guide in guides.items()
    }
    if proxies is not None and not any(read.values()):
        raise unread(f"the searchers {', '.join(searchers)}")
    tables = {
        (name, names): task_proxies(
            open_tasks[name],
            names,
            dataset=dataset,
            data_dir=data_dir,
            workers=workers,
            on_step=on_step,
        )
        for name, names in dict.fromkeys((name, found) for (name, _), found in read.items())
        if names
    }
    features = {key: tables.get((key[0], names)) for key, names in read.items()}
    folder = _folder(Path(out))
    jobs = [
        RunSettings(
            benchmark=benchmark,
            task=name,
            fingerprint=task.fingerprint,
            isomorphs=isomorphs,
            searcher=methods[method].name,
            predictor=methods[method].predictor,
            seed=seed,
            trials=trials,
            batch=batch,
            weights=None if guide is None else guide.digest,
            proxies=None if table is None else table.identity,
        )
        for name, task in open_tasks.items()
        for method in searchers
        for guide, table in [(guides[name, method], features[name, method])]
        for seed in range(seeds)
    ]
    records = _records(jobs, guides, features, folder, workers or cores(), on_run)
    runs = [record["run"] for record in records]
    sizes = {name: len(task) for name, task in open_tasks.items()}
    result = {"benchmark": opened.name, "runs": runs, "summary": summarise(runs, sizes)}
    _write(folder.parent / "compare.json", json.dumps(result))
    _write_csv(folder.parent / "runs.csv", records)
    return result


def _guides(
    tasks: Mapping[str, TabularTask],
    methods: Mapping[str, Method],
    sources: str | None,
    leave_one_out: bool,
    on_step: OnStep,
) -> dict[tuple[str, str], PredictorChoice | None]:
    """The predictor of each task and method; wrong names are found before the first run."""
    space = next(iter(tasks.values())).space
    learners = [text for text, method in methods.items() if learns_from_others(method.guide)]
    if (sources is not None or leave_one_out) and not learners:
        raise InvalidArgumentError(
            f"sources need a predictor that learns from other tasks, such as evolution+meta-gnn, "
            f"got the searchers {', '.join(methods)}"
        )
    for method in methods.values():
        if not method.features:  # which come later
            make_searcher(method.name, space, seed=0)
    return {
        (name, text): None
        if method.guide is None
        else choose_predictor(
            method.guide,
            task,
            sources=sources if text in learners else None,
            leave_one_out=leave_one_out and text in learners,
            on_step=on_step,
        )
        for name, task in tasks.items()
        for text, method in methods.items()
    }


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
    jobs: Sequence[RunSettings],
    guides: Mapping[tuple[str, str], PredictorChoice | None],
    features: Mapping[tuple[str, str], Features | None],
    folder: Path,
    workers: int,
    on_run: OnStep,
) -> list[dict[str, Any]]:
    """The jobs' records, in their order; those that are missing are made now."""
    records: list[dict[str, Any] | None] = [_read(folder / job.file) for job in jobs]
    missing = [i for i, record in enumerate(records) if record is None]
    for _ in range(len(jobs) - len(missing)):
        on_run("was there")
    work = functools.partial(_run_and_keep, folder)
    keys = [(jobs[i].task, jobs[i].method) for i in missing]
    todo = [(jobs[i], guides[key], features[key]) for i, key in zip(missing, keys, strict=True)]
    for place, record in each(work, todo, workers=workers):
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


def _run_and_keep(
    folder: Path, work: tuple[RunSettings, PredictorChoice | None, Features | None]
) -> dict[str, Any]:
    job, guide, features = work
    task = kept_task(job.benchmark, job.task, job.isomorphs, job.fingerprint)
    searcher = make_searcher(
        job.searcher,
        task.space,
        seed=job.seed,
        predictor=None if guide is None else guide.make,
        budgets=task.budgets,
        features=features,
    )
    result = search(searcher, task, trials=job.trials, batch=job.batch)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    record = _record(job, task, result, guide)
    _write(folder / job.file, json.dumps(record))
    return record


def _record(
    job: RunSettings, task: TabularTask, result: SearchResult, guide: PredictorChoice | None
) -> dict[str, Any]:
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
    ends = _ends(job.trials, task.budgets[-1], result)
    run = {
        "task": job.task,
        "searcher": job.searcher,
        "predictor": job.predictor,
        "guide": None if guide is None else guide.name,
        "seed": job.seed,
        "source_evaluations": 0 if guide is None else guide.source_evaluations,
        "values": [curve[i] for i in ends],
        "ranks": [standings[i].rank for i in ends],
        "costs": result.costs[ends].tolist(),
        "test": [standings[i].test for i in ends],
    }
    return {"settings": asdict(job), "run": run, "trials": rows}


def _ends(trials: int, whole: int, result: SearchResult) -> list[int]:
    """The last trial that was paid when so many whole ones were: (trials,).

    Trials with budgets of their own are parts of a whole one, so that all searches are compared
    at equal cost.
    """
    spent = np.cumsum([trial.proposal.budget or whole for trial in result.trials])
    ends: list[int] = (
        np.searchsorted(spent, whole * np.arange(1, trials + 1), "right") - 1
    ).tolist()
    return ends
