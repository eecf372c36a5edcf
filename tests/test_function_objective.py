"""A function of the user's own as an objective."""

import pytest

from surrogate_nas.evaluation import FunctionObjective, Goal, Report
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture

SPACE = open_space("nats-size")
ARCH = SPACE.parse("8:16:24:32:40")


def _curve(arch: Architecture, report: Report) -> float:
    """Six epochs whose values are 1, 2, …; what it catches does not keep it going."""
    for epoch in range(1, 7):
        try:
            report(epoch, float(epoch))
        except Exception:
            continue
    return 6.5


def test_a_function_that_reports_nothing_costs_one() -> None:
    objective = FunctionObjective(SPACE, lambda arch: sum(arch.choices), goal=Goal("loss", False))
    found = objective.evaluate(ARCH, seed=3)
    assert (found.value, found.cost, found.budget, found.seed) == (-10.0, 1.0, 1, 3)


def test_reported_epochs_are_the_budget() -> None:
    found = FunctionObjective(SPACE, _curve).evaluate(ARCH, budget=9)
    assert (found.value, found.cost, found.budget) == (6.5, 6.0, 6)


def test_a_stopped_function_has_its_last_value() -> None:
    seen = []

    def stop(epoch: int, value: float) -> bool:
        seen.append((epoch, value))
        return epoch == 4

    found = FunctionObjective(SPACE, _curve, stop=stop).evaluate(ARCH)
    assert (found.value, found.cost, found.budget) == (4.0, 4.0, 4)
    assert seen == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]
    loss = FunctionObjective(SPACE, _curve, goal=Goal("loss", maximise=False), stop=stop)
    assert loss.evaluate(ARCH).value == -4.0


def test_a_failure_stays_an_exception() -> None:
    def fail(arch: Architecture) -> float:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        FunctionObjective(SPACE, fail).evaluate(ARCH)
