"""Measures on the device what ``surrogate-nas search --cost-model TABLE --verify K`` returns."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from surrogate_nas.cli.measure import measure_visibly
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.number_text import rounded

if TYPE_CHECKING:
    from surrogate_nas._types import IntArray
    from surrogate_nas.evaluation import Goal, Trial
    from surrogate_nas.records import DeviceCheck
    from surrogate_nas.transfer.cost_model import CostModel
    from surrogate_nas.workflows.measure import Measuring
    from surrogate_nas.workflows.search import SearchOutcome


@dataclass(frozen=True)
class DevicePlan:
    """How the best networks are measured.

    Attributes:
        measuring: On the device.
        model: What networks are expected to cost there.
        top: Number of networks.
        confidence: Probability with which a network shall keep the limit before it is measured.
    """

    measuring: Measuring
    model: CostModel
    top: int
    confidence: float


def plan_measuring(arguments: argparse.Namespace) -> DevicePlan | None:
    """How the best are measured, if that is asked for.

    Raises:
        InvalidArgumentError: If the cost model is no table of this machine's device.
    """
    if arguments.cost_model is None or arguments.verify is None:
        return None
    from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
    from surrogate_nas.training.cost.measuring import NetworkCost
    from surrogate_nas.transfer.cost_model import open_cost_model
    from surrogate_nas.workflows.measure import measuring_of

    model = open_cost_model(arguments.cost_model, arguments.cost_sources)
    table = getattr(model.task, "table", None)
    if not isinstance(table, HDF5Benchmark):
        raise InvalidArgumentError(
            f"--verify measures on the device of --cost-model, and {arguments.cost_model!r} is no "
            "table that 'surrogate-nas measure' wrote; leave out --verify"
        )
    measuring = measuring_of(table)
    if model.task.goal.metric not in NetworkCost.__dataclass_fields__:
        raise InvalidArgumentError(
            f"--verify measures {', '.join(NetworkCost.__dataclass_fields__)}, and the metric of "
            f"{arguments.cost_model!r} is {model.task.goal.metric}; leave out --verify"
        )
    return DevicePlan(measuring, model, arguments.verify, arguments.confidence)


def checked(plan: DevicePlan, outcome: SearchOutcome) -> DeviceCheck | None:
    """Measure the best networks that keep all limits; None if there are none."""
    from surrogate_nas.records import CheckedNetwork, DeviceCheck

    goals = outcome.setup.objective.goals
    (at,) = [i for i, goal in enumerate(goals) if goal.metric == plan.model.goal.metric]
    goal, trials = goals[at], _candidates(outcome, at)
    if not trials:
        return None
    costs = _measured(plan, goal, trials)
    networks = []
    for number, cost in sorted(costs.items(), key=lambda item: -(trials[item[0]].value or 0.0)):
        trial = trials[number]
        expected = 0.0 if trial.evaluation is None else trial.evaluation.values[at]
        networks.append(
            CheckedNetwork(
                arch=outcome.setup.space.format(trial.arch),
                expected=goal.sign * expected,
                measured=cost,
                holds=_holds(goal, cost),
            )
        )
    return DeviceCheck(
        metric=goal.metric,
        device=plan.measuring.where.type,
        machine=plan.measuring.machine,
        networks=tuple(networks),
        violations=sum(network.holds is False for network in networks),
        best=next((network.arch for network in networks if network.holds is not False), None),
    )


def _measured(plan: DevicePlan, goal: Goal, trials: list[Trial]) -> dict[int, float]:
    """Costs by the number of the trial: of the best, or with a limit see `measured_in_turn`."""
    import numpy as np

    from surrogate_nas.transfer.limit_check import measured_in_turn

    def measure(row: IntArray) -> float | None:
        found = measure_visibly(plan.measuring, row[None], out=None)
        cost = found.costs.get(tuple(row.tolist()))
        return None if cost is None else float(getattr(cost, goal.metric))

    rows = np.array([trial.arch.choices for trial in trials], dtype=np.int16)
    if goal.limit is None:
        found = {number: measure(rows[number]) for number in range(min(plan.top, len(rows)))}
        return {number: cost for number, cost in found.items() if cost is not None}
    values = np.array([trial.value or 0.0 for trial in trials])
    return measured_in_turn(
        plan.model, goal.limit, rows, values, measure, top=plan.top, confidence=plan.confidence
    )


def _holds(goal: Goal, value: float) -> bool | None:
    return None if goal.limit is None else goal.sign * value >= goal.sign * goal.limit


def _candidates(outcome: SearchOutcome, cost: int) -> list[Trial]:
    """Trials of different networks, the best by the first goal first.

    They keep all limits, but for that of the cost at this position, which is measured.
    """
    from surrogate_nas.records.results import keeps

    goals, space = outcome.setup.objective.goals, outcome.setup.space
    others = tuple(replace(g, limit=None) if i == cost else g for i, g in enumerate(goals))
    kept = {
        space.key(trial.arch): trial
        for trial in outcome.result.trials
        if trial.evaluation is not None and keeps(others, trial.evaluation)
    }
    return sorted(kept.values(), key=lambda trial: -(trial.value or 0.0))


def show(check: DeviceCheck | None) -> None:
    """Print what was measured."""
    if check is None:
        print("no network kept the limits, so none was measured")
        return
    print(f"measured on {check.device} ({check.machine}):")
    for network in check.networks:
        limit = {None: "", True: ", keeps the limit", False: ", BEYOND the limit"}[network.holds]
        measured, expected = rounded(network.measured, 4), rounded(network.expected, 4)
        print(f"  {check.metric} {measured}, expected {expected}{limit}: {network.arch}")
    if check.violations:
        best = "none of them keeps it" if check.best is None else f"the best is {check.best}"
        print(f"{check.violations} of {len(check.networks)} are beyond the limit; {best}")
