"""What objects say of themselves: one short line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Adapted, Predictor
from surrogate_nas.registry import load, names
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces import open_space
from tests.searchers.toys import ToySpace
from tests.tables import toy_task

SPACE = ToySpace((3,) * 5)


class Odd(Predictor):
    """Stores what has no order or truth, and runs over lines."""

    def __init__(self, *, weights: Any, power: float = 2.0) -> None:
        self.weights = weights
        self.power = power

    def fit(self, data: TaskData) -> Odd:
        return self

    def predict(self, choices: Any) -> Prediction:
        raise NotImplementedError


@pytest.mark.parametrize("name", names("space"))
def test_spaces(name: str) -> None:
    shown = repr(open_space(name))
    assert len(shown.splitlines()) == 1
    assert f"({name!r}, " in shown


def test_sizes_of_spaces() -> None:
    assert repr(SPACE) == "ToySpace('toy', 5 decisions, 243 encodings, isomorphs='separate')"
    part = SPACE.restricted(SPACE.all_choices()[:7])
    assert "7 of 243 encodings" in repr(part)
    assert "1e18 encodings" in repr(open_space("hierarchical"))


@pytest.mark.parametrize("name", sorted(set(names("searcher")) - {"proxy"}))
def test_searchers(name: str) -> None:
    space = open_space("dense-cell")
    searcher = make_searcher(name, space, seed=3, budgets=[1, 3, 9])
    assert len(repr(searcher).splitlines()) == 1
    assert "'dense-cell', seed=3, 0 proposed" in repr(searcher)
    searcher.ask(2)
    assert "2 proposed" in repr(searcher)


def test_a_guide_is_shown() -> None:
    guided = make_searcher("local+tests.searchers.toys:Linear", SPACE, seed=5)
    assert repr(guided).startswith("Guided(LocalSearch('toy', seed=5, 0 proposed), Linear(seed=")
    child = RandomSearch(SPACE, seed=np.random.SeedSequence(5).spawn(2)[1])
    assert "seed=5.1" in repr(child)


@pytest.mark.parametrize("name", names("predictor"))
def test_predictors(name: str) -> None:
    kind = load("predictor", name)
    assert repr(kind(seed=4)) == f"{kind.__name__}(seed=4)"
    assert repr(kind()) == f"{kind.__name__}(seed=0)"


def test_arguments_that_are_not_the_default_are_shown() -> None:
    assert repr(load("predictor", "xgboost")(trees=20)) == "XGBoost(seed=0, trees=20)"
    adapted = Adapted(load("predictor", "transfer-ridge")(), SPACE)
    assert repr(adapted) == f"Adapted(learner=TransferRidge(seed=0), space={SPACE!r})"
    odd = Odd(weights=np.zeros((100, 2)))
    assert repr(odd).startswith("Odd(weights=array([[0., 0.], [0., 0.]")
    assert len(repr(odd)) < 250


def test_tasks_and_tables() -> None:
    table = open_benchmark("cell-bench")
    assert repr(table) == "CellBench('cell-bench', 4 tasks, 625 architectures)"
    task = table.task("digits")
    assert repr(task) == "StoredTask('digits' of 'cell-bench', 625 architectures, accuracy)"
    assert repr(task.data(np.arange(9))) == "TaskData('digits', 9 rows of 'dense-cell')"
    assert repr(toy_task("easy")).startswith("TabularTask('easy' of ")
