"""Sources of the arrays of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, cast

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.rows import distinct

VALIDATION, TEST, METRICS = "validation", "test", "metrics/"
"""Names of a task's columns: the goal, the hidden test metric, and the prefix of the others."""


class TaskSource(Protocol):
    """A source of the arrays of a task; each is read when it is needed.

    Attributes:
        columns: `VALIDATION`, `TEST` where there is one, and ``metrics/<name>`` for the others.
        seeds: Number of trainings of an architecture.
    """

    columns: tuple[str, ...]
    seeds: int

    @property
    def goals(self) -> Mapping[str, Goal]:
        """Direction and unit of those columns ``metrics/<name>`` where they are known."""
        ...

    @property
    def choices(self) -> IntArray:
        """One row an encoding, all different: int (rows, decisions)."""
        ...

    def read(self, column: str, budget: int) -> FloatArray:
        """Values at one position of the budgets, NaN where missing: (rows, seeds or 1)."""
        ...


class Answers(NamedTuple):
    """All that a task's `evaluate` needs at one budget and seed, ready to be indexed by row.

    Attributes:
        values: Of the first goal, larger is better.
        others: Likewise of each further goal.
        cost: In epochs.
        budget: In epochs.
        metrics: Of what is no goal, by name, in their own signs.
        hidden: Likewise the test metric.
    """

    values: Sequence[float]
    others: tuple[Sequence[float], ...]
    cost: float
    budget: int
    metrics: tuple[tuple[str, Sequence[float]], ...]
    hidden: tuple[tuple[str, Sequence[float]], ...]


def view(column: FloatArray) -> Sequence[float]:
    """A column whose entries are Python floats."""
    # A memoryview gives them several times as fast as an array gives its scalars.
    return cast("Sequence[float]", np.ascontiguousarray(column).data)


def seed_mean(cells: FloatArray) -> FloatArray:
    """Mean over the last axis of what is there; NaN where nothing is."""
    if cells.shape[-1] == 1:
        return cells[..., 0]
    there = np.isfinite(cells)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, cells, 0).sum(axis=-1) / there.sum(axis=-1))


class ArraySource:
    """A task's arrays in memory."""

    def __init__(
        self,
        space: SearchSpace,
        choices: IntArray,
        columns: Mapping[str, FloatArray],
        budgets: Sequence[int],
    ) -> None:
        """Check the arrays; see `TabularTask` for their shapes."""
        if len(budgets) == 0 or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
            raise InvalidArgumentError(
                f"budgets must be ascending and positive, got {tuple(budgets)}"
            )
        self.choices = _checked(space, np.asarray(choices))
        self.columns = tuple(columns)
        self.goals: Mapping[str, Goal] = {}
        self.seeds = 1
        self._cubes: dict[str, FloatArray] = {}
        for column, array in columns.items():
            cube = np.asarray(array, dtype=np.float64)
            if cube.ndim == 1:
                cube = cube[:, None, None]
            if column == VALIDATION and cube.ndim == 3:
                self.seeds = cube.shape[1]
            self._check(column, cube, len(budgets), np.shape(array))
            self._cubes[column] = cube
        if not np.isfinite(self._cubes[VALIDATION][:, :, -1]).any():
            raise InvalidArgumentError(
                f"values must have a finite number at the largest budget, {budgets[-1]}"
            )

    def _check(self, column: str, cube: FloatArray, budgets: int, shape: tuple[int, ...]) -> None:
        rows = len(self.choices)
        fits = cube.ndim == 3 and cube.shape[0] == rows and cube.size > 0
        if fits and column.startswith(METRICS):
            fits = cube.shape[1] in (1, self.seeds) and cube.shape[2] in (1, budgets)
        elif fits:
            fits = cube.shape[1:] == (self.seeds, budgets)
        if not fits:
            raise InvalidArgumentError(
                f"{'values' if column == VALIDATION else column} must have the shape ({rows},) "
                f"or ({rows}, seeds, {budgets}), got {shape}"
            )

    def cube(self, column: str) -> FloatArray:
        """All values of a column: (rows, seeds or 1, budgets or 1)."""
        return self._cubes[column]

    def read(self, column: str, budget: int) -> FloatArray:
        """Values at one position of the budgets: (rows, seeds or 1)."""
        cube = self._cubes[column]
        return cube[:, :, min(budget, cube.shape[2] - 1)]


def _checked(space: SearchSpace, choices: IntArray) -> IntArray:
    sizes = np.array(space.sizes)
    if choices.ndim != 2 or choices.shape[1] != len(sizes) or choices.dtype.kind not in "iu":
        raise InvalidArgumentError(
            f"choices must be integers of the shape (rows, {len(sizes)}), got {choices.dtype} "
            f"{choices.shape}"
        )
    inside = np.all((choices >= 0) & (choices < sizes), axis=1)
    inside[inside] = space.valid(choices[inside])
    if not inside.all():
        row = int(np.argmin(inside))
        raise ArchitectureError(
            f"row {row} of choices, {choices[row].tolist()}, is not an architecture of "
            f"{space.name!r} (sizes of the decisions: {space.sizes})"
        )
    if len(distinct(space, choices)[0]) < len(choices):
        raise InvalidArgumentError("choices must be different: an encoding has two rows")
    return choices
