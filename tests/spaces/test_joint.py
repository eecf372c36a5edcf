"""Architectures with decisions beside them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError
from surrogate_nas.predictors.structure.decision_columns import DecisionColumns
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.decisions import Decision
from surrogate_nas.spaces.joint import JointSpace
from surrogate_nas.testing import SpaceContract
from surrogate_nas.testing.toys import ToySpace

RATE = Decision.real("lr", 1e-4, 1e-1, log=True, levels=4)
OPTIMIZER = Decision.categorical("optimizer", ["adam", "s @ d"])
MOMENTUM = Decision.numbers("momentum", [0, 0.9], when={"optimizer": "s @ d"})
WARMUP = Decision.boolean("warmup", when={"depth": [2]})


def nats() -> JointSpace:
    return JointSpace(open_space("nats-size"), [RATE, OPTIMIZER, MOMENTUM])


class TestLarge(SpaceContract):
    def make(self) -> SearchSpace:
        return nats()


class TestIsomorphs(SpaceContract):
    isomorphs = "merged"

    def make(self) -> SearchSpace:
        return JointSpace(open_space("nasbench-macro"), [OPTIMIZER])


class TestRestricted(SpaceContract):
    restricted = True

    def make(self) -> SearchSpace:
        return nats()


def test_its_architectures_are_all_combinations() -> None:
    toy = ToySpace((2, 3))
    space = JointSpace(toy, [OPTIMIZER, MOMENTUM])
    beside = [(0, 0), (1, 0), (1, 1)]  # momentum counts with one optimizer alone
    combined = {(*a, *b) for a, b in product(map(tuple, toy.all_choices().tolist()), beside)}
    assert set(map(tuple, space.all_choices().tolist())) == combined
    assert space.size == 15
    rng = np.random.default_rng(0)
    assert {space.sample(rng).choices for _ in range(400)} == combined
    assert set(map(tuple, space.sample_choices(rng, 400).tolist())) == combined
    arch = space.sample(rng)
    assert toy.is_valid(space.architecture_of(arch))
    assert space.architecture_of(arch).choices == arch.choices[:2]


def test_merged_only_architectures_are_joined() -> None:
    space = JointSpace(ToySpace((2, 2), "merged"), [RATE])
    found = [space.key(space.architecture(np.array(c))) for c in ([0, 1, 2], [1, 0, 2], [0, 1, 3])]
    assert found[0] == found[1] != found[2]


def test_a_condition_may_name_a_decision_of_the_architecture() -> None:
    toy = ToySpace((3, 2))
    space = JointSpace(toy, [Decision.boolean("warmup", when={"d0": ["2"]})])
    assert space.active(np.array([[2, 0, 1], [1, 0, 0]])).tolist() == [
        [True] * 3,
        [True, True, False],
    ]
    with pytest.raises(InvalidArgumentError, match="depth"):
        JointSpace(toy, [WARMUP])
    with pytest.raises(InvalidArgumentError, match="'d0' is taken twice"):
        JointSpace(toy, [Decision("d0", ("a",))])
    with pytest.raises(InvalidArgumentError, match="at least one"):
        JointSpace(toy, [])


def test_what_is_beside_is_a_feature_though_the_graph_shows_all_else() -> None:
    graph = open_space("nas-bench-graph")
    assert len(DecisionColumns.of(graph)) == 0
    joint = JointSpace(graph, [OPTIMIZER, MOMENTUM])
    assert joint.countable
    assert joint.size == graph.size * 3
    names = DecisionColumns.of(JointSpace(graph, [RATE])).names
    assert set(names) == {"lr", *(f"lr={option}" for option in RATE.options)}
    assert "lr" in DecisionColumns.of(nats()).names
    beside = DecisionColumns.of(JointSpace(open_space("gnn-design"), [RATE])).names
    assert {"lr", "agg=mean"} <= set(beside)


def test_texts() -> None:
    space = nats()
    text = "8:16:24:32:40 @@ 0.001 @@ s @ d @@ 0.9"
    arch = space.parse(text)
    assert arch.choices == (0, 1, 2, 3, 4, 1, 1, 1)
    assert space.format(arch) == text
    with pytest.raises(ArchitectureError, match="'9'"):
        space.parse(text.replace("0.9", "9"))


def test_identities_tell_restrictions_and_decisions_apart() -> None:
    toy = ToySpace((3, 2))
    part = toy.restricted(toy.all_choices()[:2])
    spaces = [JointSpace(s, d) for s in (toy, part) for d in ([RATE], [OPTIMIZER])]
    assert len({space.identity for space in spaces}) == 4
    assert JointSpace(toy, [RATE]).identity == spaces[0].identity
