"""Builds the table of `cell-bench`, and measures it; what ``scripts/cell-bench`` runs."""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.cell_bench import TASKS, training_of
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.cli.build import build_visibly
from surrogate_nas.cli.console import names, note, plain_warnings, positive
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.metrics import kendall_tau, spearman
from surrogate_nas.spaces import open_space
from surrogate_nas.training.plan import plan_training
from surrogate_nas.training.recorder import TrainingRecorder
from surrogate_nas.workflows.build import Task, choose

_BEST = 3
_SEEDS = 3


def main() -> None:
    """Train all architectures of dense-cell on each task, or go on where that was stopped."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--data-dir", type=Path, help="folder of the IDX files of Fashion-MNIST, or of CIFAR-10")
    option("--task", type=names, default=list(TASKS), help="or cifar10-5k (default: %(default)s)")
    option("--seeds", type=positive, default=_SEEDS, help="default: %(default)s")
    option("--count", type=positive, help="only so many architectures, drawn at random")
    option("--workers", type=positive, help="processes (default: all cores)")
    option("--out", type=Path, default=Path("cell-bench.h5"))
    option("--measure", type=Path, metavar="FILE", help="only measure a table that is there")
    arguments = parser.parse_args()
    with plain_warnings(), one_thread():
        table = HDF5Benchmark(arguments.measure or _built(arguments))
        if all((table.task(name).training or {}).get("seeds", 0) >= _SEEDS for name in table.tasks):
            print(measured(table))
        else:
            note(f"with {_SEEDS} seeds or more it can be measured")


def _built(arguments: argparse.Namespace) -> Path:
    space = open_space("dense-cell")
    tasks = {}
    for name in arguments.task:
        recorded = {"options": {}, "data": None, **training_of(name)}
        objective, training = plan_training(
            space, recorded, data_dir=arguments.data_dir, device="cpu"
        )
        tasks[name] = Task(TrainingRecorder(objective), training)
    built = build_visibly(
        space,
        tasks,
        choose(space, arguments.count),
        out=arguments.out,
        seeds=arguments.seeds,
        workers=arguments.workers,
        licence="Apache-2.0",
    )
    note(f"{built.path}: {built.architectures} architectures, {len(built.failed)} failures")
    return built.path


# The numbers of the card ------------------------------------------------------------------------


def measured(table: HDF5Benchmark) -> str:
    """Noise, range, cost, best cells and rank correlations of a table, in Markdown.

    Args:
        table: With three seeds or more.
    """
    noise = [
        "| task | ρ, seeds 0 and 1 | τ | ρ, all pairs | τ | ρ, all pairs, best quarter | "
        "ρ, validation and test | deviation between seeds | between cells |",
        "|---" * 9 + "|",
    ]
    ranges = ["| task | lowest | median | highest | seconds a training |", "|---" * 5 + "|"]
    best = ["| task | cell | validation | test |", "|---" * 4 + "|"]
    final: dict[str, FloatArray] = {}
    for name in table.tasks:
        columns = {key: values[..., -1] for key, (_, values) in table.columns(name).items()}
        values, test, seconds = (columns[k] for k in (VALIDATION, TEST, f"{METRICS}seconds"))
        final[name] = mean = values.mean(axis=1)
        noise.append(
            f"| {name} | {_agreement(values[:, :2])} | {_agreement(values)} | "
            f"{_best_quarter(values):.2f} | {spearman(mean, test.mean(axis=1)):.2f} | "
            f"{np.median(values.std(axis=1, ddof=1)):.1f} | {mean.std():.1f} |"
        )
        low, middle, high = np.quantile(mean, (0, 0.5, 1))
        ranges.append(
            f"| {name} | {low:.1f} | {middle:.1f} | {high:.1f} | {np.median(seconds):.2f} |"
        )
        for row in np.argsort(-mean, kind="stable")[:_BEST]:
            cell = table.space.format(table.space.architecture(table.choices[row]))
            best.append(f"| {name} | `{cell}` | {mean[row]:.1f} | {test[row].mean():.1f} |")
        final[f"parameters, {name}"] = columns[f"{METRICS}parameters"][:, 0]
    return "\n".join([*noise, "", *ranges, "", *best, "", *_between(table.tasks, final)])


def _agreement(values: FloatArray) -> str:
    """Mean ρ and τ over pairs of seeds of (rows, seeds)."""
    pairs = [values[:, list(pair)].T for pair in combinations(range(values.shape[1]), 2)]
    means = (np.mean([of(a, b) for a, b in pairs]) for of in (spearman, kendall_tau))
    return " | ".join(f"{mean:.2f}" for mean in means)


def _best_quarter(values: FloatArray) -> float:
    """Mean ρ over pairs of seeds, among the quarter that is best by the remaining seeds."""
    found = []
    for pair in combinations(range(values.shape[1]), 2):
        others = np.delete(values, pair, axis=1).mean(axis=1)
        top = np.argsort(-others, kind="stable")[: len(values) // 4]
        found.append(spearman(*values[top][:, list(pair)].T))
    return float(np.mean(found))


def _between(tasks: tuple[str, ...], final: dict[str, FloatArray]) -> list[str]:
    lines = [f"| Spearman's ρ | {' | '.join(tasks)} |", "|---" * (len(tasks) + 1) + "|"]
    for task in tasks:
        cells = [f"{spearman(final[task], final[other]):.2f}" for other in tasks]
        lines.append(f"| {task} | {' | '.join(cells)} |")
    cells = [f"{spearman(final[f'parameters, {task}'], final[task]):.2f}" for task in tasks]
    return [*lines, f"| parameters | {' | '.join(cells)} |"]


if __name__ == "__main__":
    main()
