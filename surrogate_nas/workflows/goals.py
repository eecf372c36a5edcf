"""What is optimised and limited, as a user asks for it, applied to tasks and trainings."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from surrogate_nas.benchmarks.added import table_choices, with_metric
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import kept_task, table_state
from surrogate_nas.benchmarks.combined import MeanScale, combined
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, Objective
from surrogate_nas.number_text import exact
from surrogate_nas.spaces.base import Isomorphs, SearchSpace

if TYPE_CHECKING:
    from surrogate_nas.store import Study
    from surrogate_nas.training.objective import TrainingObjective
    from surrogate_nas.training.several_trainings import SeveralTrainings
    from surrogate_nas.transfer.known_cost import KnownCost

KNOWN = ("parameters", "params", "flops", "macs")
"""Metrics that are known of every architecture without training, whatever their table is."""

_LIMIT = re.compile(r"^\s*(?P<metric>.+?)\s*(?P<sign><=|>=)\s*(?P<value>[^<>=]+?)\s*$")


@dataclass(frozen=True, slots=True)
class WantedGoals:
    """Goals and limits of a search.

    Attributes:
        goals: Metrics that are optimised; none for the task's own.
        limits: Such as ``latency<=5``.
        minimise: Metrics that are to be minimised where their table does not say it.
        known: Metrics of goals or limits that the search may read of all architectures, beside
            those of `KNOWN`.
        weights: Of several tasks, whose weighted mean is optimised; None for equal ones.
        scale: Of what the weighted mean is.
        each_task_a_goal: Whether several tasks are so many goals instead.
        cost_model: A table of networks that were measured on a device, see `open_cost_model`. Its
            metric is one of the goals or limits, known of all architectures.
        cost_sources: Other devices from which the cost of networks that were not measured is
            predicted, too.
        confidence: Probability with which a limit of a predicted cost shall hold.
    """

    goals: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    minimise: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None
    scale: MeanScale = "raw"
    each_task_a_goal: bool = False
    cost_model: str | None = None
    cost_sources: str | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise InvalidArgumentError(
                f"confidence must be above 0 and below 1, got {self.confidence}"
            )
        if self.each_task_a_goal and self.weights is not None:
            raise InvalidArgumentError(
                "weights are of one weighted mean, and each task a goal makes none; leave one out"
            )
        if self.cost_sources is not None and self.cost_model is None:
            raise InvalidArgumentError(
                "--cost-sources are other devices than that of --cost-model; name that one, too"
            )

    @property
    def chosen(self) -> bool:
        """Whether anything else than the task's own goal is wanted."""
        return bool(
            self.goals or self.limits or self.minimise or self.known or self.cost_model is not None
        )

    @property
    def combines(self) -> bool:
        """Whether several tasks become one."""
        return self.weights is not None or self.each_task_a_goal or self.scale != "raw"

    def of(self, tasks: Sequence[TabularTask]) -> TabularTask:
        """One task with these goals, of one task of a table or of several.

        Raises:
            SurrogateNASError: If there is no such metric, a metric is given twice, weights do not
                fit the tasks, or no architecture can keep the known limits.
        """
        if len(tasks) == 1:
            if self.combines:
                raise InvalidArgumentError(
                    "weights, a scale and each task a goal are of several tasks, got the one task "
                    f"{tasks[0].name}; name others, too: --task {tasks[0].name},…"
                )
            return self._chosen(tasks[0], [])
        both = combined(tasks, self.weights, scale=self.scale)
        return self._chosen(both, list(both.each) if self.each_task_a_goal else [])

    def of_trainings(self, trainings: Sequence[TrainingObjective]) -> Objective:
        """Trainings with these goals, which are the accuracy and further metrics.

        Args:
            trainings: One for each data set.

        Raises:
            SurrogateNASError: If there is no such metric, one is given twice, or weights do not fit
                the data sets.
        """
        for given, option in ((self.known, "--known"), (self.scale != "raw", "--scale")):
            if given:
                raise InvalidArgumentError(
                    f"{option} is for searches of a table, and --dataset trains; leave it out"
                )
        if len(trainings) == 1 and self.combines:
            raise InvalidArgumentError(
                "--weights and --each-task-a-goal are for several data sets, got one; name others, "
                "too: --dataset D1,D2"
            )
        if len(trainings) == 1:
            return self._of_training(trainings[0], [])
        from surrogate_nas.training.several_trainings import SeveralTrainings  # loads torch

        both = SeveralTrainings(trainings, self.weights)
        return self._of_training(both, list(both.each) if self.each_task_a_goal else [])

    def _of_training(
        self, training: TrainingObjective | SeveralTrainings, each: list[Goal]
    ) -> Objective:
        if not self.chosen and not each:
            return training
        from surrogate_nas.training.several import WithGoals  # loads torch

        own, cost = training.goals[0], self._cost(training.space)
        accuracies = [own, *getattr(training, "each", ())]
        named = {goal.metric: goal for goal in accuracies}
        named |= {} if cost is None else {cost.goal.metric: cost.goal}
        metrics = self.goals or ([] if each else [own.metric])
        goals = [*each, *(named.get(m, Goal(m, maximise=False)) for m in metrics)]
        goals += [parse_limit(text) for text in self.limits]
        if cost is None:
            return WithGoals(training, goals)
        from surrogate_nas.transfer.known_cost import WithCost

        return WithCost(training, goals, cost)

    def _chosen(self, task: TabularTask, each: list[Goal]) -> TabularTask:
        if not self.chosen and not each:
            return task
        cost = self._cost(task.space)
        if cost is not None:
            task = with_metric(task, cost.goal, cost.values(table_choices(task)), cost.text)
        metrics = self.goals or ([] if each else [task.goal.metric])
        goals: list[Goal] = [*each, *(task.metric_goal(metric) for metric in metrics)]
        for metric in self.minimise:
            task.metric_goal(metric)
        goals = [replace(g, maximise=False) if g.metric in self.minimise else g for g in goals]
        goals += [parse_limit(text) for text in self.limits]
        wanted = [goal.metric for goal in goals]
        free = [metric for metric in KNOWN if metric in wanted]
        free += [] if cost is None else [cost.goal.metric]
        found = task.with_goals(goals, known=list(dict.fromkeys([*self.known, *free])))
        check_feasible(found)
        return found

    def _cost(self, space: SearchSpace) -> KnownCost | None:
        """The cost that is known of all architectures, if there is one."""
        if self.cost_model is None:
            return None
        from surrogate_nas.transfer.cost_model import open_cost_model  # loads torch
        from surrogate_nas.transfer.known_cost import KnownCost

        model = open_cost_model(self.cost_model, self.cost_sources)
        model.check(space)
        metric = model.goal.metric
        limits = [parse_limit(text).metric for text in self.limits]
        if metric not in (*self.goals, *limits):
            raise InvalidArgumentError(
                f"--cost-model tells {metric} of all architectures, and it is neither a goal nor "
                f"a limit; add --goal {metric} or --limit '{metric}<=X'"
            )
        return KnownCost(model, self.confidence if metric in limits else None)


def kept_goals(
    benchmark: str,
    tasks: tuple[str, ...],
    isomorphs: Isomorphs,
    fingerprint: str,
    wanted: WantedGoals,
) -> TabularTask:
    """A task with its goals, opened once in a process, see `kept_task`."""
    return _kept(benchmark, tasks, isomorphs, fingerprint, wanted, table_state(benchmark))


@functools.lru_cache(maxsize=16)
def _kept(
    benchmark: str,
    tasks: tuple[str, ...],
    isomorphs: Isomorphs,
    fingerprint: str,
    wanted: WantedGoals,
    state: tuple[object, ...],
) -> TabularTask:
    return wanted.of([kept_task(benchmark, name, isomorphs, fingerprint) for name in tasks])


def parse_limit(text: str) -> Goal:
    """Read a limit: ``latency<=5`` or ``accuracy>=90``.

    Raises:
        InvalidArgumentError: If it is neither.
    """
    found = _LIMIT.match(text)
    try:
        value = float(found["value"]) if found else math.nan
    except ValueError:
        value = math.nan
    if found is None or not math.isfinite(value):
        raise InvalidArgumentError(
            f"a limit must be a metric, <= or >=, and a number, such as 'latency<=5', got {text!r}"
        )
    return Goal(found["metric"], maximise=found["sign"] == ">=", limit=value)


def stored_goals(study: Study) -> tuple[Goal, ...]:
    """The goals of a stored search, with the limits that are kept as text."""
    texts = study.settings.get("goals") or [goal.metric for goal in study.goals]
    limits = [
        None if text == goal.metric else parse_limit(text).limit
        for text, goal in zip(texts, study.goals, strict=True)
    ]
    return tuple(replace(g, limit=limit) for g, limit in zip(study.goals, limits, strict=True))


def check_feasible(task: TabularTask) -> None:
    """Refuse limits of known metrics that no architecture keeps.

    Of metrics that are not known beforehand nobody looks into the table.

    Raises:
        InvalidArgumentError: With the nearest value.
    """
    for goal, values in zip(task.goals, task.goal_values.T, strict=True):
        if goal.limit is None or goal.metric not in task.known:
            continue
        if values.max() < goal.sign * goal.limit:
            nearest = goal.sign * float(values.max())
            raise InvalidArgumentError(
                f"no architecture keeps the limit {goal.text}: the "
                f"{'largest' if goal.maximise else 'smallest'} {goal.metric} is {exact(nearest)}"
            )
