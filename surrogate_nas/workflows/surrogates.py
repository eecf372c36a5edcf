"""Fits a surrogate benchmark to measurements, and writes it with its card."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surrogate_nas._types import FloatArray, IntArray, OnStep, Progress
from surrogate_nas._version import __version__
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.benchmarks.surrogate import CARD, EXTRAPOLATION, ROWS, STD
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.progress import as_progress
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct
from surrogate_nas.surrogates.fit import (
    LEAST,
    Errors,
    FitRows,
    Fitted,
    check_rows,
    errors_of,
    fit_model,
    seed_means,
)
from surrogate_nas.surrogates.model import Model, Predicted, SpaceColumns
from surrogate_nas.surrogates.stored import PROBED, PROBES
from surrogate_nas.workflows.measurements import MeasuredTask, Measurements
from surrogate_nas.workflows.sampling import RANDOM

_REFERENCE = 5_000  # architectures that ranks refer to where a space cannot be listed
_STARTS, _CLIMBS = 20, 30  # of the search for the optimum there
_FAR = 0.01  # share of the known rows that would count as far from the others
_LEAST_LEFT_OUT = 10  # rows of a searcher that is left out


@dataclass(frozen=True, slots=True)
class BuiltSurrogate:
    """A finished surrogate benchmark.

    Attributes:
        path: The file.
        rows: Number of architectures that it was fitted to.
        card: See `surrogate_nas.benchmarks.surrogate.SurrogateBenchmark.card`.
    """

    path: Path
    rows: int
    card: Mapping[str, Any]


def build_surrogate(
    measured: Measurements,
    out: str | os.PathLike[str],
    *,
    licence: str = "",
    progress: Progress | bool = False,
) -> BuiltSurrogate:
    """Fit models to measurements, and write them.

    Args:
        measured: The measurements.
        out: The file, which ends with .h5.
        licence: Licence of the file.
        progress: Shows the models; True for a bar, also in a notebook.

    Raises:
        InvalidArgumentError: If there are too few rows, or a goal's values are all the same.
        SurrogateNASError: If the file cannot be written.
    """
    path = Path(out)
    if path.suffix != ".h5":
        raise InvalidArgumentError(f"out must be a file that ends with .h5, got {str(path)!r}")
    for task in measured.tasks:
        last = seed_means(task.columns[VALIDATION])[:, -1]
        there = np.isfinite(last)
        check_rows(int(there.sum()), last[there], f"the surrogate of {task.name!r}")
    columns = SpaceColumns(measured.space, measured.choices)
    specs, arrays, cards = [], {ROWS: measured.choices.astype("<i2")}, {}
    with as_progress(progress)(f"fit {path.name}", 0) as advance:
        fitted = {task.name: _fitted(measured, task, columns, advance) for task in measured.tasks}
        reference = _reference(measured, columns, list(fitted.values()))
        for task in measured.tasks:
            made = _Made(measured, task, columns, fitted[task.name], reference)
            specs.append(made.spec())
            arrays |= made.arrays()
            cards[task.name] = made.card(advance)
    card = {
        "program": f"surrogate-nas {__version__}",
        "fitted_to": measured.source,
        "rows": len(measured.choices),
        "sampling": dict(Counter(measured.found_by)),
        "tasks": cards,
    }
    arrays[CARD] = np.frombuffer(json.dumps(card, sort_keys=True).encode(), dtype=np.uint8)
    source = f"surrogate of {measured.source}, fitted by surrogate-nas {__version__}"
    spec = TableSpec(path.stem, measured.space, reference, specs, source, licence, surrogate=arrays)
    write_table(path, spec)
    return BuiltSurrogate(path, len(measured.choices), card)


@dataclass(frozen=True, slots=True)
class _Column:
    """A fitted column, and the positions of its rows among the measured ones."""

    fitted: Fitted
    rows: IntArray


def _fitted(
    measured: Measurements, task: MeasuredTask, columns: SpaceColumns, on_step: OnStep
) -> dict[str, _Column]:
    found = {}
    for name, cells in task.columns.items():
        last = seed_means(cells)[:, -1]
        rows = np.flatnonzero(np.isfinite(last))
        if name != VALIDATION and (len(rows) < LEAST or np.ptp(last[rows]) == 0):
            on_step(f"{task.name} {name}: left out, as its values are too few or all the same")
            continue
        own_goal = name in (VALIDATION, TEST)
        goal = task.goal if own_goal else task.goals[name]
        own = _rows(measured, cells, rows, goal)
        found[name] = _Column(fit_model(own, columns, goal=own_goal), rows)
        errors = found[name].fitted.errors
        on_step(f"{task.name} {name}: τ {errors.tau:.3f} of held-out rows")
    return found


def _rows(measured: Measurements, cells: FloatArray, rows: IntArray, goal: Goal) -> FitRows:
    random = np.array([measured.found_by[row] == RANDOM for row in rows.tolist()])
    return FitRows(measured.choices[rows], cells[rows], random, goal.unit)


# Where the answers are for ------------------------------------------------------------------------


def _reference(
    measured: Measurements, columns: SpaceColumns, fitted: Sequence[Mapping[str, _Column]]
) -> IntArray:
    """All of a space that can be listed, else a sample with the best that was found.

    They are canonical forms where all measured ones are, as those of trainings.
    """
    space = measured.space
    canonical = columns.space.isomorphs == "merged"
    if space.enumerable:
        return space.with_isomorphs("merged").unique() if canonical else space.all_choices()
    drawn = space.sample_choices(np.random.default_rng(0), _REFERENCE)
    parts = [np.asarray(measured.choices, np.int16), drawn]
    for task, models in zip(measured.tasks, fitted, strict=True):
        model = models[VALIDATION].fitted.model
        parts.append(_climbed(space, columns, model, task.goal.sign, np.concatenate(parts[:2])))
    choices = np.concatenate(parts)
    if canonical:
        choices = space.canonicalise(choices)
    return choices[distinct(space, choices)[0]]


def _climbed(
    space: SearchSpace, columns: SpaceColumns, model: Model, sign: int, start: IntArray
) -> IntArray:
    """The best that local search finds by a model, from the best of ``start``."""
    best = start
    values = sign * model.predict(columns, best).values[:, -1]
    for _ in range(_CLIMBS):
        order = np.argsort(-values, kind="stable")[:_STARTS]
        best, values = best[order], values[order]
        near = space.neighbour_choices(best)
        better = sign * model.predict(columns, near).values[:, -1]
        if better.max() <= values.min():
            break
        best, values = np.concatenate([best, near]), np.concatenate([values, better])
        first = distinct(space, best)[0]
        best, values = best[first], values[first]
    return best[np.argsort(-values, kind="stable")[:_STARTS]]


# The content of the file --------------------------------------------------------------------------


class _Made:
    """What is written about one task."""

    def __init__(
        self,
        measured: Measurements,
        task: MeasuredTask,
        columns: SpaceColumns,
        fitted: Mapping[str, _Column],
        reference: IntArray,
    ) -> None:
        self._measured, self._task, self._columns = measured, task, columns
        self._fitted, self._reference = fitted, reference
        self._said: dict[str, Predicted] = {
            name: column.fitted.model.predict(columns, reference) for name, column in fitted.items()
        }
        own = fitted[VALIDATION]
        random = [i for i, row in enumerate(own.rows) if measured.found_by[row] == RANDOM]
        left_out = own.fitted.model.process.similarity_left_out()
        judged = left_out[random] if len(random) >= LEAST else left_out
        self._least = float(np.quantile(judged, _FAR))
        far = self._said[VALIDATION].similarity < self._least
        self._far = far.astype(np.float64)
        self._std = own.fitted.model.std(columns, reference, self._said[VALIDATION].values[:, -1])

    def spec(self) -> TaskSpec:
        """The predictions as a table."""
        task = self._task
        values = {name: said.values[:, None, :] for name, said in self._said.items()}
        metrics = [
            (task.goals[name], _fewest(cells))
            for name, cells in values.items()
            if name.startswith(METRICS)
        ]
        metrics.append((Goal(EXTRAPOLATION, maximise=False), self._far))
        return TaskSpec(
            name=task.name,
            goal=task.goal,
            values=values[VALIDATION],
            test=values.get(TEST),
            metrics=metrics,
            budgets=task.budgets,
            costs=task.costs,
            training=task.training,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What is beside the table."""
        found: dict[str, npt.NDArray[Any]] = {f"tasks/{self._task.name}/{STD}": self._std}
        for name, column in self._fitted.items():
            model = column.fitted.model
            arrays: dict[str, npt.NDArray[Any]] = {"noise": model.noise, "ratio": model.ratio}
            if not self._measured.space.enumerable:
                first = self._measured.choices[column.rows[:PROBED]]
                probes = model.predict(self._columns, first).values
                arrays = {**model.arrays(), PROBES: probes, ROWS: column.rows.astype("<i4")}
            for key, array in arrays.items():
                found[f"tasks/{self._task.name}/{name}/{key}"] = array
        return found

    def card(self, on_step: OnStep) -> dict[str, Any]:
        """What is known about the predictions."""
        task, own = self._task, self._fitted[VALIDATION]
        final = self._said[VALIDATION].values[:, -1]
        best = int(np.argmax(task.goal.sign * final))
        space = self._measured.space
        noise = float(own.fitted.model.noise_std(final[best : best + 1])[0])
        return {
            "fingerprints": list(task.fingerprints),
            "rows": len(own.rows),
            "columns": {name: _described(column) for name, column in self._fitted.items()},
            "leave_one_searcher_out": self._searchers_left_out(on_step),
            "extrapolation": {
                "rule": "the largest correlation with a known architecture, in the kernel of the "
                "Gaussian process of the goal, is below least_similarity, which 1 % of the known "
                "ones would be if they were unknown",
                "least_similarity": self._least,
                "share": float(self._far.mean()),
            },
            "optimum": {
                "arch": space.format(space.architecture(self._reference[best])),
                "value": float(final[best]),
                "uncertainty": float(self._std[best]),
                "noise": noise,
            },
        }

    def _searchers_left_out(self, on_step: OnStep) -> dict[str, Any]:
        """Errors of the rows of each searcher, by models that saw no row of it."""
        own, cells = self._fitted[VALIDATION], self._task.columns[VALIDATION]
        by = np.array([self._measured.found_by[row] for row in own.rows.tolist()])
        found = {}
        for searcher in np.unique(by).tolist():
            out = by == searcher
            if out.sum() < _LEAST_LEFT_OUT or (~out).sum() < LEAST:
                continue
            model = fit_model(
                _rows(self._measured, cells, own.rows[~out], self._task.goal),
                self._columns,
                goal=True,
            ).model
            choices = self._measured.choices[own.rows[out]]
            values = model.predict(self._columns, choices).values[:, -1]
            true = seed_means(cells)[own.rows[out], -1]
            errors = errors_of(true, values, model.std(self._columns, choices, values))
            found[searcher] = {"rows": int(out.sum()), **_numbers(errors)}
            on_step(f"{self._task.name} without {searcher}: τ {errors.tau:.3f} of its rows")
        return found


def _fewest(cells: FloatArray) -> FloatArray:
    """One budget, where all are the same."""
    return cells[:, :, -1:] if (cells == cells[:, :, -1:]).all() else cells


def _described(column: _Column) -> dict[str, Any]:
    fitted = column.fitted
    return {
        "weights": fitted.weights,
        "held_out": _numbers(fitted.errors),
        "noise": {
            "median": float(np.median(fitted.model.noise[1])),
            "smallest": float(fitted.model.noise[1].min()),
            "largest": float(fitted.model.noise[1].max()),
        },
    }


def _numbers(errors: Errors) -> dict[str, float]:
    return {"tau": errors.tau, "rmse": errors.rmse, "coverage": errors.coverage}
