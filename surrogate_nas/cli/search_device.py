"""Measures on the device what ``surrogate-nas search --cost-model TABLE --verify K`` returns."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from surrogate_nas.cli.measure import measure_visibly
from surrogate_nas.errors import InvalidArgumentError

if TYPE_CHECKING:
    from surrogate_nas.evaluation import Goal, Trial
    from surrogate_nas.records import DeviceCheck
    from surrogate_nas.workflows.measure import Measuring
    from surrogate_nas.workflows.search import SearchOutcome


def plan_measuring(arguments: argparse.Namespace) -> Measuring | None:
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

    task = open_cost_model(arguments.cost_model, arguments.cost_sources).task
    table = getattr(task, "table", None)
    if not isinstance(table, HDF5Benchmark):
        raise InvalidArgumentError(
            f"--verify measures on the device of --cost-model, and {arguments.cost_model!r} is no "
            "table that 'surrogate-nas measure' wrote; leave out --verify"
        )
    measuring = measuring_of(table)
    if task.goal.metric not in NetworkCost.__dataclass_fields__:
        raise InvalidArgumentError(
            f"--verify measures {', '.join(NetworkCost.__dataclass_fields__)}, and the metric of "
            f"{arguments.cost_model!r} is {task.goal.metric}; leave out --verify"
        )
    return measuring


def checked(measuring: Measuring, outcome: SearchOutcome, top: int) -> DeviceCheck | None:
    """Measure the best networks that keep all limits; None if there are none."""
    import numpy as np

    from surrogate_nas.records import CheckedNetwork, DeviceCheck
    from surrogate_nas.workflows.measure import LATENCY

    goals = outcome.setup.objective.goals
    (at,) = [i for i, goal in enumerate(goals) if goal.metric == LATENCY.metric] or [0]
    goal, trials = goals[at], _best(outcome, top)
    if not trials:
        return None
    rows = np.array([trial.arch.choices for trial in trials], dtype=np.int16)
    found = measure_visibly(measuring, rows, out=None)
    networks = []
    for trial in trials:
        cost = found.costs.get(trial.arch.choices)
        if cost is None or trial.evaluation is None:
            continue
        value = float(getattr(cost, goal.metric))
        networks.append(
            CheckedNetwork(
                arch=outcome.setup.space.format(trial.arch),
                expected=goal.sign * trial.evaluation.values[at],
                measured=value,
                holds=_holds(goal, value),
            )
        )
    return DeviceCheck(
        metric=goal.metric,
        device=measuring.where.type,
        machine=measuring.machine,
        networks=tuple(networks),
        violations=sum(network.holds is False for network in networks),
        best=next((network.arch for network in networks if network.holds is not False), None),
    )


def _holds(goal: Goal, value: float) -> bool | None:
    return None if goal.limit is None else goal.sign * value >= goal.sign * goal.limit


def _best(outcome: SearchOutcome, top: int) -> list[Trial]:
    """Trials of different networks that keep all limits, the best by the first goal first."""
    from surrogate_nas.records.results import keeps

    goals, space = outcome.setup.objective.goals, outcome.setup.space
    kept = {
        space.key(trial.arch): trial
        for trial in outcome.result.trials
        if trial.evaluation is not None and keeps(goals, trial.evaluation)
    }
    return sorted(kept.values(), key=lambda trial: -(trial.value or 0.0))[:top]


def show(check: DeviceCheck | None) -> None:
    """Print what was measured."""
    if check is None:
        print("no network kept the limits, so none was measured")
        return
    print(f"measured on {check.device} ({check.machine}):")
    for network in check.networks:
        limit = {None: "", True: ", keeps the limit", False: ", BEYOND the limit"}[network.holds]
        print(
            f"  {check.metric} {network.measured:.4g}, expected {network.expected:.4g}{limit}: "
            f"{network.arch}"
        )
    if check.violations:
        best = "none of them keeps it" if check.best is None else f"the best is {check.best}"
        print(f"{check.violations} of {len(check.networks)} are beyond the limit; {best}")
