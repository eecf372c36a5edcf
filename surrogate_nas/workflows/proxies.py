"""Zero-cost proxies for searches and measurements: names, readers and networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from surrogate_nas._types import Progress
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.folders import cache_folder
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.progress import as_progress, when_needed
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.training.proxies.table import ProxyTable
from surrogate_nas.transfer import PredictorChoice

if TYPE_CHECKING:
    from surrogate_nas.training.objective import TrainingObjective


def method_proxies(
    proxies: Sequence[str] | None, method: Method, guide: PredictorChoice | None
) -> tuple[str, ...]:
    """The proxies that a search method reads.

    Args:
        proxies: Those that were asked for, or None.
        method: ``proxy:naswot`` reads naswot, which its predictor sees, too.
        guide: The predictor; None for the searcher's default, if it has one.
    """
    if method.features:
        return tuple(dict.fromkeys([*(proxies or ()), *method.features]))
    if guide is None and method.own_guide is not None:
        guide = PredictorChoice(method.own_guide)
    reads = guide is not None and guide.reads_features
    return tuple(proxies) if proxies is not None and reads else ()


def search_proxies(
    proxies: Sequence[str] | None,
    method: Method,
    guide: PredictorChoice | None,
    space: SearchSpace,
    training: TrainingObjective | None,
    progress: Progress | bool = False,
) -> ProxyTable | None:
    """The proxies that a search reads, or None if it reads none.

    Args:
        proxies: Those that were asked for, or None.
        method: The search method.
        guide: The predictor.
        space: The space that is searched.
        training: Builds the networks; None if no proxies are read.
        progress: See `all_proxies`.

    Raises:
        InvalidArgumentError: If there are proxies that nothing reads.
    """
    found = method_proxies(proxies, method, guide)
    if proxies is not None and not found:
        raise unread(f"the searcher {method.name}" + (f" with {guide.name}" if guide else ""))
    if not found or training is None:
        return None
    return all_proxies(space, training, found, progress=progress)


def unread(method: str) -> InvalidArgumentError:
    """The error of proxies that nothing reads."""
    return InvalidArgumentError(
        f"--proxies are for the searcher proxy and for the predictors gp, blend, xgboost and "
        f"forest, got {method}; leave them out"
    )


def all_proxies(
    space: SearchSpace,
    training: TrainingObjective,
    names: Sequence[str],
    *,
    workers: int | None = None,
    progress: Progress | bool = False,
) -> ProxyTable:
    """Proxies of all architectures of a space; they are computed once and kept in the cache.

    Args:
        space: One that can be listed.
        training: Builds the networks and names their images.
        names: Of `surrogate_nas.training.proxies.values.PROXIES`.
        workers: Processes; None for all cores.
        progress: Shows how many are computed; True for bars, also in a notebook.

    Raises:
        SurrogateNASError: See `surrogate_nas.training.proxies.memory.ProxyMemory`.
    """
    from surrogate_nas.training.proxies.memory import ProxyMemory

    memory = ProxyMemory(space, training, names, cache_folder() / "proxies")
    with when_needed(as_progress(progress), "proxies") as advance:
        memory.fill(workers=workers, on_step=advance)
    return memory.table()


def task_proxies(
    task: TabularTask,
    names: Sequence[str],
    *,
    dataset: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress | bool = False,
) -> ProxyTable:
    """Proxies of all architectures of a task, with the networks and images that it records.

    Args:
        task: Of a table.
        names: See `all_proxies`.
        dataset: The images, if the task records no trainings.
        data_dir: Folder of the data set's files.
        workers: See `all_proxies`.
        progress: See `all_proxies`.

    Raises:
        InvalidArgumentError: If the task records no trainings and ``dataset`` is None.
        SurrogateNASError: See `surrogate_nas.training.plan.plan_training` and `all_proxies`.
    """
    from surrogate_nas.training.plan import plan_training

    if dataset is None and task.training is None:
        raise InvalidArgumentError(
            f"the table of {task.name!r} does not record how its architectures were trained, and "
            "proxies need networks and images; name the images with --dataset (and --data-dir)"
        )
    training, _ = plan_training(
        task.space, task.training, dataset=dataset, data_dir=data_dir, epochs=1
    )
    return all_proxies(task.space, training, names, workers=workers, progress=progress)
