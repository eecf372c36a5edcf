"""What a guide compares: all architectures, or those that its searcher visits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Evaluation
from surrogate_nas.searchers.candidates import Candidates, _weight, extent
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.identity import identity
from surrogate_nas.searchers.local import LocalSearch
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from tests.searchers.toys import Linear, ToySpace, additive, run

SMALL = ToySpace((5,) * 5)
LARGE = ToySpace((8,) * 6)


class Asked(Linear):
    """Notes what it is asked about."""

    conditions = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[tuple[int, ...]]] = []

    def predict(self, choices: np.ndarray) -> object:  # type: ignore[override]
        self.asked.append(set(map(tuple, choices.tolist())))
        return super().predict(choices)


class Visits(PredictedObjective):
    """Predicts the same of all."""

    def evaluate_all(self, archs: Sequence[Architecture]) -> list[Evaluation]:
        return [Evaluation((0.0,)) for _ in archs]


def _trials(kind: type[RegularizedEvolution | LocalSearch], candidates: str) -> list[Architecture]:
    guided = Guided(kind(SMALL, seed=2), Linear(), initial=10, candidates=candidates)
    return run(guided, additive(SMALL, 0), 40)


def test_where_only_visited_ones_are_compared_searchers_differ() -> None:
    first = _trials(RegularizedEvolution, "visited")[:10]
    assert first == _trials(RegularizedEvolution, "all")[:10]
    found = [_trials(kind, "visited") for kind in (RegularizedEvolution, LocalSearch)]
    assert set(found[0]) != set(found[1])
    assert found[0] == _trials(RegularizedEvolution, "visited")


def test_a_guide_compares_what_a_fork_of_its_searcher_visits() -> None:
    predictor = Asked()
    guided = Guided(
        RegularizedEvolution(SMALL, seed=0), predictor, initial=25, steps=60, candidates="visited"
    )
    run(guided, additive(SMALL, 1), 25)
    chosen = guided.ask()[0].arch
    *visits, compared = predictor.asked
    assert compared == set().union(*visits)
    assert chosen.choices in compared
    assert len(compared) <= 60 < SMALL.size


def test_all_that_can_be_listed_are_compared_by_default() -> None:
    assert extent(None, SMALL) == "all"
    assert extent(None, LARGE) == extent("visited", LARGE) == "visited"
    assert extent("visited", SMALL) == "visited"


def test_graphs_with_many_paths_are_heavy() -> None:
    assert _weight(open_space("layerwise")) < 20  # a chain has one path
    assert _weight(open_space("hierarchical")) > 1_000  # a dense cell has 15, and four follow
    assert _weight(LARGE) == 0, "it has no graphs"


def test_candidates_of_a_large_space_are_new_and_climb_to_the_best() -> None:
    objective = additive(LARGE, 3, pairs=0.0)
    inner = RegularizedEvolution(LARGE, seed=0)
    found = run(inner, objective, 10)
    candidates = Candidates(inner, Linear(), np.random.default_rng(0), steps=20, proposals=1)

    def compare(choices: IntArray) -> FloatArray:
        return np.array([objective(LARGE.architecture(row)) for row in choices])

    best = np.array([arch.choices for arch in sorted(found, key=objective)[::-1]])
    flat = Visits(LARGE, Linear())
    rows = candidates.gathered(best, flat, compare)
    assert len(set(map(tuple, rows.tolist()))) == len(rows) <= 300
    reached = compare(rows).max()
    assert reached >= compare(LARGE.neighbour_choices(best[:3])).max()
    near = LARGE.neighbour_choices(LARGE.neighbour_choices(best[:1])[:1])
    assert reached > compare(near).max()


def test_a_further_stage_is_not_always_of_first_options() -> None:
    space = open_space("hierarchical")
    inner = RegularizedEvolution(space, seed=0)
    candidates = Candidates(inner, Linear(), np.random.default_rng(0), steps=20, proposals=1)
    one = np.zeros((1, len(space.sizes)), dtype=np.int16)  # the first of a stage's options
    rows = candidates.gathered(one, Visits(space, Linear()), lambda choices: np.zeros(len(choices)))
    first = rows[:, 1 : 1 + (len(space.sizes) - 1) // space.sizes[0]]
    longer = rows[(rows[:, 0] == 1) & (first == 0).all(axis=1)]
    assert len(longer) > 0
    assert (longer[:, 1:] > 0).any(axis=1).all()
    np.testing.assert_array_equal(space.keys(rows), rows)


def test_in_a_key_what_does_not_count_may_be_anything() -> None:
    space = open_space("layerwise")
    candidates = Candidates(
        RegularizedEvolution(space), Linear(), np.random.default_rng(0), steps=20, proposals=1
    )
    keys = space.keys(space.sample_choices(np.random.default_rng(1), 60))
    woken = candidates._woken(keys)
    np.testing.assert_array_equal(space.keys(woken), keys)
    short = keys[:, 0] < space.sizes[0] - 1
    assert (woken != keys).any(axis=1)[short].all()
    np.testing.assert_array_equal(woken[~short], keys[~short])
    large = Candidates(RegularizedEvolution(LARGE), Linear(), candidates.rng, steps=9, proposals=1)
    rows = LARGE.sample_choices(candidates.rng, 9)
    np.testing.assert_array_equal(large._woken(rows), rows)


def test_mistakes() -> None:
    with pytest.raises(InvalidArgumentError, match="'all' or 'visited', got 'every'"):
        Guided(RegularizedEvolution(SMALL), Linear(), candidates="every")
    with pytest.raises(InvalidArgumentError, match="'visited' in the space 'toy', which has too"):
        Guided(RegularizedEvolution(LARGE), Linear(), candidates="all")
    for method in ("evolution", "evolution+none", "hyperband:evolution"):
        with pytest.raises(InvalidArgumentError, match="there is none in"):
            make_searcher(method, SMALL, seed=0, budgets=[1, 3], candidates="visited")


def test_guides_inside_others_take_it() -> None:
    for method in ("bayesian", "evolution+gp"):
        searcher = make_searcher(method, SMALL, seed=0, candidates="visited")
        assert isinstance(searcher, Guided)
        assert searcher.candidates == "visited"
    composite = make_searcher(
        "hyperband:local+gp", SMALL, seed=0, budgets=[1, 3], candidates="visited"
    )
    assert all(inner.candidates == "visited" for inner in composite.inner)  # type: ignore[attr-defined]


def test_guided_searchers_are_different_methods_then() -> None:
    space, methods = open_space("nats-size"), ("evolution+gp", "genetic+gp")
    for candidates, count in (("all", 1), ("visited", 2)):
        found = {identity(method, space, trials=50, candidates=candidates) for method in methods}
        assert len(found) == count
