"""Spaces whose decisions have conditions, against brute force over all encodings."""

from itertools import product

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.conditions import Conditions
from surrogate_nas.spaces.graphs import ArchGraphs, from_template

Choices = tuple[int, ...]


class Conditional(SearchSpace):
    """Decisions with conditions, and no graph to speak of."""

    name = "conditional"

    def __init__(self, *decisions: Decision) -> None:
        self.decisions = decisions

    def graphs(self, choices: IntArray) -> ArchGraphs:
        op = np.tile([1, 2], (len(choices), 1))
        return from_template(op, np.zeros((*op.shape, 6)), np.array([[0], [1]]))

    def parse(self, text: str) -> Architecture:
        return self.check(self._wrap(map(int, text.split())))

    def format(self, arch: Architecture) -> str:
        return " ".join(map(str, arch.choices))


DEPTH = (  # a decision may come before what it depends on, and depend on what is conditional
    Decision.categorical("b2", "xyz", when={"a2": ["p"]}),
    Decision.integer("depth", 1, 3),
    Decision.categorical("a1", "pq"),
    Decision.categorical("a2", "pq", when={"depth": [2, 3]}),
    Decision.integer("a3", 0, 3, when={"depth": [3], "a1": "q"}),
)


def counts(decisions: tuple[Decision, ...], choices: Choices) -> list[bool]:
    """Which decisions are active, from the definition."""
    place = {d.name: i for i, d in enumerate(decisions)}

    def active(i: int) -> bool:
        return all(
            active(place[name]) and decisions[place[name]].options[choices[place[name]]] in options
            for name, options in decisions[i].when or ()
        )

    return [active(i) for i in range(len(decisions))]


def valid(decisions: tuple[Decision, ...]) -> set[Choices]:
    every = product(*(range(len(d.options)) for d in decisions))
    return {
        c for c in every if all(on or x == 0 for on, x in zip(counts(decisions, c), c, strict=True))
    }


@pytest.fixture
def space() -> Conditional:
    return Conditional(*DEPTH)


def test_what_is_active_and_valid(space: Conditional) -> None:
    every = np.array(list(product(*map(range, space.sizes))))
    expected = [counts(DEPTH, tuple(row)) for row in every.tolist()]
    np.testing.assert_array_equal(space.active(every), expected)
    settled = space.settled(every)
    np.testing.assert_array_equal(settled, np.where(expected, every, 0))
    assert set(map(tuple, every[space.valid(every)].tolist())) == valid(DEPTH)
    assert set(map(tuple, settled.tolist())) == valid(DEPTH)
    assert set(map(tuple, space.all_choices().tolist())) == valid(DEPTH)
    assert all(space.is_valid(Architecture(space.name, c)) for c in valid(DEPTH))


def test_moves_stay_among_valid_encodings_and_reach_them_all(space: Conditional) -> None:
    rng = np.random.default_rng(0)
    every = valid(DEPTH)
    archs = [space.sample(rng) for _ in range(3000)]
    assert {a.choices for a in archs} == every
    assert set(map(tuple, space.sample_choices(rng, 2000).tolist())) == every
    for a, b in zip(archs[:200], archs[200:400], strict=True):
        mutant, child = space.mutate(a, rng), space.crossover(a, b, rng)
        assert mutant.choices in every
        assert mutant != a
        assert child.choices in every
        near = {n.choices for n in space.neighbours(a)}
        assert near <= every - {a.choices}


def test_a_mutation_changes_one_active_decision_and_what_follows(space: Conditional) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        arch = space.sample(rng)
        before = counts(DEPTH, arch.choices)
        mutant = space.mutate(arch, rng)
        after = counts(DEPTH, mutant.choices)
        changed = [
            i
            for i, (x, y) in enumerate(zip(arch.choices, mutant.choices, strict=True))
            if x != y and before[i] and after[i]
        ]
        assert len(changed) == 1


def test_what_a_mutation_activates_is_drawn_uniformly() -> None:
    space = Conditional(Decision.boolean("on"), Decision.integer("x", 0, 3, when={"on": [True]}))
    rng = np.random.default_rng(0)
    drawn = [space.mutate(Architecture(space.name, (0, 0)), rng).choices for _ in range(4000)]
    share = np.bincount([x for _, x in drawn]) / len(drawn)
    assert {on for on, _ in drawn} == {1}
    np.testing.assert_allclose(share, 0.25, atol=0.04)


def test_active_decisions_are_sampled_uniformly(space: Conditional) -> None:
    drawn = space.sample_choices(np.random.default_rng(0), 6000)
    active = space.active(drawn)
    for column, size in enumerate(space.sizes):
        share = np.bincount(drawn[active[:, column], column]) / active[:, column].sum()
        np.testing.assert_allclose(share, 1 / size, atol=0.05)


def test_a_child_takes_from_the_parent_in_which_a_decision_counts() -> None:
    space = Conditional(Decision.boolean("on"), Decision.integer("x", 0, 9, when={"on": [True]}))
    rng = np.random.default_rng(0)
    off, on = Architecture(space.name, (0, 0)), Architecture(space.name, (1, 7))
    children = {space.crossover(off, on, rng).choices for _ in range(50)}
    assert children == {(0, 0), (1, 7)}


@pytest.mark.parametrize("seed", range(20))
def test_counting_agrees_with_listing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    decisions: list[Decision] = []
    for i in range(7):
        options = [str(k) for k in range(int(rng.integers(1, 4)))]
        when = {}
        for j in rng.permutation(i)[: int(rng.integers(3))].tolist():
            other = decisions[j].options
            when[f"d{j}"] = [o for o in other if rng.random() < 0.6]
        decisions.append(Decision.categorical(f"d{i}", options, when=when))
    order = rng.permutation(7).tolist()
    shuffled = tuple(decisions[i] for i in order)
    assert Conditions(shuffled).count() == len(valid(shuffled))


def test_a_large_space_is_counted() -> None:
    layers = [
        Decision.categorical(f"layer{i}", "abc", when={"depth": range(i, 51)}) for i in range(1, 51)
    ]
    conditions = Conditions([Decision.integer("depth", 1, 50), *layers])
    assert conditions.count() == sum(3**depth for depth in range(1, 51))


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"b": ["0"], "nobody": ["0"]}, "unknown decision 'nobody'"),
        ({"b": ["2"]}, "unknown b option '2'"),
        ({"c": ["0"]}, "go in a circle: '[ac]' -> "),
        ({"a": ["0"]}, "go in a circle: '[ac]' -> "),
    ],
)
def test_impossible_conditions_are_named(when: dict[str, list[str]], message: str) -> None:
    space = Conditional(
        Decision.categorical("a", "01", when=when),
        Decision.categorical("b", "01"),
        Decision.categorical("c", "01", when={"a": ["0"]}),
    )
    with pytest.raises(InvalidArgumentError, match=message):
        space.sample(np.random.default_rng(0))


def test_a_space_that_is_used_up_by_conditions_has_no_other() -> None:
    space = Conditional(
        Decision.categorical("a", "x"), Decision.categorical("b", "xy", when={"a": []})
    )
    arch = space.sample(np.random.default_rng(0))
    assert arch.choices == (0, 0)
    assert space.mutate(arch, np.random.default_rng(0)) == arch
    assert list(space.neighbours(arch)) == []
    assert Conditions(space.decisions).count() == 1
