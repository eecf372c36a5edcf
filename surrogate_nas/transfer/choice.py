"""Chooses a predictor for a task: meta-trained on sources, or with installed weights."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import shlex
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surrogate_nas._types import Progress
from surrogate_nas._version import RESULTS
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import table_of
from surrogate_nas.benchmarks.combined import parts_of, weighted_metrics
from surrogate_nas.benchmarks.folders import cache_folder, weights_folder
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.predictors.base import Adapted, MetaPredictor, Predictor
from surrogate_nas.predictors.meta.several_tasks import SeveralTasks
from surrogate_nas.predictors.meta.weights import (
    SHIPPED,
    Settings,
    installed_weights,
    read_settings,
    read_weights,
)
from surrogate_nas.registry import load
from surrogate_nas.searchers.method import AUTO
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import OPERATION_IDS
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.transfer.meta_training import (
    learns_from_others,
    meta_class,
    meta_train,
    source_settings,
    space_operations,
)
from surrogate_nas.transfer.suites import different, full_name, opened_tasks, same_task, suite_tasks

_LOG = logging.getLogger(__name__)

_LEARNER = "meta-gnn"


_ALONE = "gp"


@dataclass(frozen=True, slots=True)
class PredictorChoice:
    """The predictor that was chosen for a task; it can be sent to other processes.

    Attributes:
        name: As it was asked for, a registered name or a file of weights; what `AUTO` means.
        weights: The file, absolute, or None for a predictor that learns from the task alone.
        digest: Hash of the file's content, or None.
        source_evaluations: Number of values of other tasks that the weights were trained on.
        parts: Metrics of the tasks whose weighted mean is predicted, and their weights, negative
            where less is better; none of a single task.
        descriptor: Numbers that describe the task; none where they are unknown.
    """

    name: str
    weights: str | None = None
    digest: str | None = None
    source_evaluations: int = 0
    parts: tuple[tuple[str, float], ...] = ()
    descriptor: tuple[tuple[str, float], ...] = ()

    @property
    def identity(self) -> str | None:
        """Of what it knows before it learns from the task: the weights, and the descriptor."""
        if self.digest is None or not self.descriptor:
            return self.digest
        described = json.dumps(sorted(self.descriptor)).encode()
        return f"{self.digest}-{hashlib.sha256(described).hexdigest()[:8]}"

    @property
    def learnt(self) -> str | None:
        """The weights, for people to read; None if it learns from the task alone."""
        if self.weights is None:
            return None
        return (
            f"{Path(self.weights).name}, which learnt from {self.source_evaluations:,} values of "
            "other tasks"
        )

    @property
    def reads_features(self) -> bool:
        """Whether it learns from `TaskData.features`, too."""
        return self.weights is None and load("predictor", self.name).reads_features is True

    def make(self, space: SearchSpace, seed: int) -> Predictor:
        """A new predictor for a space."""
        if self.weights is None:
            predictor: Predictor = load("predictor", self.name)(seed=seed)
            return predictor
        learner = _learner(self.weights, self.digest)
        if not self.parts:
            return Adapted(learner.described(dict(self.descriptor) or None), space)
        metrics, weights = zip(*self.parts, strict=True)
        return SeveralTasks(learner, space, metrics, weights)


@functools.lru_cache(maxsize=4)
def _learner(path: str, digest: str | None) -> MetaPredictor:
    """The content of a file of weights; the digest detects a file that was replaced."""
    tensors, settings = read_weights(path)
    kind = meta_class(settings.predictor)
    try:
        return kind.restored(tensors, settings.for_learner())
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        raise FormatError(
            f"{path} does not hold the weights of a {settings.predictor} ({error}); train them "
            "again with 'surrogate-nas meta-train'"
        ) from error


def choose_predictor(
    name: str,
    task: TabularTask,
    *,
    sources: str | None = None,
    leave_one_out: bool = False,
    workers: int | None = None,
    checkpoint: Path | None = None,
    progress: Progress | bool = False,
) -> PredictorChoice:
    """Choose a predictor for a task that it has never seen.

    A meta-learner is trained on the sources, once, and its weights are kept in the cache. Without
    sources it uses installed weights that were not trained on the task. The newest weights of its
    space come first, then weights of other spaces that have most of its operations, the ones with
    the most labels first.

    Args:
        name: A registered name, a file of weights, or `AUTO`: meta-gnn trained on the sources,
            if any are given, else with installed weights of the task's space, else gp.
        task: What will be searched or predicted.
        sources: A suite, see `suite_tasks`, without the task itself and tasks of its name in its
            space.
        leave_one_out: Whether all other tasks of the task's benchmark are the sources.
        workers: Processes of a meta-training; None for all cores.
        checkpoint: See `surrogate_nas.transfer.meta_train`.
        progress: Shows a meta-training; True for a bar, also in a notebook.

    Raises:
        UnknownNameError: If there is no such predictor, benchmark or task.
        InvalidArgumentError: If sources are given to a predictor that learns from the task alone,
            or a file's weights saw the task.
        FormatError: If a file is damaged, or of another version or space.
    """
    found = _chosen(
        name,
        task,
        sources=sources,
        leave_one_out=leave_one_out,
        workers=workers,
        checkpoint=checkpoint,
        progress=progress,
    )
    if found.weights is None:
        return found
    described = tuple((task.descriptor or {}).items())
    return replace(found, parts=weighted_metrics(task), descriptor=described)


def _chosen(
    name: str,
    task: TabularTask,
    *,
    sources: str | None,
    leave_one_out: bool,
    workers: int | None,
    checkpoint: Path | None,
    progress: Progress | bool,
) -> PredictorChoice:
    if sources is not None and leave_one_out:
        raise InvalidArgumentError("sources and leave_one_out exclude each other; give one")
    given = sources is not None or leave_one_out
    if name.endswith(SUFFIX):
        if given:
            raise InvalidArgumentError(f"the weights {name} have their sources; give no others")
        return _of_file(name, task)
    if name == AUTO:
        if not given:
            return _automatic(task.space, lambda settings: _saw(settings, task))
        name = _LEARNER
    if not learns_from_others(name):
        if given:
            meta_class(name)  # raises
        return PredictorChoice(name)
    if given:
        learnt, settings = _serving(name, task, sources)
        _tell_unseen("the sources", settings, task.space)
        path = _kept(name, learnt)
        if not _is_whole(path):
            meta_train(
                learnt,
                predictor=name,
                out=path,
                workers=workers,
                checkpoint=checkpoint,
                progress=progress,
            )
        return _choice(name, path, read_settings(path))
    return _installed(name, task)


def missing_weights(name: str, task: TabularTask, *, sources: str | None) -> Path | None:
    """The file that `choose_predictor` would have to make first, if it is not there.

    Args:
        name: A meta-learner, or `AUTO`.
        task: See `choose_predictor`.
        sources: A suite; None for all other tasks of the task's benchmark.

    Raises:
        UnknownNameError, InvalidArgumentError: See `choose_predictor`.
    """
    name = _LEARNER if name == AUTO else name
    path = _kept(name, _serving(name, task, sources)[0])
    return None if _is_whole(path) else path


def choose_for_training(
    name: str, space: SearchSpace, dataset: str | Sequence[str]
) -> PredictorChoice:
    """Choose a predictor that guides a search by real training.

    Args:
        name: A registered name of one that learns from the task alone, a file of weights, or
            `AUTO`: meta-gnn with installed weights of the space that saw no task of the data
            set's name, else gp.
        space: The space that is searched.
        dataset: The data set of the trainings, or several.

    Raises:
        UnknownNameError: If there is no such predictor.
        InvalidArgumentError: If a meta-learner is named without a file.
        FormatError: If a file is damaged, or of another version or space.
    """
    if name.endswith(SUFFIX):
        settings = read_settings(name)
        if not _serves(settings, space):
            raise FormatError(
                f"the weights {name} are for {', '.join(settings.spaces)}, and the search is in "
                f"the space {space.name}"
            )
        _tell_unseen(f"the weights {name}", settings, space)
        return _choice(name, Path(name), settings)
    if name == AUTO:
        names = [dataset] if isinstance(dataset, str) else dataset
        return _automatic(space, lambda settings: any(settings.saw(space, one) for one in names))
    if learns_from_others(name):
        raise InvalidArgumentError(
            f"predictor {name!r} learns from other tasks; for a search by training name the file "
            f"of its weights (meta-train writes one), or a predictor such as xgboost"
        )
    return PredictorChoice(name)


def _sources(task: TabularTask, sources: str | None) -> list[TabularTask]:
    suite = (
        different(opened_tasks(table_of(parts_of(task)[0])))
        if sources is None
        else suite_tasks(sources)
    )
    parts = parts_of(task)
    found = [source for source in suite if not any(same_task(source, part) for part in parts)]
    if not found:
        raise InvalidArgumentError(
            f"the sources must have another task than the searched one, {full_name(task)}"
        )
    return found


def _of_file(name: str, task: TabularTask) -> PredictorChoice:
    settings = read_settings(name)
    if not _serves(settings, task.space):
        raise FormatError(f"the weights {name} {_of_others(settings, task)}")
    if _saw(settings, task):
        raise InvalidArgumentError(
            f"the weights {name} were trained on {full_name(task)} itself; train others with: "
            f"{_repair(settings.predictor, task)}"
        )
    _tell_unseen(f"the weights {name}", settings, task.space)
    return _choice(name, Path(name), settings)


def _of_others(settings: Settings, task: TabularTask) -> str:
    return (
        f"are for {', '.join(settings.spaces)}, and {full_name(task)} is of the space "
        f"{task.space.identity}"
    )


def _serves(settings: Settings, space: SearchSpace) -> bool:
    """Whether weights were trained on a space, or on most of its operations."""
    if settings.of_space(space):
        return True
    operations = space_operations(space)
    known = operations & set(settings.operations) - {OPERATION_IDS["unknown"]}
    return meta_class(settings.predictor).any_space and 2 * len(known) > len(operations)


def _tell_unseen(what: str, settings: Settings, space: SearchSpace) -> None:
    """Warn of decisions whose options weights of other spaces cannot distinguish."""
    if settings.of_space(space):
        return
    from surrogate_nas.predictors.meta.unseen_space import unseen_decisions  # loads torch

    unseen = unseen_decisions(space, settings.operations)
    if unseen:
        warnings.warn(
            f"{what} know other spaces ({', '.join(settings.spaces)}) and cannot tell all options "
            f"of {', '.join(unseen)} apart in {space.name}; what these are worth is learned from "
            "this task's own labels, so meta-train on tasks of this space if there are some",
            stacklevel=3,
        )


def _saw(settings: Settings, task: TabularTask) -> bool:
    return any(settings.saw(part.space, part.name, part.fingerprints) for part in parts_of(task))


def _choice(name: str, path: Path, settings: Settings) -> PredictorChoice:
    path = path.resolve()
    _LOG.info("the predictor %s has the weights %s", name, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return PredictorChoice(name, os.fspath(path), digest, settings.labels)


def _automatic(space: SearchSpace, saw: Callable[[Settings], bool]) -> PredictorChoice:
    for path, settings in installed_weights(_LEARNER, [weights_folder(), SHIPPED]):
        if settings.of_space(space) and not saw(settings):
            return _choice(_LEARNER, path, settings)
    return PredictorChoice(_ALONE)


def _installed(name: str, task: TabularTask) -> PredictorChoice:
    found = [
        (path, settings)
        for path, settings in installed_weights(name, [weights_folder(), SHIPPED])
        if _serves(settings, task.space) and not _saw(settings, task)
    ]
    of_space = [item for item in found if item[1].of_space(task.space)]
    of_others = sorted(found, key=lambda item: -item[1].labels)
    for path, settings in [*of_space, *of_others]:
        _tell_unseen(f"the weights {path.name}", settings, task.space)
        return _choice(name, path, settings)
    raise InvalidArgumentError(
        f"no installed weights of {name} serve the space {task.space.name} and never saw "
        f"{full_name(task)}; name other tasks with --sources or --leave-one-out, or train some: "
        f"{_repair(name, task)}"
    )


def _repair(name: str, task: TabularTask) -> str:
    extra = "" if name == "meta-gnn" else f" --predictor {name}"
    return (
        f"surrogate-nas meta-train --suite {shlex.quote(table_of(task))} --holdout "
        f"{task.name}{extra} --out {weights_folder() / (task.name + SUFFIX)}"
    )


def _serving(
    name: str, task: TabularTask, sources: str | None
) -> tuple[list[TabularTask], Settings]:
    """The sources for a task, and what a file of weights would tell about them."""
    learnt = _sources(task, sources)
    settings = source_settings(name, learnt)
    if not _serves(settings, task.space):
        raise InvalidArgumentError(f"the sources {_of_others(settings, task)}")
    return learnt, settings


def _kept(name: str, sources: Sequence[TabularTask]) -> Path:
    """The file of the cache for weights that are trained on sources."""
    known: list[object] = [name, RESULTS, [task.fingerprint for task in sources]]
    if all(task.descriptor for task in sources):
        known.append([task.descriptor for task in sources])
    identity = json.dumps(known, sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:24]
    return cache_folder() / "weights" / f"{name}-{digest}{SUFFIX}"


def _is_whole(path: Path) -> bool:
    try:
        read_settings(path)
    except (InvalidArgumentError, FormatError):  # missing, or incomplete as a disk was full
        return False
    return True
