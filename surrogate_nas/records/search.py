"""The answer of ``surrogate-nas search``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from surrogate_nas.evaluation import Goal
from surrogate_nas.records.base import ABSENT, Absence, JsonRecord
from surrogate_nas.records.results import SearchResult
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
    """

    number: int
    arch: str
    value: float | None
    cost: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class BestRecord(JsonRecord):
    """The best trial of a search.

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
        seconds: How long it took.
    """

    benchmark: str | None = None
    task: str | None = None
    space: str | Literal[Absence.ABSENT] = ABSENT
    dataset: str | Literal[Absence.ABSENT] = ABSENT
    epochs: int | Literal[Absence.ABSENT] = ABSENT
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
    seconds: SearchSeconds


def trial_records(space: SearchSpace, goal: Goal, result: SearchResult) -> tuple[TrialRecord, ...]:
    """All trials of a search of one goal."""
    return tuple(
        TrialRecord(
            number=number,
            arch=space.format(trial.arch),
            value=None if trial.value is None else goal.sign * trial.value,
            cost=None if trial.evaluation is None else trial.evaluation.cost,
            error=trial.error,
        )
        for number, trial in enumerate(result.trials)
    )


def best_record(space: SearchSpace, goal: Goal, result: SearchResult) -> BestRecord | None:
    """The best trial of a search of one goal, or None if every trial failed."""
    best = result.best
    if best is None or best.evaluation is None:
        return None
    return BestRecord(
        arch=space.format(best.arch),
        value=goal.sign * best.evaluation.value,
        metrics=dict(best.evaluation.metrics),
        test=best.evaluation.hidden.get(goal.metric),
    )
