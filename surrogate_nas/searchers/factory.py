"""Searchers composed by name: ``evolution``, ``evolution+xgboost``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features
from surrogate_nas.predictors.base import MetaPredictor, Predictor
from surrogate_nas.registry import load, names
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.hyperband import Hyperband
from surrogate_nas.spaces.base import SearchSpace

MakePredictor = Callable[[SearchSpace, int], Predictor]
"""Makes a new predictor for a space, with a seed."""


def make_searcher(
    spec: str,
    space: SearchSpace,
    *,
    seed: int,
    predictor: str | Predictor | MakePredictor | None = None,
    budgets: Sequence[int] = (),
    features: Features | None = None,
) -> Searcher:
    """Compose a searcher.

    With one seed, a plain and a guided searcher propose the same architectures until the guide
    knows enough, so comparisons of them are paired.

    Args:
        spec: A registered searcher, alone or with a predictor: ``"evolution+gp"``. Some have
            variants, after a colon: ``"optuna:nsga2"``, ``"gradient:gumbel"``, ``"bayesian:ei"``,
            ``"reinforce:plain"``, ``"proxy:naswot"``, ``"hyperband:evolution"``. The predictor of
            ``hyperband`` guides its inner searchers.
        space: Where to search.
        seed: Source of all randomness.
        predictor: The guide, unless ``spec`` names it: a registered name, an object, or what
            makes one. ``None`` and ``"none"`` mean no guide (for ``bayesian``, its own one).
        budgets: Epochs that may be evaluated, for ``hyperband``.
        features: Of the architectures, for ``proxy`` and for predictors that read them.

    Raises:
        UnknownNameError: If a name is not registered; the message suggests the nearest.
        InvalidArgumentError: If two predictors are named.
    """
    name, plus, guide = spec.partition("+")
    if plus and predictor not in (None, "none"):
        raise InvalidArgumentError(
            f"searcher {spec!r} names its predictor, so predictor must be None, got {predictor!r}"
        )
    wanted = guide if plus else predictor
    return _composed(name, space, np.random.SeedSequence(seed), wanted, budgets, features)


def _composed(
    name: str,
    space: SearchSpace,
    root: np.random.SeedSequence,
    predictor: str | Predictor | MakePredictor | None,
    budgets: Sequence[int],
    features: Features | None,
) -> Searcher:
    kind, options = _kind(name)
    if kind is Hyperband:
        inner = options.get("inner", "random")
        if _kind(inner)[0] is Hyperband:
            raise InvalidArgumentError(
                f"the inner searcher of hyperband must be another one, got {name!r}"
            )

        def make(child: np.random.SeedSequence) -> Searcher:
            own = copy.deepcopy(predictor) if isinstance(predictor, Predictor) else predictor
            return _composed(inner, space, child, own, (), features)

        return Hyperband(space, seed=root, budgets=budgets, inner=make)
    for_choice, for_predictor = root.spawn(2)
    guide = _guide(predictor, space, int(for_predictor.generate_state(1)[0]))
    if _is_guided(kind):
        guided: Searcher = kind(space, seed=root, predictor=guide, features=features, **options)
        return guided
    if needs_features(name):
        options["features"] = features
    # The inner searcher has the root's own stream, which a plain one of this seed has too.
    plain: Searcher = kind(space, seed=root, **options)
    if guide is None:
        return plain
    return Guided(plain, guide, seed=for_choice, features=features)


def needs_features(name: str) -> bool:
    """Whether a searcher, named without its predictor, or the inner one cannot do without them.

    Raises:
        UnknownNameError: If there is no such searcher.
        InvalidArgumentError: If it has no variants, and one is named.
    """
    kind = _innermost(name)
    return isinstance(kind, type) and issubclass(kind, Searcher) and kind.needs_features


def guides_itself(name: str) -> bool:
    """Whether a searcher, or the inner one, has a predictor where none is named: ``bayesian``.

    Raises:
        UnknownNameError: If there is no such searcher.
    """
    return _is_guided(_innermost(name))


def _innermost(name: str) -> Any:
    kind, options = _kind(name)
    return _innermost(options.get("inner", "random")) if kind is Hyperband else kind


def _is_guided(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Guided)


def _kind(name: str) -> tuple[Any, dict[str, Any]]:
    """The class behind a name, and its variant as an argument."""
    head, colon, tail = name.partition(":")
    if not colon or head not in names("searcher"):
        return load("searcher", name), {}
    kind: type[Searcher] = load("searcher", head)
    if kind.variant is None:
        raise InvalidArgumentError(
            f"searcher {head!r} has no variants, got {name!r}; leave out {colon + tail!r}"
        )
    return kind, {kind.variant: tail}


def _guide(
    wanted: str | Predictor | MakePredictor | None, space: SearchSpace, seed: int
) -> Predictor | None:
    if wanted is None or wanted == "none":
        return None
    if isinstance(wanted, Predictor):
        return wanted
    made: Predictor = _alone(wanted)(seed=seed) if isinstance(wanted, str) else wanted(space, seed)
    return made


def _alone(name: str) -> Any:
    kind = None if name == "auto" else load("predictor", name)
    if kind is None or (isinstance(kind, type) and issubclass(kind, MetaPredictor)):
        raise InvalidArgumentError(
            f"predictor {name!r} may learn from other tasks, so its weights must be chosen; give "
            "surrogate_nas.transfer.choose_for_training('auto', space, 'name of the data set')"
            ".make, or for a task of a table choose_predictor(name, task).make"
        )
    return kind
