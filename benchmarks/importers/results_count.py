"""The records of trainings of NATS-Bench and NAS-Bench-201.

Both write the same state for every architecture and run. A *run* is a whole training with its own
schedule of the learning rate, named after its epochs. So epoch 12 of the run of 200 epochs differs
from the end of the run of 12 epochs, and each run becomes a table of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.importers.base import Imported, Listener, install
from surrogate_nas.benchmarks.importers.bounded import number_array
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec
from surrogate_nas.errors import FormatError, SurrogateNASError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import SearchSpace

ACCURACY = Goal("accuracy", unit="%")
METRICS = (
    Goal("params", maximise=False, unit="M"),
    Goal("flops", maximise=False, unit="M"),
    Goal("latency", maximise=False, unit="s"),
    Goal("train_seconds", maximise=False, unit="s/epoch"),
)


class _Task(NamedTuple):
    """Which trainings a task consists of, as (data set, part that was evaluated)."""

    validation: tuple[str, str]
    test: tuple[str, str]


TASKS = {
    # The protocol of both benchmarks: the validation accuracy is of a training on half of the
    # training images, the test accuracy of a training on all of them.
    "cifar10": _Task(("cifar10-valid", "x-valid"), ("cifar10", "ori-test")),
    "cifar100": _Task(("cifar100", "x-valid"), ("cifar100", "x-test")),
    "ImageNet16-120": _Task(("ImageNet16-120", "x-valid"), ("ImageNet16-120", "x-test")),
}
_MOST_EPOCHS = 1_000
_CHECKED_SEED = 888  # its numbers of parameters are right if those of the seeds differ

_Curve = tuple[int, IntArray, FloatArray]
"""Row, epochs with a record, and the accuracies there."""


class _Run:
    """All trainings of one length."""

    def __init__(self) -> None:
        self.curves: dict[tuple[str, str], dict[int, list[_Curve]]] = {}
        self.metrics: dict[str, list[tuple[int, tuple[float, ...]]]] = {}

    def add(self, row: int, state: Mapping[str, Any]) -> None:
        """Add the state of one architecture."""
        for name, task in TASKS.items():
            for dataset, part in task:
                for seed in state["dataset_seed"].get(dataset, ()):
                    curve = _curve(row, state["all_results"][dataset, seed], part)
                    if len(curve[1]):
                        by_seed = self.curves.setdefault((dataset, part), {})
                        by_seed.setdefault(int(seed), []).append(curve)
            dataset, _ = task.validation
            seeds = state["dataset_seed"].get(dataset, ())
            if seeds:
                results = {seed: state["all_results"][dataset, seed] for seed in seeds}
                self.metrics.setdefault(name, []).append((row, _metrics(results)))

    def any_task(self) -> bool:
        """Whether any validation accuracy was recorded."""
        return any(task.validation in self.curves for task in TASKS.values())

    def tasks(self, rows: int) -> list[TaskSpec]:
        """The tasks of the table; the curves are released, as they are large."""
        return [self._task(name, rows) for name in TASKS if TASKS[name].validation in self.curves]

    def _task(self, name: str, rows: int) -> TaskSpec:
        validation, test = (self.curves.pop(key, {}) for key in TASKS[name])
        seeds = sorted(validation | test)
        epochs = np.unique(np.concatenate([c[1] for some in validation.values() for c in some]))
        metrics = np.full((len(METRICS), rows), np.nan)
        for row, numbers in self.metrics[name]:
            metrics[:, row] = numbers
        return TaskSpec(
            name,
            ACCURACY,
            values=_cube(validation, seeds, epochs, rows),
            test=_cube(test, seeds, epochs, rows) if test else None,
            metrics=[
                (goal, column)
                for goal, column in zip(METRICS, metrics, strict=True)
                if not np.isnan(column).all()
            ],
            budgets=tuple((epochs + 1).tolist()),
        )


class Results:
    """Gathers architectures one by one."""

    def __init__(self, space: SearchSpace, runs: Mapping[str, str]) -> None:
        """Begin with none.

        Args:
            space: The space of the architectures.
            runs: Number of epochs, as text, by the name of a run in the files.
        """
        self._space = space
        self._names = dict(runs)
        self._rows: dict[tuple[int, ...], int] = {}
        self._runs: dict[str, _Run] = {}

    def add(self, where: str, states: Any) -> None:
        """Add the state of each run of one architecture.

        Args:
            where: The file it comes from, for messages.
            states: By the name of the run in the file.

        Raises:
            FormatError: If it has another layout, or the architecture was added before.
        """
        try:
            runs = {self._names[word]: state for word, state in states.items()}
            texts = {_text(state["arch_str"]) for state in runs.values()}
            if len(texts) != 1:
                raise ValueError(f"{len(texts)} architectures")
            choices = self._space.parse(*texts).choices
            if choices in self._rows:
                raise ValueError(f"{texts.pop()} came before")
            row = self._rows[choices] = len(self._rows)
            for run, state in runs.items():
                self._runs.setdefault(run, _Run()).add(row, state)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = str(error) if isinstance(error, SurrogateNASError) else repr(error)
            raise FormatError(
                f"{where} does not hold results over the space {self._space.name!r} in the "
                f"expected layout ({reason}); get it again, or choose the importer that it is for"
            ) from error

    def install(self, name: str, *, where: str, source: str, listener: Listener) -> Imported:
        """Install a table of each run: the longest as ``name``, others as ``name-hp12``, ….

        Raises:
            InvalidArgumentError: If the name breaks a rule.
            FormatError: If nothing was recorded.
        """
        rows, whole = len(self._rows), math.prod(self._space.sizes)
        if 0 < rows < whole:
            listener.note(f"{where} holds {rows:,} of {whole:,} architectures")
        choices = np.array(list(self._rows), dtype=np.int16)
        names = sorted((run for run in self._runs if self._runs[run].any_task()), key=int)
        if not names:
            raise FormatError(f"{where} holds no validation accuracy; get it again")
        made = []
        for run in names:  # The longest is last: if it is there, the others are, too.
            table = name if run == names[-1] else f"{name}-hp{run}"
            about = f"{source}, run of {int(run)} epochs"
            tasks = self._runs.pop(run).tasks(rows)
            made.append(install(TableSpec(table, self._space, choices, tasks, about, "MIT")))
        *others, last = made
        return replace(last, also=tuple(others))


def _text(value: Any) -> str:
    if not isinstance(value, str):  # as its text may be endless
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return str(value)


@lru_cache(maxsize=100)
def _keys(part: str, epochs: int) -> tuple[list[str], IntArray]:
    return [f"{part}@{epoch}" for epoch in range(epochs)], np.arange(epochs)


def _curve(row: int, result: Mapping[str, Any], part: str) -> _Curve:
    length = int(result["epochs"])
    if length > _MOST_EPOCHS:
        raise ValueError(f"{length} epochs, and no run has more than {_MOST_EPOCHS}")
    keys, epochs = _keys(part, length)
    recorded = result["eval_acc1es"]
    values = number_array([recorded.get(key, np.nan) for key in keys])
    there = np.isfinite(values)
    return (row, epochs, values) if there.all() else (row, epochs[there], values[there])


def _metrics(results: Mapping[int, Mapping[str, Any]]) -> tuple[float, ...]:
    """The metrics of `METRICS`, each as a mean over the seeds that have it."""

    def of_model(key: str) -> float:
        numbers = {seed: float(result[key]) for seed, result in results.items()}
        if len({f"{number:.5f}" for number in numbers.values()}) > 1 and _CHECKED_SEED in numbers:
            return numbers[_CHECKED_SEED]
        return _mean(numbers.values())

    latencies = [_mean(result["latency"] or ()) for result in results.values()]
    times = [_mean((result["train_times"] or {}).values()) for result in results.values()]
    return (
        of_model("params"),
        of_model("flop"),
        _mean(latency for latency in latencies if latency > 0),  # -1 and NaN: not measured
        _mean(time for time in times if time == time),
    )


def _mean(numbers: Iterable[float]) -> float:
    listed = list(numbers)
    return sum(listed) / len(listed) if listed else np.nan


def _cube(
    curves: Mapping[int, list[_Curve]], seeds: list[int], epochs: IntArray, rows: int
) -> FloatArray:
    """The curves of all seeds at the given epochs, NaN where missing: (rows, seeds, epochs)."""
    planes = np.full((len(epochs), rows, len(seeds)), np.nan)  # as the file has them
    for seed, listed in curves.items():
        position = seeds.index(seed)
        for row, at, values in listed:
            budgets = np.searchsorted(epochs, at)
            found = epochs[np.minimum(budgets, len(epochs) - 1)] == at
            planes[budgets[found], row, position] = values[found]
    return planes.transpose(1, 2, 0)
