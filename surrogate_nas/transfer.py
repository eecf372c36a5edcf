"""Predictors that learnt from other tasks: which tasks, trained or found, and never the searched.

A suite of tasks is written ``B:task,…;B2``: benchmarks by name or path, with all or some tasks.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas import __version__
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark, table_of
from surrogate_nas.benchmarks.folders import cache_folder, weights_folder
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.predictors import metrics
from surrogate_nas.predictors.base import Adapted, MetaPredictor, Predictor
from surrogate_nas.predictors.weights import (
    SHIPPED,
    SUFFIX,
    Settings,
    SourceTask,
    cannot_write,
    installed_weights,
    read_settings,
    read_weights,
    write_weights,
)
from surrogate_nas.registry import load
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import STRUCTURAL_OPERATIONS

Step = Callable[[str], None]

AUTO = "auto"
"""The name that means `_LEARNER` where weights of the space never saw the task, else `_ALONE`."""
_LEARNER = "meta-gnn"
_ALONE = "gp"
HELD_OUT_LABELS = (0, 5, 20, 100)
"""Support sizes at which `meta_train` measures held-out tasks."""
_REPETITIONS = 5
_LOOKED_AT = 500  # architectures that show the operations of a space


def _silent(text: str) -> None:
    pass


def suite_tasks(suite: str) -> list[TabularTask]:
    """Open the tasks of a suite, ``B[:task,…][;B2…]``.

    Raises:
        UnknownNameError: If there is no such benchmark or task.
        InvalidArgumentError: If the text is no suite, or names the same measurements twice.
    """
    found: list[TabularTask] = []
    for part in suite.split(";"):
        name, tasks = _parse(part)
        found += _opened(name, tasks)
    return _different(found)


def _opened(name: str, tasks: Sequence[str] = ()) -> list[TabularTask]:
    benchmark = open_benchmark(name)
    return [benchmark.task(task) for task in tasks or benchmark.tasks]


def _different(found: list[TabularTask]) -> list[TabularTask]:
    by_fingerprint: dict[str, TabularTask] = {}
    for task in found:
        before = by_fingerprint.setdefault(task.fingerprint, task)
        if before is not task:
            raise InvalidArgumentError(
                f"a suite must have different tasks, but {_full(before)} and {_full(task)} are "
                "the same measurements; leave one out"
            )
    return found


def _parse(part: str) -> tuple[str, list[str]]:
    name, colon, listed = part.strip().rpartition(":")
    # The drive of a Windows path has a colon, too, and a folder behind it.
    if not colon or listed.startswith(("/", "\\")):
        name, listed = part.strip(), ""
    tasks = [task.strip() for task in listed.split(",")] if colon and listed else []
    if not name or not all(tasks) or (colon and not listed):
        raise InvalidArgumentError(
            f"a suite must be BENCHMARK[:TASK,…][;BENCHMARK2…], got {part!r}"
        )
    return name, tasks


def held_out_tasks(suite: str, names: Sequence[str]) -> list[TabularTask]:
    """Tasks of a suite's benchmarks, written ``TASK`` or ``BENCHMARK/TASK``.

    Raises:
        UnknownNameError: If none of the benchmarks has such a task.
        InvalidArgumentError: If several have.
    """
    parts = dict.fromkeys(_parse(part)[0] for part in suite.split(";"))
    benchmarks = [open_benchmark(part) for part in parts]
    known = {
        name: [
            (b, task) for b in benchmarks for task in b.tasks if name in (task, f"{b.name}/{task}")
        ]
        for name in names
    }
    for name, found in known.items():
        if not found:
            raise UnknownNameError("task", name, [t for b in benchmarks for t in b.tasks])
        if len(found) > 1:
            listed = ", ".join(f"{b.name}/{task}" for b, task in found)
            raise InvalidArgumentError(f"held-out task {name!r} is one of {listed}; name it so")
    once = dict.fromkeys(found[0] for found in known.values())
    return [benchmark.task(task) for benchmark, task in once]


def _full(task: TabularTask) -> str:
    return f"{task.benchmark}/{task.name}"


def meta_train(
    tasks: Sequence[TabularTask],
    *,
    predictor: str = "meta-gnn",
    holdout: Sequence[TabularTask] = (),
    out: str | os.PathLike[str],
    seed: int = 0,
    workers: int | None = None,
    on_step: Step = _silent,
) -> dict[str, Any]:
    """Meta-train on tasks, measure on others, and keep the weights in a file.

    A run that was stopped goes on where it was when it is started again with the same arguments.

    Args:
        tasks: What to learn from.
        predictor: A registered meta-learner.
        holdout: Tasks that are measured only; those among ``tasks`` are left out there, as is
            what has the name of one in the same space.
        out: The file, ``.safetensors``.
        seed: Of all randomness.
        workers: Processes; None for all cores.
        on_step: Called with a text for each part of the work that is done.

    Returns:
        ``tasks``, ``labels``, ``seconds``, and ``held_out``, Kendall tau by task and number of
        labels.

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
    kind = _meta_class(predictor)
    sources = [task for task in tasks if not any(_same(task, held) for held in holdout)]
    if not sources:
        raise InvalidArgumentError("no task is left to learn from; hold fewer out")
    checkpoint = out.with_name(f"{out.stem}.checkpoint")
    learner = kind(seed=seed, workers=workers, checkpoint=checkpoint, on_step=on_step)
    learner.meta_fit([task.data() for task in sources])
    measured = {}
    for task in holdout:
        measured[_full(task)] = _measure(learner, task, seed)
        on_step(f"measured on {_full(task)}")
    settings = replace(
        _settings(predictor, sources, seed), learner=learner.settings(), held_out=measured
    )
    write_weights(out, learner.tensors(), settings)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return {
        "tasks": [_full(task) for task in sources],
        "labels": settings.labels,
        "seconds": time.perf_counter() - started,
        "held_out": measured,
    }


def _settings(predictor: str, sources: Sequence[TabularTask], seed: int = 0) -> Settings:
    """What is known of weights without training them."""
    return Settings(
        predictor=predictor,
        tasks=tuple(_source(task) for task in sources),
        operations=tuple(sorted(set().union(*(_operations(task.space) for task in sources)))),
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
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise cannot_write(out, error) from error


def _measure(learner: MetaPredictor, task: TabularTask, seed: int) -> dict[str, float]:
    """Kendall tau on the rows outside a random support, by its size."""
    found = {}
    for labels in HELD_OUT_LABELS:
        if labels >= len(task):
            break
        taus = []
        for repetition in range(_REPETITIONS if labels else 1):
            order = np.random.default_rng([seed, labels, repetition]).permutation(len(task))
            model = Adapted(learner, task.space)
            if labels:
                model.fit(task.data(order[:labels]))
            rest = np.sort(order[labels:])
            prediction = model.predict(task.choices[rest])
            taus.append(metrics.kendall_tau(prediction.mean, task.values[rest]))
        found[str(labels)] = float(np.mean(taus))
    return found


def _operations(space: SearchSpace) -> set[int]:
    """Numbers of the operations that compute something in a space, in `OPERATIONS`."""
    some = space.sample_choices(np.random.default_rng(0), _LOOKED_AT)
    return set(np.unique(space.graphs(space.keys(some)).op).tolist()) - STRUCTURAL_OPERATIONS


def _source(task: TabularTask) -> SourceTask:
    return SourceTask(_full(task), task.space.identity, task.fingerprint, len(task))


def learns_from_others(name: str | None) -> bool:
    """Whether a registered name means a meta-learner, which needs sources, or may mean one.

    Raises:
        UnknownNameError: If there is no such predictor.
    """
    if name == AUTO:
        return True
    if name is None or name.endswith(SUFFIX):
        return False
    kind = load("predictor", name)
    return isinstance(kind, type) and issubclass(kind, MetaPredictor)


def _meta_class(name: str) -> type[MetaPredictor]:
    if not learns_from_others(name):
        raise InvalidArgumentError(
            f"predictor {name!r} learns from one task alone; take one that learns from others, "
            "for example meta-gnn"
        )
    kind: type[MetaPredictor] = load("predictor", name)
    return kind


@dataclass(frozen=True, slots=True)
class PredictorChoice:
    """A predictor that was decided on for one task; it may be sent to other processes.

    Attributes:
        name: As it was asked for, a registered name or a file of weights; what `AUTO` means.
        weights: The file, absolute, or None for a predictor that learns from the task alone.
        digest: Hash of the file's content, or None.
        source_evaluations: Number of values of other tasks that the weights were trained on.
    """

    name: str
    weights: str | None = None
    digest: str | None = None
    source_evaluations: int = 0

    @property
    def reads_features(self) -> bool:
        """Whether it learns from `TaskData.features`, too."""
        return self.weights is None and load("predictor", self.name).reads_features is True

    def make(self, space: SearchSpace, seed: int) -> Predictor:
        """A new predictor for a space."""
        if self.weights is None:
            predictor: Predictor = load("predictor", self.name)(seed=seed)
            return predictor
        return Adapted(_learner(self.weights, self.digest), space)


@functools.lru_cache(maxsize=4)
def _learner(path: str, digest: str | None) -> MetaPredictor:
    """What a file holds; the digest tells one that was replaced."""
    tensors, settings = read_weights(path)
    kind = _meta_class(settings.predictor)
    try:
        return kind.restored(tensors, settings.learner)
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
    on_step: Step = _silent,
) -> PredictorChoice:
    """Decide on a predictor for a task that it has never seen.

    A meta-learner is trained on the sources, once, and its weights are kept in the cache. Without
    sources installed weights serve that never saw the task: the newest of its space, or else, of
    those of spaces that have most of its operations, the ones with the most labels.

    Args:
        name: A registered name, a file of weights, or `AUTO`: meta-gnn trained on the sources,
            if any are given, else with installed weights of the task's space, else gp.
        task: What will be searched or predicted.
        sources: A suite, see `suite_tasks`; the task itself is left out, as is what has its name
            in its space.
        leave_one_out: All other tasks of the task's benchmark are the sources.
        on_step: Called with a text for each part of a meta-training that is done.

    Raises:
        UnknownNameError: If there is no such predictor, benchmark or task.
        InvalidArgumentError: If sources are given to a predictor that learns from the task alone,
            or a file's weights saw the task.
        FormatError: If a file is damaged, or of another version or space.
    """
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
            _meta_class(name)  # raises
        return PredictorChoice(name)
    if given:
        learnt = _sources(task, sources)
        settings = _settings(name, learnt)
        if not _serves(settings, task.space):
            raise InvalidArgumentError(f"the sources {_of_others(settings, task)}")
        return _trained(name, learnt, on_step)
    return _installed(name, task)


def choose_for_training(name: str, space: SearchSpace, dataset: str) -> PredictorChoice:
    """Decide on a predictor that guides a search by real training.

    Args:
        name: A registered name of one that learns from the task alone, a file of weights, or
            `AUTO`: meta-gnn with installed weights of the space that saw no task of the data
            set's name, else gp.
        space: Where the search is.
        dataset: What is trained on.

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
        return _choice(name, Path(name), settings)
    if name == AUTO:
        return _automatic(space, lambda settings: settings.saw(space, dataset))
    if learns_from_others(name):
        raise InvalidArgumentError(
            f"predictor {name!r} learns from other tasks; for a search by training name the file "
            f"of its weights (meta-train writes one), or a predictor such as xgboost"
        )
    return PredictorChoice(name)


def _sources(task: TabularTask, sources: str | None) -> list[TabularTask]:
    suite = _different(_opened(table_of(task))) if sources is None else suite_tasks(sources)
    found = [source for source in suite if not _same(source, task)]
    if not found:
        raise InvalidArgumentError(
            f"the sources must have another task than the searched one, {_full(task)}"
        )
    return found


def _of_file(name: str, task: TabularTask) -> PredictorChoice:
    settings = read_settings(name)
    if not _serves(settings, task.space):
        raise FormatError(f"the weights {name} {_of_others(settings, task)}")
    if _saw(settings, task):
        raise InvalidArgumentError(
            f"the weights {name} were trained on {_full(task)} itself; train others with: "
            f"{_repair(settings.predictor, task)}"
        )
    return _choice(name, Path(name), settings)


def _of_others(settings: Settings, task: TabularTask) -> str:
    return (
        f"are for {', '.join(settings.spaces)}, and {_full(task)} is of the space "
        f"{task.space.identity}"
    )


def _serves(settings: Settings, space: SearchSpace) -> bool:
    """Whether weights are of a space, or know most of its operations."""
    if settings.of_space(space):
        return True
    if any(name.partition("#")[0] == space.name for name in settings.spaces):
        return False  # meta-learners tell spaces by their names
    operations = _operations(space)
    known = operations & set(settings.operations)
    return _meta_class(settings.predictor).any_space and 2 * len(known) > len(operations)


def _saw(settings: Settings, task: TabularTask) -> bool:
    return settings.saw(task.space, task.name, task.fingerprints)


def _same(source: TabularTask, task: TabularTask) -> bool:
    return _source(source).same(task.space, task.name, task.fingerprints)


def _choice(name: str, path: Path, settings: Settings) -> PredictorChoice:
    path = path.resolve()
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
        return _choice(name, path, settings)
    raise InvalidArgumentError(
        f"no installed weights of {name} serve the space {task.space.name} and never saw "
        f"{_full(task)}; name other tasks with --sources or --leave-one-out, or train some: "
        f"{_repair(name, task)}"
    )


def _repair(name: str, task: TabularTask) -> str:
    extra = "" if name == "meta-gnn" else f" --predictor {name}"
    return (
        f"surrogate-nas meta-train --suite {shlex.quote(table_of(task))} --holdout "
        f"{task.name}{extra} --out {weights_folder() / (task.name + SUFFIX)}"
    )


def _trained(name: str, sources: Sequence[TabularTask], on_step: Step) -> PredictorChoice:
    identity = json.dumps([name, __version__, [task.fingerprint for task in sources]])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:24]
    path = cache_folder() / "weights" / f"{name}-{digest}{SUFFIX}"
    try:
        settings = read_settings(path)
    except (InvalidArgumentError, FormatError):  # not there, or of a disk that was full
        meta_train(sources, predictor=name, out=path, on_step=on_step)
        settings = read_settings(path)
    return _choice(name, path, settings)
