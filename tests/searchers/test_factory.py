from __future__ import annotations

import pytest

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.registry import PREDICTORS
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from tests.searchers.toys import Linear, ToySpace

SPACE = ToySpace((4,) * 4)


@pytest.fixture(autouse=True)
def _linear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICTORS, "linear", Linear)


def guide_of(spec: str, predictor: str | None = None, seed: int = 3) -> Linear:
    searcher = make_searcher(spec, SPACE, seed=seed, predictor=predictor)
    assert isinstance(searcher, Guided)
    assert isinstance(searcher.inner, RegularizedEvolution)
    assert isinstance(searcher.predictor, Linear)
    return searcher.predictor


def test_names_compose() -> None:
    assert guide_of("evolution+linear").seed == guide_of("evolution", "linear").seed
    for nothing in (None, "none"):
        plain = make_searcher("evolution", SPACE, seed=3, predictor=nothing)
        assert isinstance(plain, RegularizedEvolution)
    assert isinstance(make_searcher("evolution+none", SPACE, seed=3), RegularizedEvolution)
    dotted = "surrogate_nas.searchers.evolution:RegularizedEvolution"
    assert isinstance(make_searcher(dotted, SPACE, seed=3), RegularizedEvolution)


def test_the_seed_reaches_every_part() -> None:
    assert guide_of("evolution+linear", seed=3).seed != guide_of("evolution+linear", seed=4).seed
    searchers = [make_searcher("evolution+linear", SPACE, seed=s) for s in (3, 4)]
    assert searchers[0].rng.random() != searchers[1].rng.random()
    assert isinstance(searchers[0], Guided)
    assert searchers[0].rng.random() != searchers[0].inner.rng.random()


def test_unknown_names_are_suggested() -> None:
    with pytest.raises(UnknownNameError, match="searcher 'evolutoin'; did you mean 'evolution'"):
        make_searcher("evolutoin", SPACE, seed=0)
    with pytest.raises(UnknownNameError, match="predictor 'liner'; did you mean 'linear'"):
        make_searcher("evolution+liner", SPACE, seed=0)


def test_hyperband_is_not_its_own_inner_searcher() -> None:
    with pytest.raises(InvalidArgumentError, match="hyperband must be another one"):
        make_searcher("hyperband:hyperband", SPACE, seed=0, budgets=(1, 3, 9))


def test_two_predictors_are_one_too_many() -> None:
    with pytest.raises(InvalidArgumentError, match="names its predictor"):
        make_searcher("evolution+linear", SPACE, seed=0, predictor="gp")
