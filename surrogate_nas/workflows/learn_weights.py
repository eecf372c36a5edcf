"""Learns starting weights from real trainings, and writes their file."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surrogate_nas._types import Progress
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.files import cannot_write, try_to_write
from surrogate_nas.progress import as_progress
from surrogate_nas.records import MetaTrainingRecord
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.training.initial.files import KIND, write_weights
from surrogate_nas.training.initial.learning import Reptile, learn_weights
from surrogate_nas.training.initial.sources import SourceData


def learn_weights_file(
    space: SearchSpace,
    sources: Sequence[SourceData],
    how: Reptile | None = None,
    *,
    out: str | os.PathLike[str],
    held_out: int = 0,
    minutes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | bool = False,
) -> MetaTrainingRecord:
    """Learn starting weights, and write them.

    Args:
        space: Of the networks.
        sources: What is learnt from.
        how: See `learn_weights`, also for the further arguments.
        out: The file, which ends in ``.safetensors``.
        held_out: Number of architectures that are never trained, drawn with the seed.
        minutes: Ends it early.
        seed: Of everything that is drawn.
        device: As for a training.
        progress: Shows the trainings; True for a bar, also in a notebook.

    Raises:
        SurrogateNASError: If an argument is out of range, a training fails, or the file cannot be
            written.
    """
    started, path = time.perf_counter(), Path(out)
    KIND.check_suffix(path)
    try:
        try_to_write(path.parent)
    except OSError as error:
        raise cannot_write(path, error, f"the {KIND.what}") from error
    how = how or Reptile()
    with as_progress(progress)(f"learn {path.name}", how.trainings) as advance:
        weights = learn_weights(
            space,
            sources,
            how,
            held_out=_drawn(space, held_out, seed),
            minutes=minutes,
            seed=seed,
            device=device,
            on_step=advance,
        )
    write_weights(path, weights)
    return MetaTrainingRecord(
        tasks=tuple(source.dataset.name for source in sources),
        labels=weights.provenance.trainings,
        seconds=time.perf_counter() - started,
        held_out={},
    )


def _drawn(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Different architectures."""
    if space.countable and 2 * count > space.size:
        raise InvalidArgumentError(
            f"held_out must be at most half of the {space.size:,} architectures, got {count}"
        )
    rng = np.random.default_rng(seed)
    found: dict[object, Architecture] = {}
    while len(found) < count:
        arch = space.sample(rng)
        found.setdefault(space.key(arch), arch)
    return list(found.values())
