"""``meta-gnn`` in spaces that its sources do not know; run by ``scripts/unseen-spaces``.

An argument is ``TABLE=WEIGHTS``: the tasks of a table, and the weights that come with the program
and never saw its suite. ``mobilenet`` and ``residuals`` are spaces in place of a table. The first
is that of the program, the other a chain of 12 layers, each a skip, a convolution or one of four
inverted residual blocks. Their tasks are made up: an option has an effect that is the same in all
layers and one of its layer, and two consecutive options have a pairwise one, all Gaussian, with
standard deviations 0.7, 0.7 and 0.5. Measurements have noise of 0.3 standard deviations.

Both predictors get the same random supports, and are tested on the same other architectures. A row
is the mean over tasks and supports: Kendall's tau of ``meta-gnn`` and ``gp``, and the share of
values in the 90 % intervals of ``meta-gnn``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.weights import SHIPPED, read_weights
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.tensor_files import SUFFIX

_OTHERS = 1_000  # architectures that a predictor is tested on
_TASKS = 3  # made-up ones of a space

RESIDUALS = """
name = "residuals"
graph = "chain"
decisions = 12
options = ["skip", "conv3", "small", "wide", "large", "largest"]

[operations]
conv3 = {operation = "conv", kernel = 3}
small = {operation = "inverted_residual", kernel = 3, expansion = 3}
wide = {operation = "inverted_residual", kernel = 3, expansion = 6}
large = {operation = "inverted_residual", kernel = 5, expansion = 3}
largest = {operation = "inverted_residual", kernel = 5, expansion = 6}
"""


class Row(NamedTuple):
    """Means over tasks and supports of one size.

    Attributes:
        labels: Size of a support.
        transferred: Kendall's tau of ``meta-gnn``.
        scratch: That of ``gp``.
        error: Standard error of the mean difference of the two, over tasks and supports.
        coverage: Share of values in the 90 % intervals of ``meta-gnn``.
    """

    labels: int
    transferred: float
    scratch: float
    error: float
    coverage: float


def made_up(space: SearchSpace, seed: int) -> TaskData:
    """A task of twice as many random architectures as are tested."""
    rng = np.random.default_rng(seed)
    drawn = space.keys(space.sample_choices(rng, 2 * _OTHERS))
    choices = np.unique(drawn, axis=0)
    shared = {size: rng.normal(size=size) for size in set(space.sizes)}
    values = np.zeros(len(choices))
    for i, size in enumerate(space.sizes):
        values += 0.7 * (shared[size] + rng.normal(size=size))[choices[:, i]]
    for i, sizes in enumerate(zip(space.sizes[:-1], space.sizes[1:], strict=True)):
        values += 0.5 * rng.normal(size=sizes)[choices[:, i], choices[:, i + 1]]
    values += 0.3 * values.std() * rng.normal(size=len(choices))
    return TaskData(f"made up {seed}", space, choices, values)


def tasks(table: str) -> list[TaskData]:
    """Those of a table, or made-up ones of a space."""
    if table in ("mobilenet", "residuals"):
        space = open_space(table) if table == "mobilenet" else CustomSpace(RESIDUALS)
        return [made_up(space, seed) for seed in range(_TASKS)]
    benchmark = open_benchmark(table)
    return [benchmark.task(name).data() for name in benchmark.tasks]


def measured(
    learner: MetaGNN, suite: Sequence[TaskData], sizes: Sequence[int], supports: int
) -> Iterator[Row]:
    """A row for each size of a support."""
    for size in sizes:
        found = []
        for seed in range(supports):
            for task in suite:
                rows = np.random.default_rng([seed, size]).permutation(len(task))
                some = task.take(rows[:size])
                others = task.take(rows[size : size + _OTHERS])
                transferred = learner.adapt(some).predict(others.choices)
                scratch = GaussianProcess(seed=seed).fit(some).predict(others.choices)
                found.append(
                    (
                        kendall_tau(transferred.mean, others.values),
                        kendall_tau(scratch.mean, others.values),
                        coverage_90(transferred, others.values),
                    )
                )
        values = np.array(found)
        error = (values[:, 0] - values[:, 1]).std(ddof=1) / np.sqrt(len(values))
        yield Row(size, *values[:, :2].mean(axis=0), error, values[:, 2].mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each table and size."""
    parser = argparse.ArgumentParser(description="meta-gnn in spaces that its sources do not know")
    parser.add_argument("pairs", nargs="+", metavar="TABLE=WEIGHTS")
    parser.add_argument("--labels", default="5,10,20")
    parser.add_argument("--supports", type=int, default=10)
    options = parser.parse_args(arguments)
    for pair in options.pairs:
        table, _, weights = pair.partition("=")
        tensors, settings = read_weights(SHIPPED / f"{weights}{SUFFIX}")
        learner = MetaGNN.restored(tensors, settings.learner)
        sizes = [int(size) for size in options.labels.split(",")]
        for row in measured(learner, tasks(table), sizes, options.supports):
            print(
                f"{table} by {weights}, {row.labels} labels: meta-gnn {row.transferred:.3f}, "
                f"gp {row.scratch:.3f} (difference's standard error {row.error:.3f}), "
                f"coverage {row.coverage:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
