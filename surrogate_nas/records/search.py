"""The answer of ``surrogate-nas search``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from surrogate_nas.evaluation import Goal
from surrogate_nas.records.base import ABSENT, Absence, JsonRecord
from surrogate_nas.records.front import (
    Box,
    FrontPoint,
    GoalRecord,
    LimitRecord,
    front_points,
    goal_records,
    limit_records,
    own_values,
)
from surrogate_nas.records.results import SearchResult
from surrogate_nas.records.training import ExportRecord
from surrogate_nas.records.verification import VerificationRecord
from surrogate_nas.spaces.base import SearchSpace


@dataclass(frozen=True, slots=True)
class TrialRecord(JsonRecord):
    """A trial of a search.

    Attributes:
        number: Position among the trials, from 0.
        arch: The architecture.
        value: Of the goal's metric, in its own sign; null where the trial failed.
        cost: In epochs; null where the trial failed.
        error: Why it failed, or null.
        values: Of each goal and limited metric, in its own sign, where there are several; null
            where the trial failed.
    """

    number: int
    arch: str
    value: float | None
    cost: float | None
    error: str | None
    values: Mapping[str, float] | Literal[Absence.ABSENT] | None = ABSENT


@dataclass(frozen=True, slots=True)
class BestRecord(JsonRecord):
    """The best trial of a search, by its first goal, of those that keep all limits.

    Attributes:
        arch: The architecture.
        value: Of the goal's metric, in its own sign.
        metrics: What else was measured, such as parameters.
        test: Of the test metric, which the search did not see; null where there is none.
    """

    arch: str
    value: float
    metrics: Mapping[str, float | None]
    test: float | None


@dataclass(frozen=True, slots=True)
class CheckedNetwork(JsonRecord):
    """A network of a search that was measured on the device.

    Attributes:
        arch: In the notation of its space.
        expected: The cost that the search expected; with a limit, what it should not exceed.
        measured: The cost that was measured.
        holds: Whether the limit holds; null where there is none.
    """

    arch: str
    expected: float
    measured: float
    holds: bool | None


@dataclass(frozen=True, slots=True)
class DeviceCheck(JsonRecord):
    """The best networks of a search, measured on the device.

    Attributes:
        metric: What was measured.
        device: cpu, cuda or mps.
        machine: Name of the processor or GPU.
        networks: The best that keep all limits by what the search expected, the best first.
        violations: Number of those whose measured cost violates the limit.
        best: The best of them that does not; null where all do.
    """

    metric: str
    device: str
    machine: str
    networks: tuple[CheckedNetwork, ...]
    violations: int
    best: str | None


@dataclass(frozen=True, slots=True)
class SearchSeconds(JsonRecord):
    """How long a search took.

    Attributes:
        load: Seconds until its start.
        search: Seconds of the search itself.
        total: Seconds of all, a verification included.
    """

    load: float
    search: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord(JsonRecord):
    """What a search found, in the goal's own sign.

    Attributes:
        benchmark: Name of the table; null where trials were real trainings.
        task: The task of the table; null where trials were real trainings.
        space: The space, where trials were real trainings.
        dataset: What was trained on, where trials were real trainings.
        epochs: Of a whole training, where trials were real trainings.
        initial: What trainings started from, where that was not random weights.
        optimizer: The learned optimizer of the trainings, where one was used.
        searcher: The search method, without its predictor.
        predictor: The predictor that was asked for, or null.
        guide: The predictor that guided the search, another one where auto was asked for.
        candidates: Which architectures the guide compared: all, or those that its searcher
            visited; null without a guide. Earlier versions did not note it.
        proxies: Names of the zero-cost proxies that were read, or null.
        seed: Of all randomness.
        trials: All of them, in the order in which they finished.
        best: The best by validation; null where every trial failed.
        optimum: The best value of the table.
        regret: Distance of the best to the optimum.
        rank: 1 + the number of architectures of the table with a strictly better value.
        source_evaluations: Number of values of other tasks that the guide learnt from.
        weights: The guide's file of weights, or null.
        verification: Real trainings of the best, where they were asked for; null where the search
            was interrupted or every trial failed.
        export: The best network as a file, where it was asked for; null where the search was
            interrupted or every trial failed.
        seconds: How long it took.
        goals: What was optimised, where that or a limit was chosen.
        limits: What was limited.
        front: The trials that no other one dominates, the best by the first goal first.
        hypervolume: The share of the box that the front dominates, where there are two to four
            goals. In a table the box is that of its true front, whose own share is 1; else that
            of all trials.
        reference: The worst corner of the box, by metric: a tenth of each side behind it.
        violations: Number of trials that were measured and violate a limit.
        device_check: The best networks, measured on the device of the cost model, where that was
            asked for; null where none keeps the limits.
    """

    benchmark: str | None = None
    task: str | None = None
    space: str | Literal[Absence.ABSENT] = ABSENT
    dataset: str | Literal[Absence.ABSENT] = ABSENT
    epochs: int | Literal[Absence.ABSENT] = ABSENT
    initial: str | Literal[Absence.ABSENT] = ABSENT
    optimizer: str | Literal[Absence.ABSENT] = ABSENT
    searcher: str
    predictor: str | None
    guide: str | None
    candidates: str | Literal[Absence.ABSENT] | None = ABSENT
    proxies: tuple[str, ...] | None
    seed: int
    trials: tuple[TrialRecord, ...]
    best: BestRecord | None
    optimum: float | None
    regret: float | None
    rank: int | None
    source_evaluations: int
    weights: str | None
    verification: VerificationRecord | Literal[Absence.ABSENT] | None = ABSENT
    export: ExportRecord | Literal[Absence.ABSENT] | None = ABSENT
    seconds: SearchSeconds
    goals: tuple[GoalRecord, ...] | Literal[Absence.ABSENT] = ABSENT
    limits: tuple[LimitRecord, ...] | Literal[Absence.ABSENT] = ABSENT
    front: tuple[FrontPoint, ...] | Literal[Absence.ABSENT] = ABSENT
    hypervolume: float | Literal[Absence.ABSENT] | None = ABSENT
    reference: Mapping[str, float] | Literal[Absence.ABSENT] | None = ABSENT
    violations: int | Literal[Absence.ABSENT] = ABSENT
    device_check: DeviceCheck | Literal[Absence.ABSENT] | None = ABSENT


def trial_records(space: SearchSpace, goal: Goal, result: SearchResult) -> tuple[TrialRecord, ...]:
    """All trials of a search, with ``goal`` as its first one."""
    several = len(result.goals) > 1
    return tuple(
        TrialRecord(
            number=number,
            arch=space.format(trial.arch),
            value=None if trial.value is None else goal.sign * trial.value,
            cost=None if trial.evaluation is None else trial.evaluation.cost,
            error=trial.error,
            values=ABSENT
            if not several
            else None
            if trial.evaluation is None
            else own_values(result.goals, trial.evaluation),
        )
        for number, trial in enumerate(result.trials)
    )


def best_record(space: SearchSpace, goal: Goal, result: SearchResult) -> BestRecord | None:
    """The best trial by the first goal, or None if every trial failed or violates a limit."""
    best = result.incumbent
    if best is None or best.evaluation is None:
        return None
    return BestRecord(
        arch=space.format(best.arch),
        value=goal.sign * best.evaluation.value,
        metrics=dict(best.evaluation.metrics),
        test=best.evaluation.hidden.get(goal.metric),
    )


def front_fields(
    space: SearchSpace, result: SearchResult, box: Box | None, known: Sequence[str]
) -> dict[str, Any]:
    """The fields of a search of several goals or with limits; none of a search of one goal.

    Args:
        space: The space of the architectures.
        result: The search.
        box: Where the hypervolume is measured, or None.
        known: Metrics that the search could read of all architectures.
    """
    if len(result.goals) == 1:
        return {}
    return {
        "goals": goal_records(result.goals, known),
        "limits": limit_records(result, known),
        "front": front_points(space, result),
        "hypervolume": None if box is None else float(box.curve(result)[-1]),
        "reference": None if box is None else box.reference,
        "violations": result.violations,
    }
