"""Compares search methods over tasks and seeds, on all cores."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from surrogate_nas._types import OnStep, Progress
from surrogate_nas._version import RESULTS
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.checksums import sealed, unsealed
from surrogate_nas.errors import InvalidArgumentError, SurrogateNASError
from surrogate_nas.evaluation import Features
from surrogate_nas.files import cannot_write, try_to_write, write_text
from surrogate_nas.parallel import each
from surrogate_nas.progress import as_progress
from surrogate_nas.records import ComparisonRecord, SearchResult, Standing, standing
from surrogate_nas.records.base import ABSENT, plain
from surrogate_nas.records.comparison import FailedRun, KeptRun, Run, TrialRow
from surrogate_nas.records.front import Box
from surrogate_nas.reporting.statistics import against_unguided, summarise
from surrogate_nas.reporting.summaries import summary_csv
from surrogate_nas.reporting.worst import worst_tasks
from surrogate_nas.run import check_arguments, search
from surrogate_nas.searchers.candidates import Extent, extent, no_guide
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.training.proxies.table import ProxyTable
from surrogate_nas.transfer import PredictorChoice, learns_from_others
from surrogate_nas.workflows.equal_methods import expanded, groups, same_searches
from surrogate_nas.workflows.experiment import Experiment
from surrogate_nas.workflows.goals import WantedGoals, kept_goals
from surrogate_nas.workflows.proxies import method_proxies, unread

_LOG = logging.getLogger(__name__)

Guides = Mapping[tuple[str, str], PredictorChoice | None]
"""The predictor of each task and method."""


class Limits(TypedDict):
    """Settings that all runs share, see `compare`."""

    trials: int
    batch: int
    candidates: str | None


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All settings on which one run depends.

    ``weights`` is the hash of the file's content; ``proxies`` identifies the values of the proxies;
    ``candidates`` are None for the guide's default, and without a guide; ``goals`` are None for the
    task's own, ``parts`` the tasks that are combined to one, and ``results`` those of the program.
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
    results: int
    proxies: str | None = None
    candidates: str | None = None
    goals: WantedGoals | None = None
    parts: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        """The searcher with its predictor."""
        return self.searcher if self.predictor is None else f"{self.searcher}+{self.predictor}"

    @property
    def file(self) -> str:
        """Name of the file of its result."""
        settings = asdict(self)
        if self.candidates is None:  # as before there were any
            del settings["candidates"]
        if self.goals is None:  # likewise
            del settings["goals"], settings["parts"]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
        named = f"{self.task}-{self.method}"
        readable = "".join(c if c.isalnum() or c in "+-." else "_" for c in named)
        return f"{readable}-{self.seed}-{digest[:16]}.json"


def compare(
    experiment: Experiment,
    *,
    searchers: Sequence[str],
    trials: int,
    out: str | os.PathLike[str],
    batch: int = 5,
    candidates: str | None = None,
    unguided: bool = False,
    progress: Progress | bool = False,
) -> ComparisonRecord:
    """Run every searcher on every task with every seed, and summarise.

    Each run is kept in ``out/runs`` as soon as it is finished, and never repeated. ``out`` also
    gets ``runs.csv`` with every trial, ``summary.csv`` with means and standard errors, and
    ``compare.json`` with what is returned.

    Args:
        experiment: The tasks and seeds.
        searchers: Such as ``"evolution"`` or ``"evolution+gp"``; the predictor may be a file of
            weights, or ``auto``, see `surrogate_nas.transfer.choose_predictor`.
        trials: Evaluations of each run.
        out: A folder, made if it does not exist.
        batch: See `surrogate_nas.run.search`.
        candidates: What guides compare, see `surrogate_nas.searchers.guided.Guided`.
        unguided: Whether each guided method is tested against its searcher alone, which then runs
            too.
        progress: Shows meta-trainings, proxies and runs; True for bars, also in a notebook.

    Raises:
        UnknownNameError: If there is no such benchmark, task, searcher or predictor.
        InvalidArgumentError: If a number is out of range, or ``out`` cannot be written.
    """
    methods = {text: Method.parse(text) for text in with_unguided(searchers, unguided)}
    opened, found = experiment.open()
    tasks = dict(zip(experiment.names, found, strict=True))
    _check(tasks, methods, trials, batch, candidates)
    guides = _guides(experiment, tasks, methods, progress)
    features = _features(experiment, tasks, methods, guides, progress)
    folder = _folder(Path(out))
    limits = Limits(trials=trials, batch=batch, candidates=candidates)
    first = same_searches(methods, tasks, guides, trials=trials, candidates=candidates)
    made = {key: guide for key, guide in guides.items() if first[key[1]] == key[1]}
    jobs = _jobs(experiment, tasks, methods, made, features, limits)
    total = len(tasks) * len(methods) * experiment.seeds
    with as_progress(progress)(f"compare on {opened.name}", total) as advance:
        done, failed = _kept(jobs, guides, features, folder, experiment.processes, advance)
        _tell_same(first, experiment, advance)
    kept = expanded(done, methods, first)
    runs = tuple(one.run for one in kept)
    sizes = {name: len(task) for name, task in tasks.items()}
    different = [one.run for one in done]
    summary = summarise(different, sizes, same=groups(first))
    record = ComparisonRecord(opened.name, runs, summary, sizes=sizes, failed=failed)
    record = replace(record, worst=worst_tasks(different, sizes, summary))
    if unguided:
        tests = against_unguided(runs, sizes, _alone(searchers))
        record = replace(record, against_unguided=tests)
    _write_results(folder.parent, record, kept)
    return record


def _check(
    tasks: Mapping[str, TabularTask],
    methods: Mapping[str, Method],
    trials: int,
    batch: int,
    candidates: str | None,
) -> None:
    for task in tasks.values():
        check_arguments(task, trials=trials, batch=batch)
    _check_candidates(candidates, tasks, methods)


def with_unguided(searchers: Sequence[str], unguided: bool = True) -> list[str]:
    """The methods, and after them what else runs, the guided ones' searchers alone."""
    others = _alone(searchers).values() if unguided else ()
    return list(dict.fromkeys([*searchers, *others]))


def _alone(searchers: Sequence[str]) -> dict[str, str]:
    """By guided method, the same one without a guide.

    Raises:
        InvalidArgumentError: If none of the methods has a guide.
    """
    pairs = {text: Method.parse(text).unguided for text in searchers}
    found = {str(Method.parse(text)): str(alone) for text, alone in pairs.items() if alone}
    if not found:
        raise InvalidArgumentError(
            "a comparison against unguided searchers needs a guided method, such as "
            f"evolution+gp, got the searchers {', '.join(searchers)}"
        )
    return found


def _guides(
    experiment: Experiment,
    tasks: Mapping[str, TabularTask],
    methods: Mapping[str, Method],
    progress: Progress | bool,
) -> Guides:
    """The predictor of each task and method; wrong names are found before the first run."""
    space = next(iter(tasks.values())).space
    learners = [text for text, method in methods.items() if learns_from_others(method.guide)]
    if experiment.trains_learners and not learners:
        raise InvalidArgumentError(
            f"sources need a predictor that learns from other tasks, such as evolution+meta-gnn, "
            f"got the searchers {', '.join(methods)}"
        )
    for method in methods.values():
        if not method.features:  # else features are needed, which are computed later
            make_searcher(method.name, space, seed=0)
    guides = dict.fromkeys(methods[text].guide or "" for text in learners)
    experiment.train_ahead(list(guides), list(tasks.values()), progress)
    return {
        (name, text): None
        if (guide := method.guide) is None
        else experiment.predictor(guide, task, from_sources=text in learners, progress=progress)
        for name, task in tasks.items()
        for text, method in methods.items()
    }


def _features(
    experiment: Experiment,
    tasks: Mapping[str, TabularTask],
    methods: Mapping[str, Method],
    guides: Guides,
    progress: Progress | bool,
) -> dict[tuple[str, str], ProxyTable | None]:
    """The proxies that each task and method reads, each table of them made once."""
    proxies = experiment.proxies
    read = {
        (name, text): method_proxies(proxies, methods[text], guide)
        for (name, text), guide in guides.items()
    }
    if proxies is not None and not any(read.values()):
        raise unread(f"the searchers {', '.join(methods)}")
    tables = {
        (name, names): experiment.features(tasks[name], names, progress)
        for name, names in dict.fromkeys((name, found) for (name, _), found in read.items())
        if names
    }
    return {key: tables.get((key[0], names)) for key, names in read.items()}


def _jobs(
    experiment: Experiment,
    tasks: Mapping[str, TabularTask],
    methods: Mapping[str, Method],
    guides: Guides,
    features: Mapping[tuple[str, str], ProxyTable | None],
    limits: Limits,
) -> list[RunSettings]:
    """The runs: every task and method with every seed."""
    return [
        RunSettings(
            benchmark=experiment.benchmark,
            task=name,
            fingerprint=tasks[name].fingerprint,
            isomorphs=experiment.isomorphs,
            searcher=methods[text].name,
            predictor=methods[text].predictor,
            seed=seed,
            trials=limits["trials"],
            batch=limits["batch"],
            candidates=_named(limits["candidates"], tasks[name], methods[text]),
            weights=None if guide is None else guide.identity,
            results=RESULTS,
            proxies=None if (table := features[name, text]) is None else table.identity,
            goals=None if experiment.goals == WantedGoals() else experiment.goals,
            parts=tuple(experiment.tasks) if experiment.goals.combines else (),
        )
        for (name, text), guide in guides.items()
        for seed in range(experiment.seeds)
    ]


def _tell_same(first: Mapping[str, str], experiment: Experiment, on_run: OnStep) -> None:
    """Count the runs that another method's stand for."""
    for text, other in first.items():
        if text != other:
            for name in experiment.names:
                for seed in range(experiment.seeds):
                    on_run(f"{name} {text} seed {seed} is the same search as {other}")


def _check_candidates(
    wanted: str | None, tasks: Mapping[str, TabularTask], methods: Mapping[str, Method]
) -> None:
    if wanted is None:
        return
    if not any(map(_is_guided, methods.values())):
        raise no_guide(", ".join(methods))
    for task in tasks.values():
        extent(wanted, task.space)


def _is_guided(method: Method) -> bool:
    return method.guide is not None or method.own_guide is not None


def _named(wanted: str | None, task: TabularTask, method: Method) -> str | None:
    """The candidates as settings name them: None for the default, and without a guide."""
    if wanted is None or not _is_guided(method):
        return None
    return None if wanted == extent(None, task.space) else wanted


def _folder(out: Path) -> Path:
    folder = out / "runs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try_to_write(folder)
    except OSError as error:
        raise InvalidArgumentError(
            f"out must be a folder that can be written, got {os.fspath(out)!r}: {error.strerror}"
        ) from error
    return folder


def _kept(
    jobs: Sequence[RunSettings],
    guides: Guides,
    features: Mapping[tuple[str, str], Features | None],
    folder: Path,
    workers: int,
    on_run: OnStep,
) -> tuple[list[KeptRun], tuple[FailedRun, ...]]:
    """The runs of the jobs, in their order, and those that failed; missing ones are made.

    Raises:
        SurrogateNASError: If every run failed.
    """
    found: list[KeptRun | None] = [_read(folder / job.file) for job in jobs]
    missing = [i for i, kept in enumerate(found) if kept is None]
    for _ in range(len(jobs) - len(missing)):
        on_run("was there")
    work = functools.partial(_run_and_keep, folder)
    keys = [(jobs[i].task, jobs[i].method) for i in missing]
    todo = [(jobs[i], guides[key], features[key]) for i, key in zip(missing, keys, strict=True)]
    failed = []
    for position, kept in each(work, todo, workers=workers):
        job = jobs[missing[position]]
        what = f"{job.task} {job.method} seed {job.seed}"
        if isinstance(kept, FailedRun):
            failed.append(kept)
            on_run(f"{what} failed: {kept.error}")
        else:
            found[missing[position]] = kept
            on_run(what)
    done = [kept for kept in found if kept is not None]
    if not done:
        raise SurrogateNASError(f"every run failed; the first reason was: {failed[0].error}")
    return done, tuple(failed)


def _read(path: Path) -> KeptRun | None:
    try:
        return KeptRun.from_json(unsealed(path.read_bytes()))
    except (FileNotFoundError, ValueError, RecursionError):  # a damaged file is made again
        return None


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise cannot_write(path, error) from error


def _write_results(out: Path, record: ComparisonRecord, kept: Sequence[KeptRun]) -> None:
    _write(out / "compare.json", json.dumps(plain(record, finite=False)))
    _write_csv(out / "runs.csv", kept)
    _write(out / "summary.csv", summary_csv(record))


def _short(cell: object) -> object:
    """A number without the digits that only rounding made, such as .30000000000000004."""
    return float(f"{cell:.10g}") if isinstance(cell, float) else cell


def _write_csv(path: Path, kept: Sequence[KeptRun]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("task", "searcher", "predictor", "seed", *TrialRow._fields))
    for run, trials in ((one.run, one.trials) for one in kept):
        head = (run.task, run.searcher, run.predictor, run.seed)
        writer.writerows([*head, *map(_short, row)] for row in trials)
    _write(path, text.getvalue())


# In a worker's process ------------------------------------------------------------------------


def _run_and_keep(
    folder: Path, work: tuple[RunSettings, PredictorChoice | None, Features | None]
) -> KeptRun | FailedRun:
    """Make a run and keep it; one that fails does not end the others."""
    job, guide, features = work
    try:
        return _made(folder, job, guide, features)
    except SurrogateNASError:
        raise  # a mistake in what was asked
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return FailedRun(job.task, job.searcher, job.predictor, job.seed, reason)


def _made(
    folder: Path, job: RunSettings, guide: PredictorChoice | None, features: Features | None
) -> KeptRun:
    names, wanted = job.parts or (job.task,), job.goals or WantedGoals()
    task = kept_goals(job.benchmark, names, job.isomorphs, job.fingerprint, wanted)
    searcher = make_searcher(
        job.searcher,
        task.space,
        seed=job.seed,
        predictor=None if guide is None else guide.make,
        budgets=task.budgets,
        features=features,
        candidates=job.candidates,
    )
    _LOG.info("%s, %s, seed %d", job.task, job.method, job.seed)
    result = search(searcher, task, trials=job.trials, batch=job.batch)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    kept = _kept_run(job, task, result, guide)
    content = {"settings": asdict(job), **plain(kept, finite=False)}
    _write(folder / job.file, sealed(content).decode())
    return kept


def _kept_run(
    job: RunSettings, task: TabularTask, result: SearchResult, guide: PredictorChoice | None
) -> KeptRun:
    sign, incumbents = task.goal.sign, result.incumbents
    best = {i: standing(task, result.trials[i]) for i in set(incumbents) if i is not None}
    standings = [Standing() if i is None else best[i] for i in incumbents]
    values = [None if i is None else result.trials[i].evaluation for i in incumbents]
    curve = [None if evaluation is None else sign * evaluation.value for evaluation in values]
    rows = []
    for number, trial in enumerate(result.trials):
        evaluation = trial.evaluation
        rows.append(
            TrialRow(
                number=number,
                arch=task.space.format(trial.arch),
                value=None if evaluation is None else sign * evaluation.value,
                cost=None if evaluation is None else evaluation.cost,
                error=trial.error,
                test=None if evaluation is None else evaluation.hidden.get(task.goal.metric),
                best_value=curve[number],
                best_rank=standings[number].rank,
            )
        )
    ends = _ends(job.trials, task.budgets[-1], result)
    box = Box.of_task(task)
    run = Run(
        task=job.task,
        searcher=job.searcher,
        predictor=job.predictor,
        guide=None if guide is None else guide.name,
        seed=job.seed,
        source_evaluations=0 if guide is None else guide.source_evaluations,
        values=tuple(curve[i] for i in ends),
        ranks=tuple(standings[i].rank for i in ends),
        costs=tuple(result.costs[ends].tolist()),
        test=tuple(standings[i].test for i in ends),
        candidates=_compared(job, task),
        weights=None if guide is None else guide.weights,
        hypervolumes=ABSENT if box is None else tuple(box.curve(result)[ends].tolist()),
    )
    return KeptRun(run, tuple(rows))


def _compared(job: RunSettings, task: TabularTask) -> Extent | None:
    """What the guide of a run compared; None without a guide."""
    guided = _is_guided(Method.parse(job.method))
    return extent(job.candidates, task.space) if guided else None


def _ends(trials: int, whole: int, result: SearchResult) -> list[int]:
    """The last trial that is finished at the cost of 1, 2, … whole trials: (trials,).

    A trial with a smaller budget costs a part of a whole one, so all searches are compared at equal
    cost.
    """
    spent = np.cumsum([trial.proposal.budget or whole for trial in result.trials])
    ends: list[int] = (
        np.searchsorted(spent, whole * np.arange(1, trials + 1), "right") - 1
    ).tolist()
    return ends
