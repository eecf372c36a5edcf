"""What searchers need for several goals: an order of trials, and scalarisations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas import fronts
from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import Goal

_AUGMENTED = 0.05  # weight of the sum beside the worst goal

Values = tuple[float, ...]
"""Of one evaluation, larger is better."""


def least_values(goals: Sequence[Goal]) -> list[float | None]:
    """The least value of each goal that keeps its limit, or None where it has none."""
    return [None if goal.limit is None else goal.sign * goal.limit for goal in goals]


def split(values: FloatArray, goals: Sequence[Goal]) -> tuple[FloatArray, FloatArray]:
    """Values of the goals without a limit, and the violation of the limits.

    Args:
        values: float (n, goals).
        goals: In this order.

    Returns:
        float (n, free goals), and float (n,), see `surrogate_nas.fronts.violation`.
    """
    values = np.asarray(values, dtype=np.float64).reshape(-1, len(goals))
    free = [goal.limit is None for goal in goals]
    return values[:, free], fronts.violation(values, least_values(goals))


def best_first(values: Sequence[Values], goals: Sequence[Goal]) -> IntArray:
    """Positions by constraint domination and crowding, see `surrogate_nas.fronts.best_first`."""
    return fronts.best_first(*split(np.array(values), goals))


class Scalarisation:
    """One number for several goals: an augmented Tchebycheff function with random weights.

    Knowles, "ParEGO: a hybrid algorithm with on-line landscape approximation for expensive
    multiobjective optimization problems", 2006. Each goal counts from the best value known, in
    units of its range on the front; an architecture that violates a limit is behind all others.
    """

    def __init__(
        self, values: Sequence[Values], goals: Sequence[Goal], rng: np.random.Generator
    ) -> None:
        """Draw weights, and take the ranges from what is known: at least one row of values."""
        self.goals = goals
        free, violations = split(np.array(values), goals)
        front = free[fronts.ranks(free, violations) == 0]
        self.best = front.max(axis=0)
        span = self.best - front.min(axis=0)
        self.span = np.where(span > 0, span, np.maximum(np.ptp(free, axis=0), 1e-12))
        self.weights = rng.dirichlet(np.ones(free.shape[1]))

    def __call__(self, values: Sequence[Values]) -> FloatArray:
        """Of evaluations: float (n,), larger is better."""
        free, violations = split(np.array(values), self.goals)
        merit = tchebycheff((free - self.best) / self.span, self.weights)
        beyond = violations > 0
        if beyond.any():
            merit[beyond] = merit.min() - 1 - violations[beyond]
        return merit


def tchebycheff(distance: FloatArray, weights: FloatArray) -> FloatArray:
    """Augmented Tchebycheff function of distances from the best: float (n,), larger is better.

    Args:
        distance: float (n, goals), 0 at the best value of each goal and negative behind it.
        weights: float (goals,).
    """
    weighted = distance * weights
    return np.asarray(weighted.min(axis=1) + _AUGMENTED * weighted.sum(axis=1))
