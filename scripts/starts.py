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
from surrogate_nas.training.initial.bank import read_bank, write_bank
from surrogate_nas.training.initial.base import Initial
from surrogate_nas.training.initial.fitted import FittedStart
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
            path = arguments.out / f"dense-cell-without-{family}.safetensors"
            if arguments.trainings and not path.exists():
                how = Reptile(trainings=arguments.trainings)
                sources = _sources(family, arguments)
                with bar(path.name, how.trainings) as advance:
                    bank = learn_weights(SPACE, sources, how, held_out=held_out, on_step=advance)
                write_bank(path, bank)
            for task in FAMILIES[family]:
                _measure(task, path, held_out, arguments, log)
        print(summary(log))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--out", type=Path, required=True, help="folder of the weights and the log")
    option("--family", nargs="+", choices=FAMILIES, default=["digits", "fashion", "watch"])
    option("--fashion-mnist", type=Path, help="folder of its IDX files")
    option("--cifar10", type=Path, help="its unpacked archive")
    option("--trainings", type=int, default=1000, help="to learn weights from; 0 for none")
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
    return open_dataset(task, folder)


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


class Log:
    """Trainings, one a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.values = {tuple(key): (value, s) for key, value, s in map(json.loads, lines)}

    def train(
        self, key: tuple[str, str, str, int], objective: TrainingObjective, arch: Architecture
    ) -> float:
        """The accuracy of a training that is there, or is made now."""
        if key not in self.values:
            last = objective.train(arch, seed=key[-1]).curve[-1]
            self.values[key] = last.validation_accuracy, last.seconds
            with self.path.open("a") as file:
                file.write(json.dumps([key, *self.values[key]]) + "\n")
        return self.values[key][0]


def _measure(
    task: str, path: Path, cells: list[Architecture], arguments: argparse.Namespace, log: Log
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
        "fitted, 1 epoch": objective(1, FittedStart(), sgd),
    }
    if path.exists():
        starts["learned, 1 epoch"] = objective(1, read_bank(path), sgd)
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
        "| task | start | trainings | median | tau | seconds | p, better than 2 epochs |",
        "|---" * 7 + "|",
    ]
    names = dict.fromkeys((task, start) for task, start, _, _ in log.values if "epoch" in start)
    for task, start in names:
        found = {k[2:]: v for k, v in log.values.items() if k[:2] == (task, start)}
        cold = {k[2:]: v for k, v in log.values.items() if k[:2] == (task, "random, 2 epochs")}
        both = sorted(found.keys() & cold.keys())
        warm, plain = (np.array([values[key][0] for key in both]) for values in (found, cold))
        p = "" if start == "random, 2 epochs" else f"{signed_rank(warm, plain, 'greater'):.2g}"
        values, seconds = np.array(list(found.values())).T
        tau = f"{_tau(table, task, found):.2f}" if task in table.tasks else ""
        lines.append(
            f"| {task} | {start} | {len(values)} | {np.median(values):.1f} | {tau} | "
            f"{np.mean(seconds):.2f} | {p} |"
        )
    return "\n".join(lines)


def _tau(table: CellBench, task: str, found: dict[tuple[str, int], tuple[float, float]]) -> float:
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
