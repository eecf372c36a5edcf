"""How good a predictor is on the architectures that it was not trained on."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from surrogate_nas._types import OnStep, silent
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import kept_task, open_benchmark
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features
from surrogate_nas.parallel import cores, each
from surrogate_nas.predictors import metrics
from surrogate_nas.registry import load
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.transfer import AUTO, PredictorChoice, choose_predictor, learns_from_others
from surrogate_nas.workflows.proxies import task_proxies, unread

_Job = tuple[PredictorChoice, str, str, Isomorphs, str, Features | None, int, int]


def evaluate(
    predictor: str,
    benchmark: str,
    *,
    tasks: Sequence[str],
    train_sizes: Sequence[int],
    seeds: int,
    workers: int | None = None,
    isomorphs: Isomorphs = "separate",
    sources: str | None = None,
    leave_one_out: bool = False,
    proxies: Sequence[str] | None = None,
    dataset: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_result: OnStep = silent,
    on_step: OnStep = silent,
) -> list[dict[str, Any]]:
    """Fit a predictor to random architectures of a table, and test it on all the others.

    The architectures depend on the task, the size and the seed only: all predictors are measured
    on the same ones.

    Args:
        predictor: A registered name, or a file of weights.
        benchmark: A registered name or the path of a table.
        tasks: Names of tasks.
        train_sizes: Numbers of architectures to learn from; 0 needs a predictor with a prior.
        seeds: Number of repetitions, with the seeds 0, 1, …
        workers: Processes; None for all cores.
        isomorphs: See `TabularTask`.
        sources: What a meta-learner is trained on, see `choose_predictor`.
        leave_one_out: Whether these are all other tasks of the benchmark.
        proxies: Zero-cost proxies that the predictor sees beside the structure, or None. See
            `surrogate_nas.workflows.proxies.task_proxies`.
        dataset: Images for them, where the table records none.
        data_dir: Where the files of the images are.
        on_result: Called with a text for each result.
        on_step: Called with a text for each part of a meta-training, or of the proxies.

    Returns:
        For each task, size and seed: ``task``, ``train_size``, ``seed``, the numbers of
        `surrogate_nas.predictors.metrics`, ``fit_seconds`` and ``predict_seconds``. What means
        nothing is None: ``nll`` and ``coverage_90`` without labels, and ``kendall_tau`` and
        ``spearman`` where fewer than two architectures are left to test on.

    Raises:
        UnknownNameError: If there is no such predictor, benchmark or task.
        InvalidArgumentError: If a number is out of range, or the predictor reads no proxies.
    """
    if seeds < 1:
        raise InvalidArgumentError(f"seeds must be at least 1, got {seeds}")
    for what, given in (("tasks", tasks), ("train_sizes", train_sizes)):
        if len(given) == 0:
            raise InvalidArgumentError(f"{what} must have at least one entry, got none")
    opened = open_benchmark(benchmark)
    # All that can be wrong is looked for before a meta-training or proxies, which take long.
    found = [opened.task(name, isomorphs=isomorphs) for name in tasks]
    for task in found:
        _check_sizes(task, train_sizes)
    trains = sources is not None or leave_one_out
    if proxies and learns_from_others(predictor) and (trains or predictor != AUTO):
        raise unread(f"the predictor {predictor}")
    choices = [
        choose_predictor(
            predictor, task, sources=sources, leave_one_out=leave_one_out, on_step=on_step
        )
        for task in found
    ]
    for choice in choices:
        if 0 in train_sizes and not _has_prior(choice):
            raise InvalidArgumentError(
                "train sizes must be at least 1 for a predictor that learns from the task alone, "
                "got 0"
            )
        if proxies and not choice.reads_features:
            raise unread(f"the predictor {choice.name}")
    jobs: list[_Job] = []
    for name, task, choice in zip(tasks, found, choices, strict=True):
        features = None
        if proxies:
            features = task_proxies(
                task, proxies, dataset=dataset, data_dir=data_dir, workers=workers, on_step=on_step
            )
        jobs += [
            (choice, benchmark, name, isomorphs, task.fingerprint, features, size, seed)
            for size in train_sizes
            for seed in range(seeds)
        ]
    results: list[dict[str, Any]] = [{} for _ in jobs]
    for place, result in each(_evaluate, jobs, workers=workers or cores()):
        results[place] = result
        on_result(f"{result['task']} {result['train_size']} labels, seed {result['seed']}")
    return results


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


def _evaluate(job: _Job) -> dict[str, Any]:
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
    quality: dict[str, float | None] = {**metrics.quality(prediction, task.values[rest])}
    if not size:  # only the order of a prior counts: it does not know the values' scale
        quality |= dict.fromkeys(("nll", "coverage_90"))
    if len(rest) < 2:
        quality |= dict.fromkeys(("kendall_tau", "spearman"))
    return {
        "task": name,
        "train_size": size,
        "seed": seed,
        **quality,
        "fit_seconds": fitted - start,
        "predict_seconds": done - fitted,
    }
