"""Tables of architectures and their tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.index import TableRows
from surrogate_nas.benchmarks.metrics import goal_columns, metric_goal, missing
from surrogate_nas.benchmarks.sources import (
    METRICS,
    TEST,
    VALIDATION,
    Answers,
    ArraySource,
    TaskSource,
    seed_mean,
    view,
)
from surrogate_nas.benchmarks.truth import Truth
from surrogate_nas.errors import InvalidArgumentError, MissingRecordError
from surrogate_nas.evaluation import Evaluation, Goal, Prediction, TaskData
from surrogate_nas.spaces.base import Architecture, Isomorphs, SearchSpace, frozen
from surrogate_nas.spaces.rows import distinct


class TabularTask(Truth):
    """One task of a table, as an objective that answers at once.

    A row without a finite value at the largest budget is not part of the task. What a search
    sees is the validation metric at the largest budget as the mean over seeds, unless it asks
    otherwise.

    Attributes:
        training: How the values were measured, if by trainings of this program, see
            `surrogate_nas.benchmarks.table_writer.TaskSpec`; None where that is unknown.
        descriptor: Numbers that describe the task, see
            `surrogate_nas.benchmarks.table_writer.TaskSpec`; None where there are none.
        added: How a metric that the table does not have is computed, see `added`.
        goals: What is optimised or limited; one metric, unless `with_goals` chose others. `goal`,
            `values`, ranks and regrets are those of the first.
        own_goal: The task's own validation metric, which the test metric belongs to.
        known: Metrics of the goals that a search may read of all architectures.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> choices = space.all_choices()[:8]
        >>> task = TabularTask("widths", space, choices, choices.sum(axis=1) / 10)
        >>> value = task.evaluate(space.parse("8:8:8:8:56")).value
        >>> value, task.rank(value), round(task.regret(value), 3)
        (0.6, 2, 0.1)
    """

    training: Mapping[str, Any] | None = None
    descriptor: Mapping[str, float] | None = None
    added: str = ""

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        choices: IntArray,
        values: FloatArray,
        *,
        goal: Goal | None = None,
        test: FloatArray | None = None,
        metrics: Mapping[str, FloatArray] | None = None,
        budgets: tuple[int, ...] = (1,),
        costs: FloatArray | None = None,
        isomorphs: Isomorphs = "separate",
        benchmark: str = "arrays",
    ) -> None:
        """Make a task from arrays.

        Args:
            name: The task's name.
            space: The space of the encodings.
            choices: int (rows, decisions), one row an encoding.
            values: Validation metric in its own sign: (rows,), or (rows, seeds, budgets).
            goal: Metric, direction and unit; by default ``value``, maximised.
            test: Test metric in its own sign, in one of the shapes of ``values``.
            metrics: Further metrics, each in one of the shapes of ``values``; seeds and budgets
                may be 1 where they make no difference.
            budgets: Epochs of the last axis of ``values``, ascending.
            costs: Epochs that one evaluation at each budget costs; by default the budgets.
            isomorphs: Whether encodings with one canonical form are one architecture.
            benchmark: Name of the table.

        Raises:
            InvalidArgumentError: If shapes disagree, an encoding has two rows, or no value at
                the largest budget is finite.
            ArchitectureError: If an encoding is not part of the space.
        """
        columns = {VALIDATION: values} | ({} if test is None else {TEST: test})
        columns |= {METRICS + key: column for key, column in (metrics or {}).items()}
        source = ArraySource(space, choices, columns, budgets)
        self._open(name, space, source, goal or Goal("value"), budgets, costs, isomorphs, benchmark)

    def _open(
        self,
        name: str,
        space: SearchSpace,
        source: TaskSource,
        goal: Goal,
        budgets: Sequence[int],
        costs: FloatArray | None,
        isomorphs: Isomorphs,
        benchmark: str,
    ) -> None:
        self.name = name
        self.benchmark = benchmark
        self.goals = (goal,)
        self.own_goal = goal
        self._columns = (VALIDATION,)  # of the goals
        self.known: tuple[str, ...] = ()
        self.budgets = tuple(int(b) for b in budgets)
        self.costs = tuple(float(c) for c in (self.budgets if costs is None else costs))
        if len(self.costs) != len(self.budgets):
            raise InvalidArgumentError(
                f"costs must have one number for each of the {len(self.budgets)} budgets, "
                f"got {len(self.costs)}"
            )
        space.with_isomorphs(isomorphs)  # refuses other words
        self._isomorphs = isomorphs
        self._whole = space
        self._source = source

    def with_isomorphs(self, isomorphs: Isomorphs) -> Self:
        """This task with another rule of what counts as the same architecture."""
        self._whole.with_isomorphs(isomorphs)
        other = object.__new__(type(self))
        other.__dict__.update(self.__getstate__(), _isomorphs=isomorphs)
        return other

    def with_goals(self, goals: Sequence[Goal | str], *, known: Sequence[str] = ()) -> Self:
        """This task with other goals: its own metric and further ones of the table.

        Rows that lack one of them are no part of it, which a warning says.

        Args:
            goals: In their order, those without a limit first. A text is a metric with the
                direction that the table has for it, else to be maximised.
            known: Metrics of goals that need no training, see `known_costs`.

        Raises:
            UnknownNameError: If the table has no such metric, or no such goal.
            InvalidArgumentError: If a metric is given twice, or all goals have limits.
        """
        other = self.chosen(goals, known)
        missing(other.goals, other._finals)
        return other

    def metric_goal(self, metric: str) -> Goal:
        """A metric of the table as a goal, with the direction that the table has for it.

        Raises:
            UnknownNameError: If the table has no such metric.
        """
        return metric_goal(self.own_goal, self._source, metric, f"task {self.name!r}")

    def chosen(self, goals: Sequence[Goal | str], known: Sequence[str]) -> Self:
        """As `with_goals`, without a look at the rows."""
        source, own = self._source, self.own_goal
        found, columns = goal_columns(own, source, goals, known, f"task {self.name!r}")
        other = object.__new__(type(self))
        state = {"goals": found, "_columns": columns, "known": tuple(known)}
        other.__dict__.update(self.__getstate__(), **state)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """The state without what can be computed again."""
        kind = type(self)
        return {
            key: value
            for key, value in self.__dict__.items()
            if not isinstance(getattr(kind, key, None), cached_property)
        }

    @property
    def isomorphs(self) -> Isomorphs:
        """The requested rule of what counts as the same architecture."""
        return self._isomorphs

    @property
    def seeds(self) -> int:
        """Number of seeds that the table records."""
        return self._source.seeds

    @property
    def goal(self) -> Goal:
        """The first goal."""
        return self.goals[0]

    @property
    def listed(self) -> bool:
        """Whether the table has a row for every architecture that it answers for."""
        return True

    # The rows that make up the task ---------------------------------------------------------

    @cached_property
    def _finals(self) -> list[FloatArray]:
        """Means over seeds at the largest budget, in their own signs: of each goal (rows,)."""
        last = len(self.budgets) - 1
        return [seed_mean(self._source.read(column, last)) for column in self._columns]

    @property
    def _final(self) -> FloatArray:
        return self._finals[0]

    @cached_property
    def _member(self) -> IntArray:
        """The rows of the table that are part of the task."""
        return np.flatnonzero(np.isfinite(self._finals).all(axis=0))

    @cached_property
    def _merged(self) -> bool:
        """Whether isomorphs share a row, as requested or as only canonical forms have one."""
        rows = self._source.choices
        return self._isomorphs == "merged" or np.array_equal(rows, self._whole.canonicalise(rows))

    @cached_property
    def _groups(self) -> tuple[IntArray, IntArray, IntArray]:
        """Key number and first member of each architecture, architecture of each member."""
        member = self._source.choices[self._member]
        if self._merged:
            member = self._whole.canonicalise(member)
        first, group = distinct(self._whole, member)
        return self._whole.index(member[first]), first, group

    def _by_architecture(self, column: FloatArray) -> FloatArray:
        """Mean over the rows of each architecture, NaN where none has a value: (n,)."""
        keys, _, group = self._groups
        column = column[self._member]
        finite = np.isfinite(column)
        total = np.bincount(group[finite], column[finite], minlength=len(keys))
        count = np.bincount(group[finite], minlength=len(keys))
        with np.errstate(invalid="ignore"):
            return np.asarray(total / count)

    @cached_property
    def choices(self) -> IntArray:
        """One encoding for each architecture of the task, by ascending key: int (n, decisions)."""
        return frozen(self._source.choices[self._member[self._groups[1]]])

    @cached_property
    def values(self) -> FloatArray:
        """Values at the largest budget, mean over seeds, larger is better: (n,)."""
        values = self._by_architecture(self._final) * self.goal.sign
        values.setflags(write=False)
        return values

    @cached_property
    def goal_values(self) -> FloatArray:
        """Like `values`, of each goal: (n, goals)."""
        signs = [goal.sign for goal in self.goals]
        columns = [self._by_architecture(final) for final in self._finals]
        values = np.asarray(np.stack(columns, axis=1) * signs)
        values.setflags(write=False)
        return values

    def known_costs(self, choices: IntArray) -> dict[str, Prediction]:
        """The goals in `known`, see `surrogate_nas.evaluation.KnowsCosts`."""
        found = {}
        for goal, column in zip(self.goals, self.goal_values.T, strict=True):
            if goal.metric in self.known:
                read = np.append(goal.sign * column, np.nan)[self.rows(choices)]
                found[goal.metric] = Prediction(read, np.zeros(len(read)))
        return found

    @cached_property
    def test_values(self) -> FloatArray | None:
        """Test metric in its own sign, like `values`; for reports only."""
        if TEST not in self._source.columns:
            return None
        return self._column(TEST, len(self.budgets) - 1, None)

    @cached_property
    def space(self) -> SearchSpace:
        """The space that a search of this task may use.

        All of it where every valid encoding has a value, its own or its canonical form's;
        else the part that has one.
        """
        whole = self._whole
        if self._isomorphs == "separate":
            separate = whole.with_isomorphs("separate")
            if whole.enumerable and len(self) == len(whole.all_choices()):
                return separate
            if not self._merged:
                return separate.restricted(self.choices)
        merged = whole.with_isomorphs("merged")
        if merged.countable and len(self) == merged.size:
            return merged
        return merged.restricted(self.choices)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r} of {self.benchmark!r}, "
            f"{len(self)} architectures, {self.goal.metric})"
        )

    # Reading --------------------------------------------------------------------------------

    @cached_property
    def _index(self) -> TableRows:
        return TableRows(self._whole, self._groups[0], merged=self._merged)

    def rows(self, choices: IntArray) -> IntArray:
        """Position in `values` of each encoding (n, decisions), -1 where it has none: (n,)."""
        return self._index.rows(choices)

    def lookup(
        self, choices: IntArray, *, budget: int | None = None, seed: int | None = None
    ) -> FloatArray:
        """Values of many encodings (n, decisions), NaN where there is none: (n,).

        Raises:
            MissingRecordError: If the budget or the seed was not recorded.
        """
        # One NaN more at the end, for the position -1.
        return self._values_at(budget, seed)[self.rows(choices)]

    def lookup_rows(
        self, rows: IntArray, *, budget: int | None = None, seed: int | None = None
    ) -> FloatArray:
        """Values at positions that `rows` gave, NaN at -1: (n,).

        Raises:
            MissingRecordError: If the budget or the seed was not recorded.
        """
        return self._values_at(budget, seed)[rows]

    def evaluate(
        self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
    ) -> Evaluation:
        """Answer from the table.

        Raises:
            ArchitectureError: If the architecture is not part of the table's space.
            MissingRecordError: If there is no value for this architecture, budget or seed.
        """
        answers = self._answers.get((budget, seed)) or self._prepare(budget, seed)
        row = self._index.row(arch)
        value = answers.values[row] if row >= 0 else np.nan
        if value != value:
            raise self._missing(arch, row, budget, seed)
        return Evaluation(
            (value, *(column[row] for column in answers.others)),
            answers.cost,
            answers.budget,
            seed,
            {name: column[row] for name, column in answers.metrics},
            {name: column[row] for name, column in answers.hidden},
        )

    @cached_property
    def _answers(self) -> dict[tuple[int | None, int | None], Answers]:
        return {}

    def _prepare(self, budget: int | None, seed: int | None) -> Answers:
        epoch = self._position(budget, seed)
        metrics = [c for c in self._source.columns if c.startswith(METRICS)]
        metrics = [c for c in metrics if c not in self._columns]
        names = {c: c.removeprefix(METRICS) for c in metrics}
        if VALIDATION not in self._columns:
            names[VALIDATION] = self.own_goal.metric
        hidden = [c for c in self._source.columns if c == TEST]
        others: Iterable[tuple[Goal, str]] = zip(self.goals[1:], self._columns[1:], strict=True)
        answers = Answers(
            values=view(self._values_at(budget, seed)),
            others=tuple(view(goal.sign * self._column(c, epoch, seed)) for goal, c in others),
            cost=self.costs[epoch],
            budget=self.budgets[epoch],
            metrics=tuple((names[c], view(self._column(c, epoch, seed))) for c in names),
            hidden=tuple(
                (self.own_goal.metric, view(self._column(c, epoch, seed))) for c in hidden
            ),
        )
        self._answers[budget, seed] = answers
        return answers

    @cached_property
    def _padded(self) -> dict[tuple[int, int | None], FloatArray]:
        return {}

    def _values_at(self, budget: int | None, seed: int | None) -> FloatArray:
        """Values at a budget and seed, larger is better, and a NaN behind the last: (n + 1,)."""
        epoch = self._position(budget, seed)
        if (epoch, seed) not in self._padded:
            if epoch == len(self.budgets) - 1 and seed is None:
                values = self.values
            else:
                values = self._column(self._columns[0], epoch, seed) * self.goal.sign
            self._padded[epoch, seed] = np.append(values, np.nan)
        return self._padded[epoch, seed]

    def _column(self, column: str, epoch: int, seed: int | None) -> FloatArray:
        cells = self._source.read(column, epoch)
        one = seed_mean(cells) if seed is None else cells[:, min(seed, cells.shape[1] - 1)]
        return self._by_architecture(one)

    def _position(self, budget: int | None, seed: int | None) -> int:
        """Position of a budget; checks the seed too."""
        if seed is not None and not 0 <= seed < self._source.seeds:
            raise MissingRecordError(
                f"task {self.name!r} has no seed {seed}; recorded: 0 to {self._source.seeds - 1}"
            )
        if budget is None:
            return len(self.budgets) - 1
        if budget not in self.budgets:
            listed = ", ".join(map(str, self.budgets))
            raise MissingRecordError(
                f"task {self.name!r} was not recorded at budget {budget}; recorded: {listed}"
            )
        return self.budgets.index(budget)

    def _missing(
        self, arch: Architecture, row: int, budget: int | None, seed: int | None
    ) -> MissingRecordError:
        text = self._whole.format(self._whole.check(arch))
        if row < 0:
            return MissingRecordError(
                f"task {self.name!r} of {self.benchmark!r} has no record of {text}; it holds "
                f"{len(self)} architectures of {self._whole.name!r}, take one of task.space"
            )
        return MissingRecordError(
            f"task {self.name!r} of {self.benchmark!r} has no value of {text} at "
            f"budget {budget or self.budgets[-1]}, seed {'any' if seed is None else seed}"
        )


class Benchmark(ABC):
    """A named table with one or more tasks over one space.

    Attributes:
        name: The registered name.
        how_to_get: How a user obtains the data, one sentence.
    """

    name: str
    how_to_get: str = ""

    @property
    @abstractmethod
    def space(self) -> SearchSpace:
        """The whole space of the table's encodings."""

    @property
    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""

    @property
    def available(self) -> bool:
        """Whether the data is there (or comes by itself at first use)."""
        return True

    @property
    @abstractmethod
    def architectures(self) -> int:
        """Number of rows."""

    @abstractmethod
    def task(self, name: str, *, isomorphs: Isomorphs = "separate") -> TabularTask:
        """Open one task.

        Raises:
            UnknownNameError: If there is no such task.
        """

    @abstractmethod
    def check(self) -> None:
        """Verify all of the content.

        Raises:
            FormatError: If it is damaged.
        """

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, {len(self.tasks)} tasks, "
            f"{self.architectures} architectures)"
        )

    def task_data(self, name: str, n: int, rng: np.random.Generator) -> TaskData:
        """A random support set of n architectures of one task."""
        return self.task(name).sample_data(n, rng)
