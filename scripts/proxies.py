"""Zero-cost proxies against the values of a table; run by ``scripts/proxies``, prints Markdown.

Networks and images are those of the trainings of the table; if it has no record of them, name the
images with --dataset. Each architecture is built untrained, and sees one batch. On NAS-Bench-201,
published rank correlations are shown beside ours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.cli.console import names, natural, note, numbers, positive, progress
from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.estimators import ForestRegressor
from surrogate_nas.predictors.metrics import kendall_tau, spearman
from surrogate_nas.predictors.structure.features import TREE_FAMILIES, StructuralFeatures
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.plan import plan_training
from surrogate_nas.training.proxies.values import PROXIES, proxy_values

_SEEDS = 10
_COUNTS = ["parameters", "flops"]
_PUBLISHED: dict[str, tuple[str, str]] = {
    # Spearman's ρ on NAS-Bench-201, CIFAR-10, batches of 64. Left: Abdelfattah et al., ICLR 2021,
    # all cells, as in notebooks/nasbench201_correlations.ipynb of their code
    # (github.com/SamsungLabs/zero-cost-nas). Right: figure 2 of Krishnakumar et al.,
    # "NAS-Bench-Suite-Zero", NeurIPS 2022, 1,000 random cells.
    "synflow": (".74", ".73"),
    "naswot": ("–", ".77"),
    "snip": (".60", ".58"),
    "grad_norm": (".59", ".58"),
    "jacob_cov": (".73", ".75"),
    "zen": ("–", ".35"),
    "parameters": ("–", ".72"),
    "flops": ("–", ".69"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Rank architectures of each task by each proxy."""
    parser = argparse.ArgumentParser(prog="scripts/proxies", allow_abbrev=False)
    parser.description = main.__doc__
    option = parser.add_argument
    option("--benchmark", default="cell-bench", help="default: %(default)s")
    option("--task", type=names, help="comma-separated (default: all)")
    option("--dataset", help="where the table records no trainings")
    option("--data-dir", type=Path, help="the folder or file of the data set")
    option("--sample", type=positive, default=300, help="cells, at random (default: %(default)s)")
    option("--seed", type=natural, default=0, help="of sample, images, weights (default: 0)")
    option("--batch", type=positive, default=64, help="images (default: %(default)s)")
    option("--proxy", type=names, default=list(PROXIES), help="default: all")
    option("--labels", type=numbers, default=[], help="numbers of cells that a forest learns from")
    option("--device", default="cpu", help="default: %(default)s")
    option("--save", type=Path, metavar="FILE.npz", help="keep the proxies of each cell, too")
    arguments = parser.parse_args(argv)
    kept: dict[str, Any] = {}
    try:
        with one_thread():
            benchmark = open_benchmark(arguments.benchmark)
            for name in arguments.task or benchmark.tasks:
                task = benchmark.task(name)
                training = _training(task, arguments)
                rows = np.random.default_rng(arguments.seed).permutation(len(task))
                rows = np.sort(rows[: arguments.sample])
                values = _proxies(task, training, rows, arguments)
                kept |= {f"{name} rows": rows, f"{name} proxies": values}
                published = task.space.name == "nasbench201" and training.dataset.name == "cifar10"
                lines = correlations(
                    arguments.proxy,
                    values,
                    task.values[rows],
                    sampled=len(rows) < len(task),
                    published=published,
                )
                print(f"\n{benchmark.name}, {name}: {len(rows)} of {len(task)} cells\n")
                print("\n".join(lines), flush=True)
                if published:
                    print(_all_counts(task, training), flush=True)
                if arguments.labels:
                    print(
                        "\n".join(["", *learnt(task, rows, values, arguments.labels)]), flush=True
                    )
    except SurrogateNASError as error:
        sys.exit(f"error: {error}")
    if arguments.save:
        np.savez(arguments.save, proxies=np.array(arguments.proxy), **kept)


def _training(task: TabularTask, arguments: argparse.Namespace) -> TrainingObjective:
    """An objective that defines the networks and the images; nothing is trained."""
    training, _ = plan_training(
        task.space,
        task.training,
        dataset=arguments.dataset,
        data_dir=arguments.data_dir,
        epochs=1,
        device=arguments.device,
    )
    return training


def _proxies(
    task: TabularTask, training: TrainingObjective, rows: IntArray, arguments: argparse.Namespace
) -> FloatArray:
    """float64 (rows, proxies), with progress."""
    found = []
    with progress(f"proxies, {task.name}", len(rows)) as advance:
        for row in rows:
            found.append(
                proxy_values(
                    task.choices[[row]],
                    task.space,
                    training.dataset,
                    arguments.proxy,
                    seed=arguments.seed,
                    batch=arguments.batch,
                    device=arguments.device,
                    network=training.network,
                    settings=training.settings,
                )
            )
            advance("")
    return np.concatenate(found)


def correlations(
    proxies: Sequence[str],
    values: FloatArray,
    true: FloatArray,
    *,
    sampled: bool = True,
    published: bool = False,
) -> list[str]:
    """A table of rank correlations, in Markdown.

    Args:
        proxies: Their names.
        values: float (n, proxies); cells with a proxy that is not finite do not count.
        true: float (n,).
        sampled: Whether the cells are a sample: then ρ has a standard error.
        published: Whether to add the published correlations on NAS-Bench-201.
    """
    heads = ["proxy", "ρ", *(["standard error"] if sampled else []), "τ"]
    heads += ["ρ, Abdelfattah et al.", "ρ, Krishnakumar et al."] if published else []
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, column in zip(proxies, values.T, strict=True):
        finite = np.isfinite(column)
        if not finite.all():
            note(f"{name} is not finite for {(~finite).sum()} cells, which do not count")
        rho = spearman(column[finite], true[finite])
        cells = [name, f"{rho:.2f}"]
        cells += [f"{_standard_error(rho, int(finite.sum())):.2f}"] if sampled else []
        cells += [f"{kendall_tau(column[finite], true[finite]):.2f}"]
        cells += _PUBLISHED[name] if published else ()
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _standard_error(rho: float, n: int) -> float:
    """Of Spearman's ρ (Fieller, Hartley and Pearson, "Tests for rank correlation", 1957)."""
    return float((1 - rho**2) * np.sqrt(1.06 / max(n - 3, 1)))


def _all_counts(task: TabularTask, training: TrainingObjective) -> str:
    """Rank correlations of the counts on all cells of NAS-Bench-201."""
    # All edges of a cell have one shape: the counts do not depend on the positions of operations.
    kinds, kind = np.unique(np.sort(task.choices, axis=1), axis=0, return_inverse=True)
    counts = proxy_values(kinds, task.space, training.dataset, _COUNTS)[kind]
    parts = [
        f"{name} {spearman(column, task.values):.3f}"
        for name, column in zip(_COUNTS, counts.T, strict=True)
    ]
    return f"\nρ on all {len(task):,} cells: {', '.join(parts)}"


def learnt(
    task: TabularTask, rows: IntArray, values: FloatArray, labels: Sequence[int]
) -> list[str]:
    """Kendall's τ of forests with and without proxies on all other cells, in Markdown.

    Args:
        task: The task of the cells.
        rows: Their positions in it, (n,).
        values: Their proxies, finite: float (n, proxies).
        labels: Numbers of cells to learn from, below n.
    """
    features = StructuralFeatures.of(task.space)
    structure = features.transform(task.choices[rows])[:, features.columns(TREE_FAMILIES)]
    inputs = {
        "structure": structure,
        "structure and proxies": np.hstack([structure, values]),
        "proxies": values,
    }
    true = task.values[rows]
    lines = [f"| labels | {' | '.join(inputs)} |", "|---" * (len(inputs) + 1) + "|"]
    for size in labels:
        taus = []
        for seed in range(_SEEDS):
            order = np.random.default_rng([seed, size]).permutation(len(rows))
            seen, rest = order[:size], order[size:]
            forests = [ForestRegressor().fit(x[seen], true[seen]) for x in inputs.values()]
            taus.append(
                [
                    kendall_tau(forest.predict(x[rest]), true[rest])
                    for forest, x in zip(forests, inputs.values(), strict=True)
                ]
            )
        lines.append(f"| {size} | {' | '.join(f'{tau:.2f}' for tau in np.mean(taus, axis=0))} |")
    return lines


if __name__ == "__main__":
    main()
