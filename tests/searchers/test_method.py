"""Names of search methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Features
from surrogate_nas.registry import PREDICTORS, SEARCHERS
from surrogate_nas.searchers.base import Requirements, Searcher
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.hyperband import Hyperband
from surrogate_nas.searchers.method import Method
from surrogate_nas.spaces.base import Architecture, SearchSpace
from tests.searchers.toys import Linear, ToySpace, Zeros

SPACE = ToySpace((4,) * 4)
DOTTED = "surrogate_nas.searchers.evolution:RegularizedEvolution"


class Islands(Searcher):
    """Several searchers that take turns; how many is part of the variant, ``3:evolution``."""

    variant: ClassVar[str | None] = "islands"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: np.random.SeedSequence,
        inner: Callable[[np.random.SeedSequence], Searcher],
        budgets: Sequence[int],
        features: Features | None,
        islands: str = "2",
    ) -> None:
        super().__init__(space, seed=seed)
        self.inner = [inner(child) for child in seed.spawn(int(islands.partition(":")[0]))]
        self.budgets, self.features = budgets, features

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        _, _, inner = (variant or "").partition(":")
        return Requirements(features=("zero",), budgets=True, inner=inner or "random")

    def _candidate(self) -> Architecture:
        return self.inner[self._next_number % len(self.inner)].ask(1)[0].arch


class OwnGuide(Guided):
    """A plug-in with a predictor of its own."""

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: np.random.SeedSequence,
        predictor: Linear | None,
        features: Features | None,
    ) -> None:
        inner = RegularizedEvolution(space, seed=seed)
        super().__init__(inner, predictor or Linear(seed=7), seed=seed, features=features)

    @classmethod
    def requirements(cls, variant: str | None = None) -> Requirements:
        return Requirements(guide="linear")


@pytest.fixture(autouse=True)
def _plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICTORS, "linear", Linear)
    monkeypatch.setitem(SEARCHERS, "islands", Islands)
    monkeypatch.setitem(SEARCHERS, "own-guide", OwnGuide)


@pytest.mark.parametrize(
    ("text", "searcher", "variant", "inner", "predictor"),
    [
        ("evolution", "evolution", None, None, None),
        ("evolution+gp", "evolution", None, None, "gp"),
        ("evolution+none", "evolution", None, None, "none"),
        ("optuna:tpe+auto", "optuna", "tpe", None, "auto"),
        ("hyperband", "hyperband", None, "random", None),
        ("hyperband:evolution+gp", "hyperband", "evolution", "evolution", "gp"),
        ("hyperband:optuna:tpe+gp", "hyperband", "optuna:tpe", "optuna:tpe", "gp"),
        ("hyperband:bayesian", "hyperband", "bayesian", "bayesian", None),
        (f"hyperband:{DOTTED}+gp", "hyperband", DOTTED, DOTTED, "gp"),
        ("islands:3:hyperband:evolution", "islands", "3:hyperband:evolution", None, None),
        (DOTTED, DOTTED, None, None, None),
        (f"{DOTTED}+own.module:Class", DOTTED, None, None, "own.module:Class"),
        ("tests.searchers.test_method:Islands:4+gp", None, "4", "random", "gp"),
        ("evolution+a/b+c.safetensors", "evolution", None, None, "a/b+c.safetensors"),
        (r"evolution+C:\w\a+b.safetensors", "evolution", None, None, r"C:\w\a+b.safetensors"),
    ],
)
def test_parts(
    text: str, searcher: str | None, variant: str | None, inner: str | None, predictor: str | None
) -> None:
    method = Method.parse(text)
    assert str(method) == text
    assert method.name == text.partition("+")[0]
    assert searcher is None or method.searcher == searcher
    assert (method.variant, method.predictor) == (variant, predictor)
    if inner is not None:
        assert method.inner == Method.parse(inner)


def test_what_methods_need() -> None:
    def needs(text: str) -> tuple[tuple[str, ...], str | None, str | None]:
        method = Method.parse(text)
        return method.features, method.own_guide, method.guide

    assert needs("evolution+none") == ((), None, None)
    assert needs("bayesian") == needs("hyperband:bayesian:ei") == ((), "gp", None)
    assert needs("proxy") == (("synflow",), None, None)
    assert needs("hyperband:proxy:naswot+gp") == (("naswot",), None, "gp")
    assert needs("islands:2:proxy:snip") == (("zero", "snip"), None, None)
    assert needs("islands:2:own-guide+gp") == (("zero",), "linear", "gp")


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("evolutoin", UnknownNameError, "searcher 'evolutoin'; did you mean 'evolution'"),
        ("bayesain:ei", UnknownNameError, "searcher 'bayesain'; did you mean 'bayesian'"),
        ("hyperband:evolutoin+gp", UnknownNameError, "did you mean 'evolution'"),
        ("evolution+xgbost", UnknownNameError, "predictor 'xgbost'; did you mean 'xgboost'"),
        ("+gp", UnknownNameError, "unknown searcher ''"),
        ("", UnknownNameError, "unknown searcher ''"),
        (":tpe", UnknownNameError, "unknown searcher ''"),
        ("evolution+", InvalidArgumentError, "names no predictor after its plus"),
        ("optuna:", InvalidArgumentError, "names no variant after its colon"),
        ("random:fast", InvalidArgumentError, "has no variants, got 'random:fast'"),
        ("hyperband:random:fast", InvalidArgumentError, "leave out ':fast'"),
        ("hyperband:hyperband", InvalidArgumentError, "hyperband must be another one"),
        ("islands:2:hyperband:islands", InvalidArgumentError, "islands must be another one"),
        ("numpy:nothing", InvalidArgumentError, "cannot load the searcher 'numpy:nothing'"),
        (f"{DOTTED}:fast", InvalidArgumentError, "leave out ':fast'"),
    ],
)
def test_mistakes(text: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        Method.parse(text)


def test_a_plug_in_can_be_a_composite() -> None:
    features = Zeros()
    spec = "islands:3:evolution+linear"
    found = make_searcher(spec, SPACE, seed=1, budgets=(1, 3), features=features)
    assert isinstance(found, Islands)
    assert len(found.inner) == 3
    assert found.budgets == (1, 3)
    assert found.features is features
    guides = [inner.predictor for inner in found.inner if isinstance(inner, Guided)]
    assert len({id(guide) for guide in guides}) == 3  # each has its own
    assert all(isinstance(guide, Linear) for guide in guides)
    assert len({proposal.arch for proposal in found.ask(9)}) == 9
    around = make_searcher("islands:2:hyperband:evolution", SPACE, seed=1, budgets=(1, 3))
    assert isinstance(around, Islands)
    assert all(isinstance(inner, Hyperband) and inner.rungs == (None,) for inner in around.inner)


def test_a_plug_in_can_guide_itself() -> None:
    for spec, seed in (("own-guide", True), ("own-guide+linear", False)):
        found = make_searcher(spec, SPACE, seed=1)
        assert isinstance(found, OwnGuide)
        assert isinstance(found.predictor, Linear)
        assert (found.predictor.seed == 7) is seed
    within = make_searcher("hyperband:own-guide", SPACE, seed=1, budgets=(1, 3))
    assert isinstance(within, Hyperband)
    assert all(isinstance(inner, OwnGuide) for inner in within.inner)
    with pytest.raises(InvalidArgumentError, match="names its predictor"):
        make_searcher(Method.parse("own-guide+linear"), SPACE, seed=1, predictor="gp")


@pytest.mark.parametrize(
    ("guided", "alone"),
    [
        ("local+gp", "local"),
        ("optuna:tpe+xgboost", "optuna:tpe"),
        ("bayesian", "evolution"),
        ("bayesian:ei+meta-gnn", "evolution"),
        ("hyperband:local+gp", "hyperband:local"),
        ("hyperband:bayesian", "hyperband:evolution"),
        ("local", None),
        ("local+none", None),
        ("hyperband:random", None),
    ],
)
def test_the_same_search_without_its_guide(guided: str, alone: str | None) -> None:
    found = Method.parse(guided).unguided
    assert (None if found is None else str(found)) == alone
    assert found is None or found == Method.parse(str(found))
