"""Meta-trains the weights of several tasks at once, which share what they have in common."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import kept_task
from surrogate_nas.parallel import cores, each
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import Isomorphs
from surrogate_nas.transfer.choice import choose_predictor, missing_weights


@dataclass(frozen=True, slots=True)
class WantedWeights:
    """What `choose_predictor` will be asked for; it can be sent to other processes.

    Attributes:
        predictor: Name of a meta-learner.
        benchmark: A registered name or the path of a table.
        task: Name of the task.
        isomorphs: See `TabularTask`.
        fingerprint: Of the task.
        sources: A suite; None for all other tasks of the benchmark.
    """

    predictor: str
    benchmark: str
    task: str
    isomorphs: Isomorphs
    fingerprint: str
    sources: str | None


def train_ahead(
    wanted: Sequence[WantedWeights],
    *,
    workers: int | None = None,
    progress: Progress | bool = False,
) -> None:
    """Meta-train what is wanted and missing, a process for each task, and keep it in the cache.

    The encoder without two tasks is trained once, and used for either. Alone, each training would
    use all processes for its encoders, but one for its kernels, and start new processes.

    Args:
        wanted: One for each task and meta-learner.
        workers: Processes; None for all cores.
        progress: Shows the tasks that are done; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: See `choose_predictor`.
    """
    files = {one: missing_weights(one.predictor, _task(one), sources=one.sources) for one in wanted}
    missing = [one for one, file in files.items() if file is not None]
    if len(missing) < 2:
        return
    workers = workers or cores()
    folder = next(file for file in files.values() if file is not None).parent
    digest = hashlib.sha256(repr(sorted(map(astuple, wanted), key=repr)).encode()).hexdigest()
    shared = folder / f"{digest[:24]}.checkpoint"
    train = partial(_train, max(workers // len(missing), 1), shared)
    label = f"meta-train {', '.join(dict.fromkeys(one.predictor for one in missing))}"
    with as_progress(progress)(label, len(missing)) as advance:
        for position, _ in each(train, missing, workers=workers):
            advance(f"for {missing[position].task}")
    shutil.rmtree(shared, ignore_errors=True)


def _train(workers: int, shared: Path, one: WantedWeights) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told when the weights are used
        choose_predictor(
            one.predictor,
            _task(one),
            sources=one.sources,
            leave_one_out=one.sources is None,
            workers=workers,
            checkpoint=shared,
        )


def _task(one: WantedWeights) -> TabularTask:
    return kept_task(one.benchmark, one.task, one.isomorphs, one.fingerprint)
