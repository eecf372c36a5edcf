"""Measures how well few measured networks rank all others on a new device.

For each device, random networks count as measured, and the costs of all networks of the table are
predicted from these and from the other devices that are named as sources.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.cli.console import names, positive
from surrogate_nas.evaluation import TaskData
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.meta.cost import MetaCost
from surrogate_nas.predictors.metrics import coverage_90, spearman


def main() -> None:
    """Print Spearman's ρ and the coverage of the 90 % interval for each device, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--devices", required=True, help="table with a task a device")
    option("--test", type=names, required=True, help="new devices")
    option("--sources", type=names, required=True, help="devices that are known")
    option("--measured", type=positive, default=10)
    option("--draws", type=positive, default=10)
    arguments = parser.parse_args()
    table = open_benchmark(arguments.devices)
    found = []
    with one_thread():
        for device in arguments.test:
            sources = [_data(table.task(name)) for name in arguments.sources if name != device]
            learner, new = MetaCost().meta_fit(sources), _data(table.task(device))
            learner.prior(new.space)
            ranks, covered, seconds = [], [], []
            for seed in range(arguments.draws):
                rows = np.random.default_rng(seed).choice(len(new), arguments.measured, False)
                start = time.perf_counter()
                prediction = learner.adapt(new.take(rows)).predict(new.choices)
                seconds.append(time.perf_counter() - start)
                ranks.append(spearman(prediction.mean, new.values))
                covered.append(coverage_90(prediction, new.values))
            found.append(float(np.mean(ranks)))
            print(
                f"{device}: ρ {found[-1]:.3f} (worst draw {min(ranks):.3f}), 90 % intervals hold "
                f"{np.mean(covered):.0%}, {np.median(seconds):.2f} s",
                flush=True,
            )
    print(f"mean {np.mean(found):.4f}, worst {min(found):.3f}")


def _data(task: TabularTask) -> TaskData:
    return TaskData(task.name, task.space, task.choices, task.values)


if __name__ == "__main__":
    main()
