"""Learns optimisers for dense-cell, and measures them; run by ``scripts/optimisers``.

For each family of data sets an optimiser is learnt on the other families and on 525 of the 625
cells. It is then compared on the left-out family and on the 100 other cells with the recipe
``sgd``, with SGD at the best of 8 learning rates, and with Adam at the best of 8. These are chosen
on the left-out family itself: by 3 cells, and the best 3 of them by 9. Every training is a line of
``trainings.jsonl``, and is never repeated.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from surrogate_nas.benchmarks.cell_bench import training_of
from surrogate_nas.cli.console import names, positive
from surrogate_nas.errors import TrainingError
from surrogate_nas.parallel import one_thread
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import Dataset, open_dataset
from surrogate_nas.training.devices import DeviceExamples
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.files import (
    LearnedRule,
    read_optimizer,
    write_optimizer,
)
from surrogate_nas.training.optimisers.meta_training import MetaTraining, meta_train_optimizer
from surrogate_nas.training.recipes import RECIPES, Recipe
from surrogate_nas.training.trainer import train
from surrogate_nas.workflows.learn_optimizer import good_choices

FAMILIES = {
    "fashion": ("fashion-mnist-14",),
    "mnist": ("mnist5k-14", "digits"),
    "watch": ("watch",),
    "cifar": ("cifar10-5k",),  # which no optimiser is learnt from: its images are larger
}
_FOR_CIFAR = "watch"  # the family whose absence leaves the optimiser of images
SOURCES = ("digits", "mnist5k-14", "fashion-mnist-14", "watch")
LEFT_OUT = 100  # cells
TUNING = ((3, 3), (9, 1))  # cells, and how many learning rates are left after them
EPOCHS, SHORT = 5, 3
PER_CLASS = 64  # images of CIFAR-10, as in the other data sets
SGD_RATES = (0.0125, 0.025, 0.035, 0.05, 0.07, 0.1, 0.14, 0.2)
ADAM_RATES = (0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)
WORST = 10.0  # stands for the loss of a training that diverged

SPACE = open_space("dense-cell").with_isomorphs("merged")
CELLS = SPACE.unique()
ORDER = np.random.default_rng(19).permutation(len(CELLS))


def main() -> None:
    """Learn and measure, family by family."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("folder", type=Path)
    option("--data-dir", action="append", default=[], metavar="D=DIR")
    option("--families", type=names, default=list(FAMILIES), metavar="F,…")
    option("--cells", type=positive, default=30)
    option("--seeds", type=positive, default=3)
    option("--generations", type=positive, default=25)
    option("--form", default="schedule")
    option("--estimator", default="backpropagation")
    option("--start", type=Path, help="folder of optimisers to start from")
    option("--good", type=names, metavar="STORE,…", help="learn from what these searches found")
    option("--also", type=Path, action="append", default=[], help="further folders to measure")
    option("--learn-only", action="store_true")
    option("--summary", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with one_thread():
        for seeds in range(1, arguments.seeds + 1):  # first a bit of all
            for family in arguments.families:
                if not arguments.summary:
                    learn(family, arguments)
                for task in () if arguments.learn_only else FAMILIES[family]:
                    measure(task, family, seeds, arguments)


def data(task: str, folders: list[str]) -> Dataset:
    """The data set of a task; of CIFAR-10 as many images as of the others."""
    found = open_dataset(task, dict(text.split("=", 1) for text in folders).get(task))
    if task in SOURCES:
        return found
    labels = found.train.labels
    rows = [np.flatnonzero(labels == label)[:PER_CLASS] for label in range(found.classes)]
    return replace(found, train=found.train.take(np.sort(np.concatenate(rows))))


def file_of(family: str) -> str:
    """Name of the file of the optimiser that is measured on a family."""
    return f"without-{_FOR_CIFAR if family == 'cifar' else family}.safetensors"


# Learning ---------------------------------------------------------------------------------------


def learn(family: str, arguments: argparse.Namespace) -> Path:
    """The optimiser that did not see a family."""
    path: Path = arguments.folder / file_of(family)
    if path.exists():
        return path
    sources = {
        task: TrainingObjective(
            SPACE,
            data(task, arguments.data_dir),
            epochs=1,
            device="cpu",
            settings=training_of(task)["settings"],
        )
        for task in SOURCES
        if task not in FAMILIES[_FOR_CIFAR if family == "cifar" else family]
    }
    choices, origin = CELLS[ORDER[LEFT_OUT:]], f"{len(CELLS) - LEFT_OUT} cells at random"
    if arguments.good:
        found = np.concatenate([good_choices(SPACE, name) for name in arguments.good])
        held_out = {tuple(row) for row in CELLS[ORDER[:LEFT_OUT]].tolist()}
        choices = np.array([row for row in found.tolist() if tuple(row) not in held_out])
        origin = ", ".join(Path(name).name for name in arguments.good)
    start = arguments.start and read_optimizer(arguments.start / path.name).numbers
    plan = MetaTraining(
        SPACE,
        sources,
        choices=choices,
        origin=origin,
        form=arguments.form,
        estimator=arguments.estimator,
        generations=arguments.generations,
        start=start,
    )
    checkpoint = path.with_suffix(".checkpoint")
    rule, _ = meta_train_optimizer(plan, workers=1, checkpoint=checkpoint, on_step=say)
    write_optimizer(path, rule)
    checkpoint.unlink()
    return path


# Measuring --------------------------------------------------------------------------------------


class Log:
    """Trainings by task, cell, seed and what trained them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.done = {self._key(entry): entry for entry in map(json.loads, lines)}

    @staticmethod
    def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(entry[name] for name in ("task", "cell", "seed", "how"))

    def find(self, task: str, cell: int, seed: int, how: str) -> dict[str, Any] | None:
        """What is known of a training."""
        return self.done.get((task, SPACE.format(SPACE.architecture(CELLS[cell])), seed, how))

    def add(self, entry: dict[str, Any]) -> None:
        """Keep a training."""
        self.done[self._key(entry)] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


class Measured:
    """Trainings on one task."""

    def __init__(self, task: str, folders: list[str], log: Log) -> None:
        self.task, self.log, self.data = task, log, data(task, folders)
        settings = training_of(task)["settings"]
        self.objective = TrainingObjective(
            SPACE, self.data, epochs=EPOCHS, device="cpu", settings=settings
        )
        one = np.arange(1)
        parts = {n: getattr(self.data, n).take(one) for n in ("validation", "test")}
        self.quick = replace(self.data, **parts)  # no time for accuracies while training
        cpu = torch.device("cpu")
        self.train = DeviceExamples(self.data.train, self.data.moments, cpu)
        self.validation = DeviceExamples(self.data.validation, self.data.moments, cpu)

    def loss(
        self,
        cell: int,
        seed: int,
        how: str,
        recipe: Recipe,
        rule: LearnedRule | None = None,
        epochs: int = EPOCHS,
    ) -> dict[str, Any]:
        """Train, or look up."""
        known = self.log.find(self.task, cell, seed, how)
        if known is not None:
            return known
        arch = SPACE.architecture(CELLS[cell])
        network = self.objective.build(arch, seed=seed)
        fallbacks: list[str] = []
        started, loss, accuracy = time.process_time(), WORST, 0.0
        options: dict[str, Any] = {"recipe": recipe, "optimizer": rule, "epochs": epochs}
        try:
            train(
                network,
                self.quick,
                seed=seed,
                device="cpu",
                on_fallback=fallbacks.append,
                **options,
            )
            seconds = time.process_time() - started
            loss, accuracy = self.judge(network)
        except TrainingError:
            seconds = time.process_time() - started
        entry = {"task": self.task, "cell": SPACE.format(arch), "seed": seed, "how": how}
        entry |= {"loss": loss, "accuracy": accuracy, "seconds": seconds}
        entry |= {"epochs": epochs, "fell_back": bool(fallbacks)}
        self.log.add(entry)
        return entry

    @torch.no_grad()
    def judge(self, network: torch.nn.Module) -> tuple[float, float]:
        """Cross-entropy of the whole training part, and accuracy in % of the validation part."""
        network.eval()
        inputs, labels = self.train.batch(torch.arange(len(self.train)))
        loss = cross_entropy(network(inputs), labels).item()
        inputs, labels = self.validation.batch(torch.arange(len(self.validation)))
        right = network(inputs).argmax(dim=1) == labels
        return min(loss, WORST) if np.isfinite(loss) else WORST, 100 * right.float().mean().item()

    def tuned(self, kind: str) -> Recipe:
        """The recipe of the best of 8 learning rates."""
        recipes = [
            replace(RECIPES["sgd"], name=f"sgd {rate}", learning_rate=rate)
            if kind == "sgd"
            else Recipe(f"adam {rate}", "adamw", rate, 0.0, RECIPES["sgd"].batch_size)
            for rate in (SGD_RATES if kind == "sgd" else ADAM_RATES)
        ]
        for count, kept in TUNING:
            means = [
                np.mean([np.log(self.loss(int(c), 0, r.name, r)["loss"]) for c in ORDER[-count:]])
                for r in recipes
            ]
            recipes = [recipes[i] for i in np.argsort(means)[:kept]]
        return recipes[0]


def measure(task: str, family: str, seeds: int, arguments: argparse.Namespace) -> None:
    """Train on a task by all optimisers, and print the comparison."""
    log = Log(arguments.folder / "trainings.jsonl")
    runs = Measured(task, arguments.data_dir, log)
    sgd, adam = runs.tuned("sgd"), runs.tuned("adam")
    recipe = RECIPES["sgd"]
    name = file_of(family)
    rules = {f.name: read_optimizer(f / name) for f in (arguments.folder, *arguments.also)}
    ways: dict[str, tuple[Recipe, LearnedRule | None, int]] = {
        f"sgd {recipe.learning_rate}": (recipe, None, EPOCHS),
        sgd.name: (sgd, None, EPOCHS),
        adam.name: (adam, None, EPOCHS),
    }
    for kind, learnt in rules.items():
        ways[kind] = recipe, learnt, EPOCHS
        ways[f"{kind}, {SHORT} epochs"] = recipe, learnt, SHORT
    found: dict[str, list[dict[str, Any]]] = {how: [] for how in ways}
    for seed in range(1, seeds + 1):
        for cell in ORDER[: arguments.cells]:
            for how, (with_recipe, rule, epochs) in ways.items():
                known = log.find(task, int(cell), seed, how)
                if known is None and arguments.summary:
                    continue
                found[how].append(runs.loss(int(cell), seed, how, with_recipe, rule, epochs))
    for line in table(task, found, [kind for kind in found if kind.split(",")[0] in rules]):
        print(line, flush=True)


def table(task: str, found: dict[str, list[dict[str, Any]]], learned: list[str]) -> Iterator[str]:
    """Each optimiser against each baseline: medians, share of wins, p, and time a step."""
    columns = {how: {(e["cell"], e["seed"]): e for e in entries} for how, entries in found.items()}
    for how, entries in found.items():
        losses = [e["loss"] for e in entries]
        if losses:
            yield (
                f"{task} | {how} | {len(losses)} | median loss {np.median(losses):.3f} | "
                f"geometric mean {np.exp(np.mean(np.log(losses))):.3f} | accuracy "
                f"{np.mean([e['accuracy'] for e in entries]):.1f} | fell back "
                f"{sum(e['fell_back'] for e in entries)}"
            )
    for how in learned:
        for other in found:
            if other in learned:
                continue
            keys = [key for key in columns[how] if key in columns[other]]
            if len(keys) < 2:
                continue
            own, theirs = (
                np.array([columns[h][key]["loss"] for key in keys]) for h in (how, other)
            )
            one, two = (
                np.array([columns[h][key]["seconds"] / columns[h][key]["epochs"] for key in keys])
                for h in (how, other)
            )
            pace = np.median(one / two)
            difference = np.log(own) - np.log(theirs)
            p = signed_rank(np.log(own), np.log(theirs), "less")
            yield (
                f"{task} | {how} against {other} | lower in {np.mean(own < theirs):.0%} of "
                f"{len(keys)} | ratio {np.exp(difference.mean()):.2f} | p {p:.2g} | time a step "
                f"{pace:.2f}"
            )


def say(text: str) -> None:
    """A line with the time."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    main()
