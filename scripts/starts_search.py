"""Measures starting weights in searches of `dense-cell`; run by ``scripts/starts-search``.

A random sample of its cells is trained for one epoch from each start, once. Whole trainings are
those of the table cell-bench. So searches of the sample can be replayed with many seeds. What they
pay is the processor time of the trainings. They see one seed of the table, and are judged by its
mean over seeds of what they return.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.cell_bench import CellBench, training_of
from surrogate_nas.errors import SpaceExhaustedError
from surrogate_nas.evaluation import TRAINING_LOSS, Evaluation, Trial
from surrogate_nas.parallel import one_thread
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.initial.base import Initial
from surrogate_nas.training.initial.choice import find_weights
from surrogate_nas.training.initial.fitted import FittedStart
from surrogate_nas.training.objective import TrainingObjective

SPACE = open_space("dense-cell")
TASKS = ("digits", "mnist5k-14", "fashion-mnist-14")
STARTS = ("learned", "fitted", "random")
_ORDER = 11  # seed of the sample
_TIMED = 12  # cells whose whole training is timed
_AT = (3.0, 5.0, 8.0, 12.0, 20.0)  # seconds of training
_REPEATED = 3  # of the best are trained again with the table's two other seeds, in one report
# Seconds of a whole training.
_WHOLE = {"digits": 0.59, "mnist5k-14": 0.56, "fashion-mnist-14": 0.57}  # medians of the table
_COLD = "evolution+gp"
_SEVERAL = ("hyperband:evolution+gp", "screening:evolution+gp")


def main() -> None:
    """Train what is missing, and replay searches."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    option = parser.add_argument
    option("--out", type=Path, required=True, help="folder of the log of trainings")
    option("--fashion-mnist", type=Path, help="folder of its IDX files")
    option("--cells", type=int, default=200)
    option("--seeds", type=int, default=20, help="of the searches")
    option("--tasks", nargs="+", choices=TASKS, default=TASKS)
    option("--starts", nargs="+", choices=STARTS, default=STARTS)
    option("--methods", nargs="+", default=_SEVERAL, help="searches of short and whole trainings")
    option("--at", nargs="+", type=float, default=_AT, help="seconds of training")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = Log(arguments.out / "short.jsonl")
    with one_thread():
        for task in arguments.tasks:
            train(task, arguments, log)
        for task in arguments.tasks:
            sample = Sample(task, arguments, log)
            for line in (*sample.ranks(), *sample.searches(arguments.methods, arguments.seeds)):
                print(f"{task} | {line}", flush=True)


def cells(count: int) -> list[Architecture]:
    """The sample; a larger one contains a smaller one."""
    order = np.random.default_rng(_ORDER).permutation(SPACE.size)[:count]
    return [SPACE.architecture(row) for row in SPACE.all_choices()[order]]


# Trainings --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Short:
    """One epoch: accuracy in %, mean loss of its batches, seconds of processor time."""

    accuracy: float
    loss: float
    seconds: float


class Log:
    """Trainings by task, start and cell, one a line; ``whole`` are those of all epochs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.done = {tuple(key): Short(*found) for key, found in map(json.loads, lines)}

    def add(self, key: tuple[str, str, str], found: Short) -> None:
        """Keep a training."""
        self.done[key] = found
        with self.path.open("a") as file:
            file.write(json.dumps([key, [found.accuracy, found.loss, found.seconds]]) + "\n")


def train(task: str, arguments: argparse.Namespace, log: Log) -> None:
    """Make the trainings that are missing."""
    data = open_dataset(task, arguments.fashion_mnist if task.startswith("fashion") else None)
    quick = replace(data, test=data.test.take(np.arange(1)))  # no time for test accuracies
    known: dict[str, Initial | None] = {"fitted": FittedStart(), "random": None, "whole": None}
    known["learned"] = find_weights("learned", SPACE, data, to_rank=True)
    for number, arch in enumerate(cells(arguments.cells)):
        timed = ["random", "whole"] if number < _TIMED else []
        for start in dict.fromkeys([*arguments.starts, *timed]):
            key = task, start, SPACE.format(arch)
            if key in log.done:
                continue
            objective = TrainingObjective(
                SPACE,
                quick,
                epochs=training_of(task)["epochs"] if start == "whole" else 1,
                device="cpu",
                settings=training_of(task)["settings"],
                initial=known[start],
            )
            began = time.process_time()
            last = objective.train(arch, seed=0).curve[-1]
            seconds = time.process_time() - began
            log.add(key, Short(last.validation_accuracy, last.loss, seconds))


# Searches ---------------------------------------------------------------------------------------


class Sample:
    """The trainings of one task, short and whole."""

    def __init__(self, task: str, arguments: argparse.Namespace, log: Log) -> None:
        self.task, self.log, self.sample = task, log, cells(arguments.cells)
        self.starts, self.at = arguments.starts, arguments.at
        self.space = SPACE.restricted(np.array([arch.choices for arch in self.sample]))
        self.table: TabularTask = CellBench().task(task)
        self.final = np.array([self.table.evaluate(arch).value for arch in self.sample])
        ranks = [1 + int((self.final > value).sum()) for value in self.final]
        self.rank = dict(zip(self.sample, ranks, strict=True))
        timed = [SPACE.format(arch) for arch in self.sample[:_TIMED]]
        whole = np.median([log.done[task, "whole", cell].seconds for cell in timed])
        self.price = {
            start: _WHOLE[task] * float(np.median([s.seconds for s in self.short(start)]) / whole)
            for start in self.starts
        }

    def short(self, start: str) -> list[Short]:
        """The short trainings from a start, in the order of the sample."""
        return [self.log.done[self.task, start, SPACE.format(arch)] for arch in self.sample]

    def ranks(self) -> Iterator[str]:
        """Kendall's tau of short trainings, and of the table's first epochs, with its means."""
        for start in self.starts:
            found = self.short(start)
            accuracy = self._tau(np.array([s.accuracy for s in found]))
            loss = self._tau(-np.array([s.loss for s in found]))
            share = self.price[start] / _WHOLE[self.task]
            yield f"{start}, 1 epoch | tau {accuracy}, by loss {loss} | share {share:.2f}"
        for epochs in (1, 2):
            values = [self.table.evaluate(a, budget=epochs, seed=0).value for a in self.sample]
            yield f"first {epochs} of all epochs | tau {self._tau(np.array(values))}"

    def _tau(self, values: FloatArray) -> str:
        best = self.final > np.quantile(self.final, 0.7)
        whole, part = (kendall_tau(values[r], self.final[r]) for r in (slice(None), best))
        return f"{whole:.2f} (best 30 %: {part:.2f})"

    def searches(self, methods: Sequence[str], seeds: int) -> Iterator[str]:
        """Rank of what each search returns after some seconds of training."""
        once = [self._whole(seed) for seed in range(3)]
        best = [self.rank[self.sample[int(values.argmax())]] for values in once]
        yield f"the best of all {len(self.sample)}, trained once: ranks {best}"
        cold: dict[int, FloatArray] = {}
        for method, start in ((_COLD, None), *product(methods, self.starts)):
            found = [self.search(method, start, seed) for seed in range(seeds)]
            for repeated in (0, _REPEATED):
                ranks = self._ranks(found, repeated)
                others = cold.setdefault(repeated, ranks)
                p = [signed_rank(a, b, "less") for a, b in zip(ranks.T, others.T, strict=True)]
                yield (
                    f"{method}, {start or 'no'} short trainings, {repeated} repeated | mean rank "
                    f"after {self.at} s | {_shown(ranks.mean(axis=0))} | p {_shown(p)}"
                )

    def _whole(self, seed: int) -> FloatArray:
        return np.array([self.table.evaluate(arch, seed=seed).value for arch in self.sample])

    def search(self, method: str, start: str | None, seed: int) -> list[tuple[float, Architecture]]:
        """What was trained wholly, and after how many seconds."""
        epochs = training_of(self.task)["epochs"]
        budgets = range(1, epochs + 1)
        searcher = make_searcher(method, self.space, seed=seed, budgets=budgets)
        spent, done = 0.0, list[tuple[float, Architecture]]()
        while spent < max(self.at):
            try:
                proposal = searcher.ask(1)[0]
            except SpaceExhaustedError:
                break
            whole = proposal.budget in (None, epochs)
            if whole or start is None:
                spent += _WHOLE[self.task]
                evaluation = self.table.evaluate(proposal.arch, seed=seed % 3)
            else:
                spent += self.price[start]
                evaluation = self._evaluation(start, proposal.arch)
            if whole:
                done.append((spent, proposal.arch))
            searcher.tell([Trial(proposal, evaluation)])
        return done

    def _ranks(
        self, found: Sequence[list[tuple[float, Architecture]]], repeated: int
    ) -> FloatArray:
        """(searches, times): rank of the best, or of the best mean of those that are repeated."""
        ranks = np.full((len(found), len(self.at)), len(self.sample) / 2)
        for seed, done in enumerate(found):
            values = {a: self.table.evaluate(a, seed=seed % 3).value for _, a in done}
            for column, seconds in enumerate(self.at):
                left = seconds - 2 * repeated * _WHOLE[self.task]
                best = [arch for ends, arch in done if ends <= left]
                best.sort(key=values.__getitem__, reverse=True)
                if best:
                    ranks[seed, column] = min(self.rank[arch] for arch in best[: repeated or 1])
        return ranks

    def _evaluation(self, start: str, arch: Architecture) -> Evaluation:
        """As a training objective gives it: with a loss if it began from given weights."""
        found = self.log.done[self.task, start, SPACE.format(arch)]
        metrics = {} if start == "random" else {TRAINING_LOSS: found.loss}
        return Evaluation((found.accuracy,), cost=1.0, budget=1, seed=0, metrics=metrics)


def _shown(values: Iterable[float]) -> str:
    return " / ".join(f"{value:.2g}" for value in values)


if __name__ == "__main__":
    main()
