"""Results with invented values in the layout of NATS-Bench's and NAS-Bench-201's files.

The layout is that of ``ArchResults.state_dict`` and ``ResultsCount.state_dict`` in the packages
nats-bench and nas-bench-201.
"""

import bz2
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.importers.base import Listener
from surrogate_nas.errors import MissingRecordError

CELLS = [
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
]
"""In the order of their numbers, which is not that of our encodings."""
EPOCHS = {"01": 1, "12": 4, "90": 5, "200": 8}
"""By run; fewer than in the official files, where more would only take time."""
VALIDATION = {
    "cifar10": "cifar10-valid",
    "cifar100": "cifar100",
    "ImageNet16-120": "ImageNet16-120",
}
"""The data set of the training behind a task's validation accuracy."""
PARTS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}
"""What is evaluated in the trainings on each data set."""
OLD_CURVES = {
    ("cifar10-valid", "x-valid"),
    ("cifar10", "ori-test"),
    ("cifar100", "ori-test"),
    ("ImageNet16-120", "ori-test"),
}
"""What the older trainings evaluated at every epoch; all else at the last one."""
SEEDS = (777, 888, 999)


def result_state(
    dataset: str, arch: str, seed: int, epochs: int, rng: np.random.Generator, *, old: bool
) -> dict[str, Any]:
    """One training, as ``ResultsCount.state_dict`` gives it."""

    def curve(high: float) -> dict[int, float]:
        return dict(enumerate((rng.random(epochs) * high).tolist()))

    accuracies: dict[str, float] = {}
    losses: dict[str, float] = {}
    times: dict[str, float] = {}
    for part in PARTS[dataset]:
        whole = not old or (dataset, part) in OLD_CURVES
        seconds = float(rng.random())
        for epoch in range(epochs):
            times[f"{part}@{epoch}"] = seconds
            if whole or epoch == epochs - 1:
                accuracies[f"{part}@{epoch}"] = float(rng.random() * 100)
                losses[f"{part}@{epoch}"] = float(rng.random())
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": curve(100),
        "train_acc5es": None if old else curve(100),
        "train_losses": curve(3),
        "train_times": OrderedDict.fromkeys(range(epochs), float(rng.random() * 60)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": 10},
        "params": 0.1 + len(arch) / 100,
        "flop": 15.0 + len(arch),
        "seed": str(seed),
        "epochs": epochs,
        "latency": [float(rng.random()), float(rng.random())],
        "eval_names": list(PARTS[dataset]),
        "eval_acc1es": accuracies,
        "eval_times": times,
        "eval_losses": losses,
    }


def arch_state(
    number: int,
    arch: str,
    epochs: int,
    seeds: Mapping[str, Sequence[int]],
    rng: np.random.Generator,
    *,
    old: bool,
) -> dict[str, Any]:
    """All trainings of one length, as ``ArchResults.state_dict`` gives it."""
    return {
        "arch_index": number,
        "arch_str": arch,
        "all_results": {
            (dataset, seed): result_state(dataset, arch, seed, epochs, rng, old=old)
            for dataset, used in seeds.items()
            for seed in used
        },
        "dataset_seed": {dataset: list(used) for dataset, used in seeds.items()},
        "clear_net_done": True,
    }


def write_bz2(path: Path, content: Any) -> None:
    """A file as ``nats_bench.pickle_save`` makes it."""
    path.write_bytes(bz2.compress(pickle.dumps(content, protocol=4)))


class Notes(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def assert_agrees(table: str, api: Any, hp: str, archs: list[str]) -> int:
    """Compare all that `evaluate` answers with the official API; returns how many answers."""
    benchmark = open_benchmark(table)
    answers = 0
    for dataset in benchmark.tasks:
        trained = VALIDATION[dataset]
        task = benchmark.task(dataset)
        for number, text in enumerate(archs):
            arch = benchmark.space.parse(text)
            information = api.query_meta_info_by_index(number, hp)
            cost = information.get_compute_costs(trained)
            for seed in (None, 0, 1, 2):
                used = False if seed is None else SEEDS[seed]
                for budget in range(1, EPOCHS[hp] + 1):
                    try:
                        official = information.get_metrics(trained, "x-valid", budget - 1, used)
                    except (KeyError, ValueError):
                        with pytest.raises(MissingRecordError):
                            task.evaluate(arch, budget=budget, seed=seed)
                        continue
                    found = task.evaluate(arch, budget=budget, seed=seed)
                    assert found.value == pytest.approx(official["accuracy"], rel=1e-14)
                    assert found.cost == budget
                    part = "ori-test" if dataset == "cifar10" else "x-test"
                    try:
                        hidden = information.get_metrics(dataset, part, budget - 1, used)
                    except (KeyError, ValueError):
                        assert np.isnan(found.hidden.get("accuracy", np.nan))
                    else:
                        expected = pytest.approx(hidden["accuracy"], rel=1e-14)
                        assert found.hidden["accuracy"] == expected
                    assert found.metrics == pytest.approx(
                        {
                            "params": cost["params"],
                            "flops": cost["flops"],
                            "latency": cost["latency"],
                            "train_seconds": cost["T-train@epoch"],
                        }
                    )
                    answers += 1
    return answers
