"""Trains a sample of a space, a part of it where searches go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray, OnStep, Progress, silent
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.workflows.build import Built, Task, build, choose
from surrogate_nas.workflows.sampling import Sampling, check_sampling, sample

_EARLIER = "was there"


def build_sampled(
    space: SearchSpace,
    tasks: Mapping[str, Task],
    *,
    out: str | os.PathLike[str],
    count: int | None,
    how: Sampling,
    seed: int = 0,
    progress: Progress | bool = False,
    on_round: OnStep = silent,
    **options: Any,
) -> Built:
    """As `surrogate_nas.workflows.build.build`, of architectures that searches choose.

    Each round of the searches is trained at once. The same call goes on where it was stopped, as
    the searches are repeated from the log. The table says how each row was found.

    Args:
        space: The space.
        tasks: The table's tasks by name; searches go after each.
        out: The table.
        count: How many architectures at most.
        how: See `surrogate_nas.workflows.sampling.sample`.
        seed: Of the sample.
        progress: Shows the trainings, each once; True for a bar, also in a notebook.
        on_round: Called with a text for each round.
        options: Further arguments of `build`.

    Raises:
        InvalidArgumentError: If the number is missing.
        SurrogateNASError: See `build`.
    """
    if count is None:
        raise InvalidArgumentError(f"a sample by {how} needs the number of rows; give it --count")
    check_sampling(how, count)
    made: list[Built] = []
    parts = count * len(tasks) * options.get("seeds", 1)
    with as_progress(progress)(f"build {os.path.basename(out)}", parts) as advance:
        shown = _Rounds(advance)

        def measure(choices: IntArray, found_by: Sequence[str]) -> FloatArray:
            made.append(
                build(space, tasks, choices, out=out, found_by=found_by, progress=shown, **options)
            )
            table = HDF5Benchmark(out)
            return np.stack([table.task(name).lookup(choices) for name in tasks])

        sample(
            space.with_isomorphs("merged"),
            measure,
            lambda n: choose(space, n, seed),
            how=how,
            count=count,
            seed=seed,
            on_step=on_round,
        )
    trained, seconds = sum(b.trained for b in made), sum(b.seconds for b in made)
    return replace(made[-1], trained=trained, seconds=seconds)


class _Rounds:
    """Shows each training once, though each round begins with those of the earlier ones."""

    def __init__(self, advance: OnStep) -> None:
        self._advance = advance
        self._told = 0

    @contextmanager
    def __call__(self, label: str, total: int) -> Iterator[OnStep]:
        steps = 0

        def step(text: str) -> None:
            nonlocal steps
            steps += 1
            if text != _EARLIER or steps > self._told:
                self._advance(text)

        yield step
        self._told = steps
