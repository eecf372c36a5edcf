"""Measures predictors on the architectures that they were not trained on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import kept_task
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features
from surrogate_nas.parallel import each
from surrogate_nas.predictors import metrics
from surrogate_nas.progress import as_progress
from surrogate_nas.records import Measurement, MeasurementRecord
from surrogate_nas.registry import load
from surrogate_nas.reporting.worst import summarise_measurements
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.transfer import AUTO, PredictorChoice, learns_from_others
from surrogate_nas.workflows.experiment import Experiment
from surrogate_nas.workflows.proxies import unread

_Job = tuple[PredictorChoice, str, str, Isomorphs, str, Features | None, int, int]


def evaluate(
    predictor: str,
    experiment: Experiment,
    *,
    train_sizes: Sequence[int],
    against: str | None = None,
    progress: Progress | bool = False,
) -> MeasurementRecord:
    """Fit a predictor to random architectures of a table, and test it on all the others.

    The architectures depend on the task, the size and the seed only, so all predictors are measured
    on the same ones.

    Args:
        predictor: A registered name, or a file of weights.
        experiment: The tasks and seeds.
        train_sizes: Numbers of architectures to learn from; 0 needs a predictor with a prior.
        against: Another predictor that is measured with the same labels, for the summary.
        progress: Shows meta-trainings, proxies and results; True for bars, also in a notebook.

    Raises:
        UnknownNameError: If there is no such predictor, benchmark or task.
        InvalidArgumentError: If a number is out of range, or the predictor reads no proxies.
    """
    if len(train_sizes) == 0:
        raise InvalidArgumentError("train_sizes must have at least one entry, got none")
    opened, tasks = experiment.open()
    # All arguments are checked before a meta-training or proxies, which take long.
    for task in tasks:
        _check_sizes(task, train_sizes)
    choices = _choices(predictor, experiment, tasks, train_sizes, progress)
    others = []
    if against is not None and against != predictor:
        others = [experiment.predictor(against, task, from_sources=False) for task in tasks]
    features: list[Features | None] = [None] * len(tasks)
    if experiment.proxies:
        features = [experiment.features(task, experiment.proxies, progress) for task in tasks]
    jobs = _jobs(experiment, tasks, choices, features, train_sizes)
    own = len(jobs)
    if others:
        sizes = [size for size in train_sizes if size]
        jobs += _jobs(experiment, tasks, others, features, sizes)
    found: list[Measurement | None] = [None] * len(jobs)
    with as_progress(progress)(f"{predictor} on {opened.name}", len(jobs)) as advance:
        for position, result in each(_evaluate, jobs, workers=experiment.processes):
            found[position] = result
            advance(f"{result.task} {result.train_size} labels, seed {result.seed}")
    results = tuple(result for result in found if result is not None)
    summary = summarise_measurements(results[:own], against if others else None, results[own:])
    return MeasurementRecord(results[:own], summary)


def _jobs(
    experiment: Experiment,
    tasks: Sequence[TabularTask],
    choices: Sequence[PredictorChoice],
    features: Sequence[Features | None],
    train_sizes: Sequence[int],
) -> list[_Job]:
    """The measurements of one predictor a task."""
    jobs: list[_Job] = []
    for name, task, choice, known in zip(experiment.tasks, tasks, choices, features, strict=True):
        where = experiment.benchmark, name, experiment.isomorphs, task.fingerprint
        known = known if choice.reads_features else None
        jobs += [
            (choice, *where, known, size, seed)
            for size in train_sizes
            for seed in range(experiment.seeds)
        ]
    return jobs


def _choices(
    predictor: str,
    experiment: Experiment,
    tasks: Sequence[TabularTask],
    train_sizes: Sequence[int],
    progress: Progress | bool,
) -> list[PredictorChoice]:
    """The predictor of each task, checked."""
    proxies = experiment.proxies
    decided = experiment.trains_learners or predictor != AUTO
    if proxies and learns_from_others(predictor) and decided:
        raise unread(f"the predictor {predictor}")
    if learns_from_others(predictor):
        experiment.train_ahead([predictor], tasks, progress)
    choices = [
        experiment.predictor(predictor, task, from_sources=True, progress=progress)
        for task in tasks
    ]
    for choice in choices:
        if 0 in train_sizes and not _has_prior(choice):
            raise InvalidArgumentError(
                "train sizes must be at least 1 for a predictor that learns from the task alone, "
                "got 0"
            )
        if proxies and not choice.reads_features:
            raise unread(f"the predictor {choice.name}")
    return choices


def _check_sizes(task: TabularTask, train_sizes: Sequence[int]) -> None:
    for size in train_sizes:
        if not isinstance(size, int | np.integer) or size < 0:
            raise InvalidArgumentError(
                f"train sizes must be whole numbers of at least 0, got {size!r}"
            )
        if size >= len(task):
            raise InvalidArgumentError(
                f"train sizes must be below {len(task)}, the number of architectures of "
                f"{task.name!r}, got {size}"
            )


def _has_prior(choice: PredictorChoice) -> bool:
    if choice.weights is not None:
        return True
    return getattr(load("predictor", choice.name), "has_prior", False) is True


def _evaluate(job: _Job) -> Measurement:
    predictor, benchmark, name, isomorphs, fingerprint, features, size, seed = job
    task = kept_task(benchmark, name, isomorphs, fingerprint)
    order = np.random.default_rng([seed, size]).permutation(len(task))
    support, rest = replace(task.data(order[:size]), features=features), np.sort(order[size:])
    model = predictor.make(task.space, seed)
    start = time.perf_counter()
    if size:
        model.fit(support)
    fitted = time.perf_counter()
    prediction = model.predict(task.choices[rest])
    done = time.perf_counter()
    quality = metrics.quality(prediction, task.values[rest])
    ordered = len(rest) >= 2
    return Measurement(
        task=name,
        train_size=size,
        seed=seed,
        kendall_tau=quality["kendall_tau"] if ordered else None,
        spearman=quality["spearman"] if ordered else None,
        precision_at_10=quality["precision_at_10"],
        regret_at_10=quality["regret_at_10"],
        # Only the order of a prior's predictions counts, since it does not know the scale.
        nll=quality["nll"] if size else None,
        coverage_90=quality["coverage_90"] if size else None,
        fit_seconds=fitted - start,
        predict_seconds=done - fitted,
        predictor=predictor.name,
        weights=predictor.weights,
    )
