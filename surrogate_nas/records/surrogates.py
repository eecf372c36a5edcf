"""The answer of ``surrogate-nas check-surrogate``, and what ``build`` says of a surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surrogate_nas.records.base import JsonRecord


@dataclass(frozen=True, slots=True)
class SurrogateSummary(JsonRecord):
    """A surrogate benchmark that was built; the card in its file says more.

    Attributes:
        fitted_to: The table or store of the measurements.
        rows: Number of architectures that it was fitted to.
        sampling: How many of them were chosen at random, and by each searcher.
        tau: For each task Kendall's τ-b of values and predictions of held-out rows.
        rmse: Likewise the root of the mean squared error, in the goal's unit.
        coverage: Likewise the share of values inside the central 90 % interval.
    """

    fitted_to: str
    rows: int
    sampling: Mapping[str, int]
    tau: Mapping[str, float]
    rmse: Mapping[str, float]
    coverage: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SurrogateTaskCheck(JsonRecord):
    """One task of a surrogate against the table of all measurements.

    Values of searches are means over seeds of the best value found, in the goal's own sign.

    Attributes:
        task: Name of the task.
        searchers_tau: Kendall's τ-b, between surrogate and table, of the searchers' values at all
            budgets.
        at: The budgets, in trials.
        tau_at: Kendall's τ-b of the searchers' values at each budget.
        ceiling: Kendall's τ-b of the searchers' values at all budgets on the table alone, between
            one half of the seeds and the other; null with one seed.
        surrogate: The values of each searcher on the surrogate at each budget.
        truth: Likewise on the table.
        regret: How far the true value of the surrogate's best architecture is below the best of
            the table.
        seed_deviation: Deviation between seeds of the best hundredth of the table; null where the
            table has one seed.
        tau: Kendall's τ-b of predicted and true values of architectures that the surrogate was not
            fitted to.
        tau_good: Likewise of the tenth of them with the best true values.
        coverage: Share of their true values inside the central 90 % interval.
        extrapolation: Share of them that are marked as far from all known ones.
        rest: Number of these architectures.
    """

    task: str
    searchers_tau: float
    at: tuple[int, ...]
    tau_at: tuple[float, ...]
    ceiling: float | None
    surrogate: Mapping[str, tuple[float, ...]]
    truth: Mapping[str, tuple[float, ...]]
    regret: float
    seed_deviation: float | None
    tau: float
    tau_good: float
    coverage: float
    extrapolation: float
    rest: int


@dataclass(frozen=True, slots=True)
class SurrogateCheckRecord(JsonRecord):
    """A surrogate against the table of all measurements; means over the tasks.

    Attributes:
        path: The file of the surrogate.
        against: The table.
        searchers_tau: See `SurrogateTaskCheck`.
        regret: See `SurrogateTaskCheck`.
        tau: See `SurrogateTaskCheck`.
        coverage: See `SurrogateTaskCheck`.
        searchers: The searchers.
        seeds: Searches of each on each task and side.
        tasks: Each task.
        seconds: Duration.
    """

    path: str
    against: str
    searchers_tau: float
    regret: float
    tau: float
    coverage: float
    searchers: tuple[str, ...]
    seeds: int
    tasks: tuple[SurrogateTaskCheck, ...]
    seconds: float
