"""Meta-training of a predictor on tasks, measured on others, and kept as a file of weights."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_nas._types import Progress, silent
from surrogate_nas._version import __version__
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.files import cannot_write, try_to_write
from surrogate_nas.predictors import metrics
from surrogate_nas.predictors.base import Adapted, MetaPredictor
from surrogate_nas.predictors.meta.weights import (
    Settings,
    write_weights,
)
from surrogate_nas.progress import as_progress
from surrogate_nas.records import MetaTrainingRecord
from surrogate_nas.registry import load
from surrogate_nas.searchers.method import AUTO
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import STRUCTURAL_OPERATIONS
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.transfer.suites import full_name, same_task, source_task

HELD_OUT_LABELS = (0, 5, 20, 100)


_REPETITIONS = 5


_LOOKED_AT = 500  # sampled architectures, to find the operations of a space


def meta_train(
    tasks: Sequence[TabularTask],
    *,
    predictor: str = "meta-gnn",
    holdout: Sequence[TabularTask] = (),
    out: str | os.PathLike[str],
    seed: int = 0,
    workers: int | None = None,
    checkpoint: Path | None = None,
    progress: Progress | bool = False,
) -> MetaTrainingRecord:
    """Meta-train on tasks, measure on others, and keep the weights in a file.

    A run that was stopped continues when it is started again with the same arguments.

    Args:
        tasks: The tasks to learn from.
        predictor: A registered meta-learner.
        holdout: Tasks to measure only. They are removed from ``tasks``, as are tasks of the same
            name in the same space.
        out: The file, ``.safetensors``.
        seed: Of all randomness.
        workers: Processes; None for all cores.
        checkpoint: Folder where finished parts are kept, which the caller removes; None for one
            beside ``out``, which is removed at the end.
        progress: Shows the parts of the work that are done; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: If no task is left, or ``out`` has another suffix.
        SurrogateNASError: If the file cannot be written.
    """
    started = time.perf_counter()
    out = Path(out)
    if out.suffix != SUFFIX:
        raise InvalidArgumentError(f"out must end in {SUFFIX}, got {os.fspath(out)!r}")
    if seed >= 2**63:  # XGBoost's limit
        raise InvalidArgumentError(f"seed must be below 2**63, got {seed}")
    _check_writable(out)
    kind = meta_class(predictor)
    sources = [task for task in tasks if not any(same_task(task, held) for held in holdout)]
    if not sources:
        raise InvalidArgumentError("no task is left to learn from; hold fewer out")
    own = out.with_name(f"{out.stem}.checkpoint")
    learner = kind(seed=seed, workers=workers, checkpoint=checkpoint or own)
    measured = {}
    parts = learner.parts(len(sources)) + len(holdout)
    with as_progress(progress)(f"meta-train {predictor}", parts) as advance:
        learner.on_step = advance
        learner.meta_fit([task.data() for task in sources])
        learner.on_step = silent
        for task in holdout:
            measured[full_name(task)] = _measure(learner, task, seed)
            advance(f"measured on {full_name(task)}")
    settings = replace(
        source_settings(predictor, sources, seed), learner=learner.settings(), held_out=measured
    )
    write_weights(out, learner.tensors(), settings)
    shutil.rmtree(own, ignore_errors=True)
    return MetaTrainingRecord(
        tasks=tuple(full_name(task) for task in sources),
        labels=settings.labels,
        seconds=time.perf_counter() - started,
        held_out=measured,
    )


def source_settings(predictor: str, sources: Sequence[TabularTask], seed: int = 0) -> Settings:
    """The settings of weights, which are known before training."""
    return Settings(
        predictor=predictor,
        tasks=tuple(source_task(task) for task in sources),
        operations=tuple(sorted(set().union(*(space_operations(task.space) for task in sources)))),
        seed=seed,
        created=int(time.time()),
        program=__version__,
    )


def _check_writable(out: Path) -> None:
    """Raise what `write_weights` would raise, before anything is trained."""
    if out.is_dir():
        raise InvalidArgumentError(f"out must be a file, and {os.fspath(out)!r} is a folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try_to_write(out.parent)
    except OSError as error:
        raise cannot_write(out, error, "the weights") from error


def _measure(learner: MetaPredictor, task: TabularTask, seed: int) -> dict[str, float]:
    """Kendall tau on the rows outside a random support, by its size."""
    found = {}
    for labels in HELD_OUT_LABELS:
        if labels >= len(task):
            break
        taus = []
        for repetition in range(_REPETITIONS if labels else 1):
            order = np.random.default_rng([seed, labels, repetition]).permutation(len(task))
            model = Adapted(learner.described(task.descriptor), task.space)
            if labels:
                model.fit(task.data(order[:labels]))
            rest = np.sort(order[labels:])
            prediction = model.predict(task.choices[rest])
            taus.append(metrics.kendall_tau(prediction.mean, task.values[rest]))
        found[str(labels)] = float(np.mean(taus))
    return found


def space_operations(space: SearchSpace) -> set[int]:
    """Numbers of the operations that compute something in a space, in `OPERATIONS`."""
    some = space.sample_choices(np.random.default_rng(0), _LOOKED_AT)
    return set(np.unique(space.graphs(space.keys(some)).op).tolist()) - STRUCTURAL_OPERATIONS


def learns_from_others(name: str | None) -> bool:
    """Whether a registered name stands, or may stand, for a meta-learner, which needs sources.

    Raises:
        UnknownNameError: If there is no such predictor.
    """
    if name == AUTO:
        return True
    if name is None or name.endswith(SUFFIX):
        return False
    kind = load("predictor", name)
    return isinstance(kind, type) and issubclass(kind, MetaPredictor)


def meta_class(name: str) -> type[MetaPredictor]:
    """The class of a registered meta-learner.

    Raises:
        UnknownNameError: If there is no such predictor.
        InvalidArgumentError: If it learns from one task alone.
    """
    if not learns_from_others(name):
        raise InvalidArgumentError(
            f"predictor {name!r} learns from one task alone; take one that learns from others, "
            "for example meta-gnn"
        )
    kind: type[MetaPredictor] = load("predictor", name)
    return kind
