"""CSV files of a few rows, a space of the tests' own, and what was read of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas import registry
from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.evaluation import Evaluation
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES


class OwnSpace(SearchSpace):
    """A chain with all kinds of decisions."""

    name = "own"
    decisions = (
        Decision.integer("layers", 2, 8, step=2),
        Decision.real("rate", 1e-4, 0.1, levels=4, log=True),
        Decision.boolean("gate"),
        Decision.categorical("norm", ["batch norm", "layer norm"], when={"gate": True}),
    )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        choices = np.asarray(choices)
        return chain_graphs(
            choices, np.zeros((*choices.shape, len(ATTRIBUTES))), present=choices >= 0
        )

    def parse(self, text: str) -> Architecture:
        names = text.split("/")
        return self.check(Architecture(self.name, tuple(map(self._at, range(4), names))))

    def _at(self, i: int, name: str) -> int:
        return self._option(i, name, name)

    def format(self, arch: Architecture) -> str:
        chosen = zip(self.decisions, arch.choices, strict=True)
        return "/".join(decision.options[choice] for decision, choice in chosen)


class Ear(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the user's tables, and the folder of the files."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.SPACES, "own", OwnSpace)
    return tmp_path


def written(text: str, name: str = "runs.csv") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def imported(text: str, **changes: Any) -> Imported:
    settings: dict[str, Any] = {
        "name": "mine", "space": "nats-size", "arch": "arch", "tasks": {"toy": "v"},
    }  # fmt: skip
    return import_csv(written(text), **(settings | changes))


def answer(text: str, **place: int) -> Evaluation:
    task = open_benchmark("mine").task("toy")
    return task.evaluate(task.space.parse(text), **place)


def values() -> dict[str, float]:
    task = open_benchmark("mine").task("toy")
    texts = [task.space.format(task.space.architecture(row)) for row in task.choices]
    return dict(zip(texts, task.values.tolist(), strict=True))
