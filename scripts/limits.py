"""Measures how well searches keep a limit of latency that ten measured networks describe.

For each device of a table of devices, ten random networks count as measured. The latency of all
others is predicted from these and from the sources. A search under a limit of the predicted latency
returns the best network that it found; the script looks up whether that keeps the limit, and how
far its value is behind that of the best network that does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli.console import names, natural, note, positive
from surrogate_nas.evaluation import Goal
from surrogate_nas.parallel import one_thread
from surrogate_nas.records.results import keeps
from surrogate_nas.transfer.cost_model import open_cost_model
from surrogate_nas.transfer.limit_check import measured_in_turn
from surrogate_nas.workflows.goals import WantedGoals
from surrogate_nas.workflows.search import SearchOptions, search_task
from surrogate_nas.workflows.setups import table_setup

_LATENCY = Goal("latency_ms", maximise=False, unit="ms")


def main() -> None:
    """Print a line for each device and limit, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--benchmark", required=True, help="table of accuracies")
    option("--task", required=True)
    option("--devices", required=True, help="table with a task a device")
    option("--test", type=names, required=True, help="devices that are searched for")
    option("--sources", type=names, required=True, help="devices that are known")
    option("--method", default="evolution+gp")
    option("--quantiles", type=names, default=["0.1", "0.3", "0.5"])
    option("--trials", type=positive, default=100)
    option("--seeds", type=positive, default=5)
    option("--measured", type=positive, default=10)
    option("--confidence", type=float, default=0.95)
    option("--verify", type=natural, default=0, help="networks that are measured at the end")
    arguments = parser.parse_args()
    found = []
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        for device in arguments.test:
            for quantile in map(float, arguments.quantiles):
                rows = [
                    _run(arguments, device, quantile, seed, Path(folder))
                    for seed in range(arguments.seeds)
                ]
                found += rows
                print(f"{device}, {quantile:.0%}: {_text(rows)}", flush=True)
    print(f"all: {_text(found)}")


def _run(
    arguments: argparse.Namespace, device: str, quantile: float, seed: int, folder: Path
) -> tuple[bool, float]:
    """Whether the returned network violates the limit, and its distance to the best that do not."""
    task = open_benchmark(arguments.benchmark).task(arguments.task)
    truth = open_benchmark(arguments.devices).task(device)
    path = folder / f"{device}-{seed}.h5"
    if not path.exists():
        _measure(truth, path, seed, arguments.measured)
    limit = float(np.quantile(-truth.values, quantile))
    sources = f"{arguments.devices}:{','.join(s for s in arguments.sources if s != device)}"
    wanted = WantedGoals(
        limits=(f"latency_ms<={limit!r}",),
        cost_model=str(path),
        cost_sources=sources,
        confidence=arguments.confidence,
    )
    options = SearchOptions(trials=arguments.trials, seed=seed)
    outcome = search_task(table_setup(wanted.of([task]), arguments.method, options))
    latency = -truth.lookup(task.choices)
    best = float(task.values[latency <= limit].max())
    goals = outcome.setup.objective.goals
    kept = {
        trial.arch: trial.value
        for trial in outcome.result.trials
        if trial.evaluation is not None
        and trial.value is not None
        and keeps(goals, trial.evaluation)
    }
    if arguments.verify == 0:
        if not kept:
            note(f"{device}, {quantile}, seed {seed}: nothing kept the predicted limit")
            return False, best - float(task.values.min())
        top = max(kept, key=lambda arch: kept[arch])
        return float(-truth.lookup(np.array([top.choices]))[0]) > limit, best - kept[top]
    tried = {t.arch: t.value for t in outcome.result.trials if t.value is not None}
    rows, values = np.array([arch.choices for arch in tried]), np.array(list(tried.values()))
    costs = measured_in_turn(
        open_cost_model(str(path), sources),
        limit,
        rows,
        values,
        lambda row: float(-truth.lookup(row[None])[0]),
        top=arguments.verify,
        confidence=arguments.confidence,
    )
    holding = [values[at] for at, cost in costs.items() if cost <= limit]
    return not holding, best - float(max(holding or [values.max()]))


def _measure(truth: TabularTask, path: Path, seed: int, count: int) -> None:
    rows = np.random.default_rng(seed).choice(len(truth), count, replace=False)
    task = TaskSpec("device", _LATENCY, -truth.values[rows])
    write_table(path, TableSpec(path.stem, truth.space, truth.choices[rows], [task]))


def _text(rows: list[tuple[bool, float]]) -> str:
    violated = np.mean([violates for violates, _ in rows])
    behind = [distance for violates, distance in rows if not violates]
    middle = float(np.mean(behind)) if behind else float("nan")
    return f"{violated:.0%} violate, {middle:.2f} behind the best that keeps it"


if __name__ == "__main__":
    main()
