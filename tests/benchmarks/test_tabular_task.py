import math
import os
import pickle
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.errors import (
    ArchitectureError,
    InvalidArgumentError,
    MissingRecordError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces.base import (
    ENUMERABLE,
    Architecture,
    Isomorphs,
    RestrictedSpace,
    SearchSpace,
)
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from tests.searchers.toys import ToySpace

SMALL = ToySpace((3, 3, 3, 3))
LARGE = ToySpace((20, 20, 20, 20))
BUDGETS = (1, 4, 12)
SEEDS = 3


def rows_of(space: SearchSpace, n: int, rng: np.random.Generator) -> Any:
    """Different encodings, several of one canonical form among them."""
    drawn = np.sort(space.sample_choices(rng, 3 * n), axis=1)
    drawn = rng.permuted(np.concatenate([drawn, drawn[: n // 2]]), axis=1)
    return rng.permutation(np.unique(drawn, axis=0))[:n]


class Reference:
    """The rules of a task in plain Python, over a list of rows."""

    def __init__(self, choices: Any, cube: Any, final: Any, isomorphs: Isomorphs) -> None:
        self.merged = isomorphs == "merged"
        self.rows: dict[tuple[int, ...], list[Any]] = {}
        for encoding, cells, last in zip(choices.tolist(), cube, final, strict=True):
            if self.mean(last) is not None:  # else not part of the task
                self.rows.setdefault(self.key(encoding), []).append(cells)

    def key(self, encoding: Any) -> tuple[int, ...]:
        return tuple(sorted(encoding) if self.merged else encoding)

    @staticmethod
    def mean(cells: Any) -> float | None:
        there = [x for x in cells if x is not None and math.isfinite(x)]
        return sum(there) / len(there) if there else None

    def value(self, encoding: Any, budget: int, seed: int | None) -> float | None:
        rows = self.rows.get(self.key(encoding), [])
        column = BUDGETS.index(budget)
        return self.mean(
            [self.mean(r[:, column] if seed is None else [r[seed, column]]) for r in rows]
        )


@pytest.mark.parametrize("isomorphs", ["separate", "merged"])
@pytest.mark.parametrize("space", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("maximise", [True, False])
def test_every_answer_is_that_of_plain_python(
    space: SearchSpace, isomorphs: Isomorphs, maximise: bool
) -> None:
    assert (space.encodings < ENUMERABLE) == (space is SMALL)
    rng = np.random.default_rng(1)
    choices = rows_of(space, 40, rng)
    cube = rng.normal(size=(len(choices), SEEDS, len(BUDGETS)))
    cube[rng.random(cube.shape) < 0.3] = np.nan
    cube[:5, :, -1] = np.nan  # no value at the largest budget, whatever else there is
    test = rng.normal(size=cube.shape)
    size = rng.normal(size=len(choices))
    goal = Goal("loss", maximise=maximise)
    task = TabularTask(
        "t",
        space,
        choices,
        cube,
        goal=goal,
        test=test,
        metrics={"size": size, "loss": cube},
        budgets=BUDGETS,
        costs=np.array([0.5, 2.0, 6.0]),
        isomorphs=isomorphs,
    )
    reference = Reference(choices, cube, cube[:, :, -1], isomorphs)
    hidden = Reference(choices, test, cube[:, :, -1], isomorphs)
    assert len(task) == len(reference.rows)
    assert sorted(map(reference.key, task.choices.tolist())) == sorted(reference.rows)

    asked = np.concatenate([choices, space.sample_choices(rng, 60)])
    found = 0
    for budget in BUDGETS:
        for seed in (None, 0, 2):
            values = task.lookup(asked, budget=budget, seed=seed)
            again = task.lookup_rows(task.rows(asked), budget=budget, seed=seed)
            np.testing.assert_array_equal(values, again)
            for encoding, value in zip(asked.tolist(), values.tolist(), strict=True):
                expected = reference.value(encoding, budget, seed)
                arch = Architecture(space.name, tuple(encoding))
                if expected is None:
                    assert math.isnan(value)
                    with pytest.raises(MissingRecordError):
                        task.evaluate(arch, budget=budget, seed=seed)
                    continue
                found += 1
                answer = task.evaluate(arch, budget=budget, seed=seed)
                assert answer.value == value == pytest.approx(goal.sign * expected)
                assert answer.metrics["loss"] == pytest.approx(expected)
                assert (answer.budget, answer.seed) == (budget, seed)
                assert answer.cost == {1: 0.5, 4: 2.0, 12: 6.0}[budget]
                assert answer.hidden["loss"] == pytest.approx(hidden.value(encoding, budget, seed))
                if isomorphs == "separate":
                    (row,) = np.flatnonzero((choices == encoding).all(axis=1))
                    assert answer.metrics["size"] == size[row]
    assert found > 100
    assert task.evaluate(task.space.architecture(task.choices[0])).budget == 12

    best = [goal.sign * (reference.value(c, 12, None) or 0) for c in task.choices.tolist()]
    np.testing.assert_allclose(task.values, best)
    assert task.optimum == max(task.values)
    for value in [*task.values.tolist(), -9.0, 9.0]:
        assert task.rank(value) == 1 + sum(v > value for v in task.values.tolist())
        assert task.regret(value) == pytest.approx(max(best) - value)


def test_ties_share_a_rank() -> None:
    choices = SMALL.all_choices()[:5]
    task = TabularTask("t", SMALL, choices, np.array([0.5, 0.9, 0.9, 0.7, 0.7]))
    assert [task.rank(v) for v in task.values] == [5, 1, 1, 3, 3]


def test_a_task_of_all_encodings_has_the_whole_space() -> None:
    choices = SMALL.all_choices()
    task = TabularTask("t", SMALL, choices, np.arange(len(choices), dtype=float))
    assert task.space is SMALL
    merged = task.with_isomorphs("merged")
    assert len(merged) == merged.space.size == len({tuple(sorted(c)) for c in choices.tolist()})
    assert merged.space.isomorphs == "merged"
    assert len(task) == len(choices)
    assert task.fingerprint == merged.fingerprint


def test_a_task_of_all_canonical_forms_has_the_whole_of_a_large_space() -> None:
    class Counted(ToySpace):
        size = 8_854  # multisets of 4 out of 20, without that of zeros

    space = Counted(LARGE.sizes, isomorphs="merged")
    assert space.countable
    assert not LARGE.countable
    forms = np.array(list(combinations_with_replacement(range(20), 4)))[1:]
    values = np.arange(len(forms), dtype=float)
    assert TabularTask("t", space, forms, values).space is space
    part = TabularTask("t", space, forms[1:], values[1:]).space
    assert (type(part), part.size) == (RestrictedSpace, 8_853)
    with pytest.raises(InvalidArgumentError, match="too many to list"):
        _ = LARGE.size


def test_a_partial_task_keeps_a_search_inside() -> None:
    choices = np.array([[0, 0, 1, 2], [2, 1, 0, 0], [2, 2, 2, 2]])
    task = TabularTask("t", SMALL, choices, np.array([1.0, 2.0, np.nan]))
    rng = np.random.default_rng(0)
    drawn = {task.space.sample(rng).choices for _ in range(50)}
    assert drawn == {(0, 0, 1, 2), (2, 1, 0, 0)}
    for absent in ((2, 0, 1, 0), (2, 2, 2, 2)):
        with pytest.raises(MissingRecordError, match="it holds 2 architectures of 'toy'"):
            task.evaluate(Architecture("toy", absent))


def test_isomorphs_share_a_row_where_a_table_keeps_canonical_forms_only() -> None:
    choices = np.unique(np.sort(SMALL.all_choices(), axis=1), axis=0)
    task = TabularTask("t", SMALL, choices, np.arange(len(choices), dtype=float))
    assert task.space.size == len(choices)
    some, other = Architecture("toy", (0, 1, 2, 0)), Architecture("toy", (2, 0, 0, 1))
    assert task.space.key(some) == task.space.key(other)
    assert task.evaluate(some) == task.evaluate(other)
    part = TabularTask("t", SMALL, choices[:4], np.arange(4, dtype=float))
    assert part.space.size == 4
    assert part.space.is_valid(Architecture("toy", tuple(choices[1][::-1].tolist())))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64])
def test_lookup_takes_any_integers_in_any_layout(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    space = NASBenchGraphSpace()
    everything = space.all_choices()
    task = TabularTask("t", space, everything, rng.normal(size=len(everything)))
    drawn = rng.integers(len(everything), size=70_000)  # more than one block
    choices = everything[drawn].astype(dtype)
    expected = task.values[drawn]
    np.testing.assert_array_equal(task.lookup(choices), expected)
    np.testing.assert_array_equal(task.lookup(np.asfortranarray(choices)), expected)
    np.testing.assert_array_equal(task.lookup(choices[::-2]), expected[::-2])
    assert task.lookup(choices[:0]).shape == (0,)


@pytest.mark.parametrize("space", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_out_of_range_has_no_row(space: SearchSpace) -> None:
    n = space.sizes[0]
    task = TabularTask("t", space, np.array([[0, 0, 1, 0], [0, 1, 0, 0]]), np.array([1.0, 2.0]))
    outside = np.array([[0, 0, 1, 0], [0, 0, 0, n], [0, 0, 2, -n], [0, 0, 0, 2**32 + n], [0] * 4])
    assert task.rows(outside).tolist() == [0, -1, -1, -1, -1]
    np.testing.assert_array_equal(task.lookup(outside), [1.0, *[np.nan] * 4])
    for row in outside[1:].tolist():
        with pytest.raises(ArchitectureError, match="is not an architecture of 'toy'"):
            task.evaluate(Architecture("toy", tuple(row)))
    with pytest.raises(ArchitectureError):
        task.evaluate(Architecture("other", (0, 0, 1, 0)))


def test_an_unknown_budget_or_seed_is_named() -> None:
    task = TabularTask("t", SMALL, SMALL.all_choices()[:4], np.ones((4, 2, 2)), budgets=(12, 200))
    arch = task.space.architecture(task.choices[0])
    with pytest.raises(MissingRecordError, match="budget 50; recorded: 12, 200"):
        task.evaluate(arch, budget=50)
    with pytest.raises(MissingRecordError, match="no seed 2; recorded: 0 to 1"):
        task.evaluate(arch, seed=2)
    with pytest.raises(MissingRecordError, match="no seed -1"):
        task.lookup(task.choices, seed=-1)


def test_a_task_survives_pickling_without_its_caches() -> None:
    choices = SMALL.all_choices()
    task = TabularTask("t", SMALL, choices, np.arange(len(choices), dtype=float))
    arch = SMALL.architecture(choices[7])
    before = task.evaluate(arch)
    again = pickle.loads(pickle.dumps(task))
    assert again.evaluate(arch) == before
    np.testing.assert_array_equal(again.values, task.values)


def test_support_sets_are_different_architectures_with_their_values() -> None:
    choices = SMALL.all_choices()
    task = TabularTask("t", SMALL, choices, np.arange(len(choices), dtype=float))
    data = task.sample_data(20, np.random.default_rng(0))
    assert len(np.unique(data.choices, axis=0)) == 20
    np.testing.assert_array_equal(task.lookup(data.choices), data.values)
    assert data.fingerprint == task.fingerprint
    for n in (0, len(choices) + 1):
        with pytest.raises(InvalidArgumentError, match="n must be between 1 and"):
            task.sample_data(n, np.random.default_rng(0))


GOOD: dict[str, Any] = {"choices": np.array([[0, 0, 0, 1], [0, 1, 0, 0]]), "values": np.ones(2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choices": np.array([[0, 0, 0, 1]] * 2)}, "two rows"),
        ({"choices": np.array([[0, 0, 0], [0, 1, 0]])}, r"shape \(rows, 4\)"),
        ({"choices": np.ones((2, 4))}, "integers"),
        ({"choices": np.array([[0, 0, 0, 1], [0, 3, 0, 0]])}, r"row 1 .*\[0, 3, 0, 0\]"),
        ({"choices": np.array([[0, 0, 0, 0], [0, 1, 0, 0]])}, "row 0"),
        ({"values": np.ones(3)}, r"values must have the shape \(2,\)"),
        ({"values": np.ones((2, 3))}, "values must have the shape"),
        ({"values": np.ones((2, 3, 2))}, "values must have the shape"),
        ({"values": np.full(2, np.nan)}, "finite"),
        ({"test": np.ones((2, 3, 1))}, "test must have the shape"),
        ({"metrics": {"size": np.ones(3)}}, "size must have the shape"),
        ({"budgets": (12, 4), "values": np.ones((2, 1, 2))}, "ascending"),
        ({"budgets": ()}, "budgets"),
        ({"costs": np.ones(2)}, "costs"),
        ({"isomorphs": "joined"}, "isomorphs must be"),
    ],
)
def test_arrays_that_disagree_are_refused(change: dict[str, Any], message: str) -> None:
    TabularTask("t", SMALL, **GOOD)
    with pytest.raises((InvalidArgumentError, ArchitectureError), match=message):
        TabularTask("t", SMALL, **GOOD | change)


@pytest.mark.data
def test_nasbench201_from_its_published_numbers() -> None:
    space = NASBench201Space()
    table = pd.read_csv(Path(os.environ["SURROGATE_NAS_DATA"], "nasbench201.csv.gz"))
    choices = np.array([space.parse(text).choices for text in table["arch_str"]])
    columns = table[["cifar10_val12", "cifar10_val200"]]
    task = TabularTask(
        "cifar10",
        space,
        choices,
        columns.to_numpy()[:, None, :],
        goal=Goal("accuracy", unit="%"),
        budgets=(12, 200),
    )
    final = columns["cifar10_val200"]
    assert len(task) == final.notna().sum() == 15_625
    assert task.optimum == final.max()
    ranks = final.rank(method="min", ascending=False)
    values = task.lookup(choices)
    np.testing.assert_array_equal([task.rank(v) for v in values[::50]], ranks[::50])
    np.testing.assert_array_equal(task.lookup(choices, budget=12), columns["cifar10_val12"])

    merged = task.with_isomorphs("merged")
    assert len(merged) == merged.space.size == 6_466  # the count of publications
    classes = pd.Series(space.index(space.canonicalise(choices)))
    means = final.groupby(classes).transform("mean")
    np.testing.assert_allclose(merged.lookup(choices), means)
    assert merged.optimum == pytest.approx(means.max())
