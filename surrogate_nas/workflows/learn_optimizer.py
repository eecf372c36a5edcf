"""Learns an optimiser from real trainings, and writes its file."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import IntArray, Progress
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.progress import as_progress
from surrogate_nas.records import MetaTrainingRecord
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.files import KIND, read_optimizer, write_optimizer
from surrogate_nas.training.optimisers.meta_training import (
    RANDOM,
    MetaTraining,
    meta_train_optimizer,
)

_GOOD = 0.25  # the share of a search's networks to learn from
_FEWEST = 10


def learn_optimizer(
    space: SearchSpace,
    sources: Mapping[str, TrainingObjective],
    *,
    out: str | os.PathLike[str],
    architectures: Sequence[str] = (RANDOM,),
    start: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    minutes: float | None = None,
    progress: Progress | bool = False,
    **options: Any,
) -> MetaTrainingRecord:
    """Learn an optimiser, and write it; the same call goes on where one was stopped.

    Args:
        space: Of the networks.
        sources: The trainings of each data set by its name.
        out: The file, which ends in ``.safetensors``; a checkpoint is beside it meanwhile.
        architectures: ``random``, or stores of searches, whose best quarters are learnt from.
        start: The file of an optimiser of the same form to start from, or None.
        workers: Processes; None for one a core or GPU.
        minutes: Ends the meta-training early.
        progress: Shows the generations; True for a bar, also in a notebook.
        options: Further arguments of `MetaTraining`.

    Raises:
        SurrogateNASError: If an argument is out of range, a training fails, or a file cannot be
            read or written.
    """
    started, path = time.perf_counter(), Path(out)
    KIND.check_suffix(path)
    plan = MetaTraining(
        space,
        sources,
        choices=_choices(space, architectures),
        origin=", ".join(architectures),
        start=None if start is None else read_optimizer(start).numbers,
        **options,
    )
    checkpoint = path.with_name(f"{path.name}.checkpoint")
    with as_progress(progress)(f"learn {path.name}", plan.generations) as advance:
        rule, done = meta_train_optimizer(
            plan, workers=workers, minutes=minutes, checkpoint=checkpoint, on_step=advance
        )
    write_optimizer(path, rule)
    checkpoint.unlink(missing_ok=True)
    return MetaTrainingRecord(
        tasks=tuple(sources),
        labels=sum(generation.trainings for generation in done),
        seconds=time.perf_counter() - started,
        held_out={},
    )


def _choices(space: SearchSpace, architectures: Sequence[str]) -> IntArray | None:
    if tuple(architectures) == (RANDOM,):
        return None
    if not architectures or RANDOM in architectures:
        raise InvalidArgumentError(
            f"architectures must be {RANDOM!r} or stores of searches, got {list(architectures)}"
        )
    return np.concatenate([good_choices(space, name) for name in architectures])


def good_choices(space: SearchSpace, name: str) -> IntArray:
    """The best quarter of what a search measured, at least 10, each network once.

    Args:
        space: Of the networks.
        name: The store of the search.

    Returns:
        int16 (n, decisions), the best first.

    Raises:
        SurrogateNASError: If it holds no search of the space, or none that found anything.
    """
    from surrogate_nas.store import open_storage, read_study

    study = read_study(open_storage(name, new=False))
    if study.space.identity != space.identity:
        raise InvalidArgumentError(
            f"architectures must be of the space {space.name!r}, and the search in {name!r} is of "
            f"{study.space.name!r}"
        )
    best: dict[tuple[int, ...], float] = {}
    for trial in study.trials:
        if trial.value is not None:
            key = space.canonical(trial.arch).choices
            best[key] = max(best.get(key, -math.inf), trial.value)
    if not best:
        raise InvalidArgumentError(f"the search in {name!r} has no trial that succeeded")
    ordered = sorted(best, key=lambda choices: -best[choices])
    kept = max(math.ceil(_GOOD * len(ordered)), _FEWEST)
    return np.array(ordered[:kept], dtype=np.int16)
