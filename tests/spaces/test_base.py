"""What the base class gives to any space, shown on spaces made for it."""

import numpy as np
import pytest

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, SurrogateNASError
from surrogate_nas.spaces.base import ENUMERABLE, Architecture, Decision, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs, from_template


class Pairs(SearchSpace):
    """Two numbers below ``size``; valid where they differ, the same in either order."""

    name = "pairs"

    def __init__(self, size: int) -> None:
        options = tuple(map(str, range(size)))
        self.decisions = (Decision("a", options), Decision("b", options), Decision("c", ("only",)))

    def valid(self, choices: IntArray) -> BoolArray:
        return np.asarray(choices[:, 0] != choices[:, 1])

    def canonicalise(self, choices: IntArray) -> IntArray:
        return np.sort(choices[:, [2, 0, 1]], axis=1)[:, [1, 2, 0]]

    def graphs(self, choices: IntArray) -> ArchGraphs:
        op = np.tile([1, 2], (len(choices), 1))
        return from_template(op, np.zeros((*op.shape, 6)), np.array([[0], [1]]))

    def parse(self, text: str) -> Architecture:
        return self.check(Architecture(self.name, (*map(int, text.split()), 0)))

    def format(self, arch: Architecture) -> str:
        return "{} {}".format(*arch.choices)


class Diagonal(Pairs):
    """Valid only where both numbers are equal, so that no two have one decision apart."""

    def valid(self, choices: IntArray) -> BoolArray:
        return np.asarray(choices[:, 0] == choices[:, 1])


class Nothing(Pairs):
    """No encoding is valid."""

    def valid(self, choices: IntArray) -> BoolArray:
        return np.zeros(len(choices), dtype=np.bool_)


SMALL, LARGE = 7, 400


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_tables_and_rules_answer_alike(size: int) -> None:
    """Small spaces answer from tables, large ones by the batch rules."""
    space = Pairs(size).with_isomorphs("merged")
    assert space.enumerable == (size * size < ENUMERABLE)
    a, b = Architecture("pairs", (5, 2, 0)), Architecture("pairs", (2, 5, 0))
    assert space.is_valid(a)
    assert not space.is_valid(Architecture("pairs", (5, 5, 0)))
    assert space.key(a) == space.key(b) == b
    assert Pairs(size).key(a) == a
    assert {n.choices for n in space.neighbours(a)} >= {(5, 3, 0), (3, 2, 0)}
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert space.is_valid(space.sample(rng))
        mutant = space.mutate(a, rng)
        assert space.is_valid(mutant)
        assert sum(x != y for x, y in zip(mutant.choices, a.choices, strict=True)) == 1


def test_large_spaces_are_not_listed() -> None:
    with pytest.raises(InvalidArgumentError, match="160000 encodings, too many"):
        Pairs(LARGE).all_choices()
    part = Pairs(LARGE).restricted(np.array([[1, 2, 0], [3, 1, 0]]))
    assert part.enumerable
    assert part.all_choices().tolist() == part.unique().tolist() == [[1, 2, 0], [3, 1, 0]]
    assert {part.sample(np.random.default_rng(i)).choices for i in range(20)} == {
        (1, 2, 0),
        (3, 1, 0),
    }


def test_a_part_of_many_rows_is_not_listed() -> None:
    space = Pairs(LARGE)
    every = space.from_index(np.arange(space.encodings))
    different = every[space.valid(every)]
    assert space.restricted(different[: ENUMERABLE - 1]).enumerable
    part = space.restricted(different[:ENUMERABLE])
    assert not part.enumerable
    assert part.size == ENUMERABLE
    with pytest.raises(InvalidArgumentError, match="100000 architectures, too many"):
        part.all_choices()


def test_merging_halves_the_pairs() -> None:
    assert Pairs(SMALL).size == SMALL * (SMALL - 1)
    merged = Pairs(SMALL).with_isomorphs("merged")
    assert merged.size == SMALL * (SMALL - 1) // 2
    assert merged.with_isomorphs("separate").size == SMALL * (SMALL - 1)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_mutation_draws_anew_where_no_neighbour_is_valid(size: int) -> None:
    space = Diagonal(size)
    rng = np.random.default_rng(0)
    arch = Architecture("pairs", (3, 3, 0))
    mutants = {space.mutate(arch, rng) for _ in range(20)}
    assert len(mutants) > 3
    assert all(space.is_valid(mutant) for mutant in mutants)


def test_mutation_finds_the_only_neighbour() -> None:
    part = Pairs(LARGE).restricted(np.array([[1, 2, 0], [1, 3, 0], [7, 8, 0]]))
    arch = part.mutate(Architecture("pairs", (1, 2, 0)), np.random.default_rng(0))
    assert arch.choices == (1, 3, 0)


def test_crossover_returns_the_first_parent_where_no_child_is_valid() -> None:
    space = Diagonal(SMALL)
    a, b = (Architecture("pairs", (i, i, 0)) for i in (1, 2))
    children = {space.crossover(a, b, np.random.default_rng(i)) for i in range(20)}
    assert children == {a, b}


def test_an_empty_space_says_so() -> None:
    for draw in (Nothing(SMALL).sample, lambda rng: Nothing(SMALL).sample_choices(rng, 2)):
        with pytest.raises(SurrogateNASError, match="no valid encoding"):
            draw(np.random.default_rng(0))


def test_a_restriction_needs_valid_members() -> None:
    with pytest.raises(InvalidArgumentError, match="needs an architecture"):
        Pairs(SMALL).restricted(np.empty((0, 3), dtype=int))
    with pytest.raises(ArchitectureError, match=r"\(3, 3, 0\)"):
        Pairs(SMALL).restricted(np.array([[1, 2, 0], [3, 3, 0]]))


def test_a_restriction_goes_by_keys() -> None:
    listed = np.array([[2, 1, 0], [4, 3, 0]])
    separate = Pairs(SMALL).restricted(listed)
    assert separate.all_choices().tolist() == listed.tolist()
    merged = Pairs(SMALL).with_isomorphs("merged").restricted(listed)
    both = [[1, 2, 0], [2, 1, 0], [3, 4, 0], [4, 3, 0]]
    assert merged.all_choices().tolist() == both
    assert merged.unique().tolist() == [[1, 2, 0], [3, 4, 0]]
    # The members stay when the rule of equality changes.
    assert merged.with_isomorphs("separate").unique().tolist() == both
    assert separate.with_isomorphs("merged").unique().tolist() == merged.unique().tolist()
    assert separate.with_isomorphs("merged").all_choices().tolist() == both


def test_a_restriction_can_be_restricted() -> None:
    part = Pairs(SMALL).restricted(np.array([[2, 1, 0], [4, 3, 0]]))
    smaller = part.restricted(np.array([[4, 3, 0]]))
    assert smaller.all_choices().tolist() == [[4, 3, 0]]
    with pytest.raises(ArchitectureError, match="not among the 1"):
        smaller.parse("2 1")


def test_listed_arrays_are_read_only() -> None:
    space = Pairs(SMALL)
    for array in (space.all_choices(), space.unique()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
