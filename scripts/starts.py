"""Measures starting weights of `dense-cell` on unseen data and cells; run by ``scripts/starts``.

One family of data sets and 100 cells are left out. Weights are learnt on the other families. Then
cells that were left out are trained on the family: from random weights for one and two epochs, from
weights fitted to the data for one, and from the learned ones for one. Each training is a line of a
log at once: a run that was stopped continues.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from surrogate_nas.benchmarks.cell_bench import CellBench, training_of
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.progress import bar
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import Dataset, open_dataset
from surrogate_nas.training.datasets.examples import Split
from surrogate_nas.training.initial.base import Initial
from surrogate_nas.training.initial.files import read_weights, write_weights
from surrogate_nas.training.initial.fitted import FittedStart
from surrogate_nas.training.initial.learners import FORMS
from surrogate_nas.training.initial.learning import Reptile, learn_weights
from surrogate_nas.training.initial.sources import SourceData
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.recipes import RECIPES, Recipe

FAMILIES = {
    "digits": ("digits", "mnist5k-14"),
    "fashion": ("fashion-mnist-14",),
    "watch": ("watch",),
    "cifar": ("cifar10-5k",),
}
SPACE = open_space("dense-cell")
_HELD_OUT = 100
_EACH = 800  # images of a class that are learnt from
_SHORT = 64  # images of a class of CIFAR-10 that are trained on, as in the other tasks
_RATES = tuple(round(0.0025 * 2**k, 4) for k in range(8))
_TUNED = 6  # cells on which learning rates are compared; none of those measured


def main() -> None:
    """Learn, train and report."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    held_out = _cells()[:_HELD_OUT]
    with one_thread():
        log = Log(arguments.out / "starts.jsonl")
        for family in arguments.family:
            files = {f: arguments.out / f"{f}-without-{family}.safetensors" for f in arguments.form}
            for form, path in files.items():
                if arguments.trainings and not path.exists():
                    _learn(form, family, path, held_out, arguments)
            for task in FAMILIES[family]:
                _measure(task, files, held_out, arguments, log)
        print(summary(log))


def _learn(
    form: str, family: str, path: Path, held_out: list[Architecture], arguments: argparse.Namespace
) -> None:
    how = Reptile(trainings=arguments.trainings, form=form)
    sources = _sources(family, arguments)
    with bar(path.name, how.trainings) as advance:
        found = learn_weights(
            SPACE, sources, how, held_out=held_out, seed=arguments.learning_seed, on_step=advance
        )
    write_weights(path, found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--out", type=Path, required=True, help="folder of the weights and the log")
    option("--family", nargs="+", choices=FAMILIES, default=["digits", "fashion", "watch"])
    option("--fashion-mnist", type=Path, help="folder of its IDX files")
    option("--cifar10", type=Path, help="its unpacked archive")
    option("--form", nargs="+", choices=FORMS, default=FORMS, help="what learns weights")
    option("--learning-seed", type=int, default=0, help="of the weights")
    option("--trainings", type=int, default=500, help="to learn weights from; 0 for none")
    option("--cells", type=int, default=_HELD_OUT, help="of those left out, that are trained")
    option("--seeds", type=int, default=1, help="trainings of each start")
    option("--tune", action="store_true", help="also the best of 8 learning rates, SGD and AdamW")
    return parser.parse_args()


def _cells() -> list[Architecture]:
    order = np.random.default_rng(7).permutation(SPACE.size)
    return [SPACE.architecture(row) for row in SPACE.all_choices()[order]]


# Data -------------------------------------------------------------------------------------------


def _open(task: str, arguments: argparse.Namespace) -> Dataset:
    folders = {"fashion-mnist": arguments.fashion_mnist, "cifar10": arguments.cifar10}
    folder = next((path for name, path in folders.items() if task.startswith(name)), None)
    data = open_dataset(task, folder)
    if task not in FAMILIES["cifar"]:
        return data
    rows = [np.flatnonzero(data.train.labels == k)[:_SHORT] for k in range(data.classes)]
    return replace(data, train=data.train.take(np.sort(np.concatenate(rows))))


def _sources(left_out: str, arguments: argparse.Namespace) -> list[SourceData]:
    """All families but one, whole images at half their size."""
    found = []
    wholes = {"digits": "mnist5k", "fashion": "fashion-mnist", "cifar": "cifar10"}
    for family, tasks in FAMILIES.items():
        if family == left_out or (family == "cifar" and arguments.cifar10 is None):
            continue
        if family in ("digits", "watch"):
            data = _open(tasks[0], arguments)
            found.append(SourceData(data, training_of(tasks[0])["settings"]))
        if family in wholes:
            whole = _open(wholes[family], arguments)
            forms = (whole, *(_open(task, arguments) for task in tasks if task != "digits"))
            settings = {"channels": 8, "stem_stride": 2}
            found.append(SourceData(_halved(whole), settings, forms=forms))
    return found


def _halved(data: Dataset) -> Dataset:
    """The first images of each class of the training part, with means of 2x2 pixels."""
    rows = [np.flatnonzero(data.train.labels == k)[:_EACH] for k in range(data.classes)]
    part = data.train.take(np.sort(np.concatenate(rows)))
    n, channels, height, width = part.inputs.shape
    blocks = part.inputs.reshape(n, channels, height // 2, 2, width // 2, 2)
    small = Split(np.rint(blocks.mean(axis=(3, 5))).astype(np.uint8), part.labels)
    few = small.take(np.arange(2 * data.classes))
    return replace(data, name=f"{data.name}, halved", train=small, validation=few, test=few)


# Trainings --------------------------------------------------------------------------------------


Trainings = dict[tuple[str, int], tuple[float, float]]
"""Accuracy and seconds by cell and seed."""


class Log:
    """Trainings, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.values: dict[tuple[str, str, str, int], tuple[float, float]] = {
            tuple(key): (value, s) for key, value, s in map(json.loads, lines)
        }

    def of(self, task: str, start: str) -> Trainings:
        """Those of a task from a start."""
        return {key[2:]: v for key, v in self.values.items() if key[:2] == (task, start)}

    def train(
        self, key: tuple[str, str, str, int], objective: TrainingObjective, arch: Architecture
    ) -> float:
        """The accuracy of a training that is there, or is made now."""
        found = self.values.get(key)
        if found is None:
            last = objective.train(arch, seed=key[-1]).curve[-1]
            found = self.values[key] = last.validation_accuracy, last.seconds
            with self.path.open("a") as file:
                file.write(json.dumps([key, *found]) + "\n")
        return found[0]


def _measure(
    task: str,
    files: dict[str, Path],
    cells: list[Architecture],
    arguments: argparse.Namespace,
    log: Log,
) -> None:
    data = _open(task, arguments)

    def objective(epochs: int, initial: Initial | None, recipe: Recipe) -> TrainingObjective:
        return TrainingObjective(
            SPACE,
            data,
            epochs=epochs,
            recipe=recipe,
            device="cpu",
            settings=training_of(task)["settings"],
            initial=initial,
        )

    sgd = RECIPES["sgd"]
    starts = {
        "random, 1 epoch": objective(1, None, sgd),
        "random, 2 epochs": objective(2, None, sgd),
        "random, 3 epochs": objective(3, None, sgd),
        "fitted, 1 epoch": objective(1, FittedStart(), sgd),
    }
    for form, path in files.items():
        if path.exists():
            starts[f"{form}, 1 epoch"] = objective(1, read_weights(path), sgd)
    if arguments.tune:
        for name, recipe in _tuned(task, objective, log):
            starts[name] = objective(2, None, recipe)
    for seed in range(arguments.seeds):
        for arch in cells[: arguments.cells]:
            for name, trained in starts.items():
                log.train((task, name, SPACE.format(arch), seed), trained, arch)


def _tuned(task: str, objective, log: Log) -> Iterator[tuple[str, Recipe]]:  # type: ignore[no-untyped-def]
    """SGD and AdamW, each with the learning rate of the best median after two epochs."""
    for name, factor in (("sgd", 4.0), ("adamw", 1.0)):
        medians = {}
        for rate in _RATES:
            recipe = replace(RECIPES[name], learning_rate=factor * rate)
            medians[recipe] = np.median(
                [
                    log.train(
                        (task, f"{name} {recipe.learning_rate:g}", SPACE.format(arch), 0),
                        objective(2, None, recipe),
                        arch,
                    )
                    for arch in _cells()[-_TUNED:]
                ]
            )
        best = max(medians, key=lambda recipe: medians[recipe])
        yield f"{name} {best.learning_rate:g}, 2 epochs", best


# Report -----------------------------------------------------------------------------------------


def summary(log: Log) -> str:
    """Medians, Kendall's tau with the table, and tests against two epochs, in Markdown."""
    table = CellBench()
    lines = [
        "| task | start | trainings | median | mean | tau | p, better than 2 epochs | than 3 |",
        "|---" * 8 + "|",
    ]
    names = dict.fromkeys((task, start) for task, start, _, _ in log.values if "epoch" in start)
    for task, start in names:
        found = log.of(task, start)
        values = np.array([value for value, _ in found.values()])
        tau = f"{_tau(table, task, found):.2f}" if task in table.tasks else ""
        p = [_p_value(found, log.of(task, f"random, {epochs} epochs")) for epochs in (2, 3)]
        lines.append(
            f"| {task} | {start} | {len(values)} | {np.median(values):.1f} | {values.mean():.1f} | "
            f"{tau} | {p[0]} | {p[1]} |"
        )
    return "\n".join(lines)


def _p_value(found: Trainings, others: Trainings) -> str:
    """Of a one-sided Wilcoxon test: each cell's means over the seeds that both have."""
    both = found.keys() & others.keys()
    if not both or found == others:
        return ""
    cells = sorted({cell for cell, _ in both})
    means = [
        np.array([np.mean([of[key][0] for key in both if key[0] == cell]) for cell in cells])
        for of in (found, others)
    ]
    return f"{signed_rank(means[0], means[1], 'greater'):.2g}"


def _tau(table: CellBench, task: str, found: Trainings) -> float:
    """Mean over seeds of Kendall's tau between one seed and the table's final means."""
    tabulated = table.task(task)
    final, choices = tabulated.values, tabulated.choices
    rows = {SPACE.format(SPACE.architecture(row)): i for i, row in enumerate(choices)}
    taus = []
    for seed in {seed for _, seed in found}:
        mine = {cell: value for (cell, s), (value, _) in found.items() if s == seed}
        taus.append(kendall_tau(np.array(list(mine.values())), final[[rows[c] for c in mine]]))
    return float(np.mean(taus))


if __name__ == "__main__":
    main()
