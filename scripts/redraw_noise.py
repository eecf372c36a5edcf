"""Tables with new noise; run by ``scripts/redraw-noise``.

In a table with one training a row, the optimum is partly luck. To measure a search independently of
it, each task is replaced by a smooth fit with new Gaussian noise.
"""

from __future__ import annotations

import argparse

import numpy as np

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.predictors.gp import GaussianProcess

_ROWS = 2_000  # rows of the fit; with more a Gaussian process takes minutes


def smooth(task: TabularTask) -> np.ndarray:
    """Fit of a Gaussian process on a part of the rows, in the searched sign: float64 (rows,)."""
    rows = np.random.default_rng(0).permutation(len(task))[:_ROWS]
    return GaussianProcess().fit(task.data(np.sort(rows))).predict(task.choices).mean


def main() -> None:
    """Write tables like BENCHMARK under its name with -redrawn-0, -redrawn-1 and so on."""
    parser = argparse.ArgumentParser(prog="scripts/redraw-noise", description=__doc__)
    parser.add_argument("benchmark")
    parser.add_argument("--std", type=float, default=0.3, help="of the noise (default: 0.3)")
    parser.add_argument("--tables", type=int, default=5, help="how many (default: 5)")
    arguments = parser.parse_args()
    benchmark = open_benchmark(arguments.benchmark)
    tasks = [benchmark.task(name) for name in benchmark.tasks]
    fits = [task.goal.sign * smooth(task) for task in tasks]
    for number in range(arguments.tables):
        rng = np.random.default_rng(number)
        name = f"{benchmark.name}-redrawn-{number}"
        specs = [
            TaskSpec(task.name, task.goal, fit + rng.normal(0, arguments.std, len(fit)))
            for task, fit in zip(tasks, fits, strict=True)
        ]
        spec = TableSpec(name, benchmark.space, tasks[0].choices, specs, "noise drawn anew")
        path = tables_folder() / f"{name}.h5"
        write_table(path, spec)
        print(path)


if __name__ == "__main__":
    main()
