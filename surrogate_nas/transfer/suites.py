"""Suites of tasks, written ``B:task,…;B2``: benchmarks by name or path, with all or some tasks."""

from __future__ import annotations

from collections.abc import Sequence

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.predictors.meta.weights import (
    SourceTask,
)


def suite_tasks(suite: str) -> list[TabularTask]:
    """Open the tasks of a suite, ``B[:task,…][;B2…]``.

    Raises:
        UnknownNameError: If there is no such benchmark or task.
        InvalidArgumentError: If the text is no suite, or names the same measurements twice.
    """
    found: list[TabularTask] = []
    for part in suite.split(";"):
        name, tasks = _parse(part)
        found += opened_tasks(name, tasks)
    return different(found)


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


def opened_tasks(name: str, tasks: Sequence[str] = ()) -> list[TabularTask]:
    """All or some tasks of a benchmark, opened."""
    benchmark = open_benchmark(name)
    return [benchmark.task(task) for task in tasks or benchmark.tasks]


def different(found: list[TabularTask]) -> list[TabularTask]:
    """Return the tasks.

    Raises:
        InvalidArgumentError: If two are the same measurements.
    """
    by_fingerprint: dict[str, TabularTask] = {}
    for task in found:
        before = by_fingerprint.setdefault(task.fingerprint, task)
        if before is not task:
            raise InvalidArgumentError(
                f"a suite must have different tasks, but {full_name(before)} and "
                f"{full_name(task)} are the same measurements; leave one out"
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


def full_name(task: TabularTask) -> str:
    """The benchmark and the task."""
    return f"{task.benchmark}/{task.name}"


def source_task(task: TabularTask) -> SourceTask:
    """The record of a task in the weights that were trained on it."""
    return SourceTask(full_name(task), task.space.identity, task.fingerprint, len(task))


def same_task(source: TabularTask, task: TabularTask) -> bool:
    """Whether two tasks count as the same: equal measurements, or the same name and space."""
    return source_task(source).same(task.space, task.name, task.fingerprints)
