"""Which goals go together."""

from __future__ import annotations

from collections.abc import Sequence

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal


def checked_goals(goals: Sequence[Goal]) -> tuple[Goal, ...]:
    """The goals in the order that searches have: those without a limit first.

    Raises:
        InvalidArgumentError: If there is none without a limit, or a metric is given twice.
    """
    metrics = [goal.metric for goal in goals]
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise InvalidArgumentError(
                f"goals must be of different metrics, got {metric!r} twice; a metric is either "
                "optimised or has one limit, so give it once"
            )
    found = tuple(sorted(goals, key=lambda goal: goal.limit is not None))
    if not found or found[0].limit is not None:
        listed = ", ".join(goal.text for goal in goals) or "none"
        raise InvalidArgumentError(
            f"goals must have one without a limit, which is optimised, got {listed}"
        )
    return found


def check_one_goal(goals: Sequence[Goal], who: str) -> None:
    """Check that there is exactly one goal, for what serves one only.

    Args:
        goals: Of an objective or a stored search.
        who: Name of what serves one goal, for the message.

    Raises:
        InvalidArgumentError: If there is not exactly one.
    """
    if len(goals) != 1:
        named = ", ".join(goal.metric for goal in goals) or "none"
        raise InvalidArgumentError(
            f"{who} serves one goal, got {len(goals)} ({named}); give an objective with one of "
            "them, the others may be metrics of its evaluations"
        )
