"""Searchers composed by name: ``evolution``, ``evolution+xgboost``."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Features
from surrogate_nas.predictors.base import MetaPredictor, Predictor
from surrogate_nas.registry import load
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.searchers.candidates import no_guide
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.method import AUTO, NONE, Method
from surrogate_nas.spaces.base import SearchSpace

MakePredictor = Callable[[SearchSpace, int], Predictor]
"""Makes a new predictor for a space, with a seed."""


def make_searcher(
    spec: str | Method,
    space: SearchSpace,
    *,
    seed: int,
    predictor: str | Predictor | MakePredictor | None = None,
    budgets: Sequence[int] = (),
    features: Features | None = None,
    candidates: str | None = None,
) -> Searcher:
    """Compose a searcher.

    With the same seed, a plain and a guided searcher propose the same architectures until the
    guide has enough trials, so comparisons of them are paired.

    Args:
        spec: A registered searcher, alone or with a predictor: ``"evolution+gp"``. Some have
            variants, after a colon: ``"optuna:nsga2"``, ``"gradient:gumbel"``, ``"bayesian:ei"``,
            ``"reinforce:plain"``, ``"proxy:naswot"``, ``"hyperband:evolution"``. The predictor of
            ``hyperband`` guides its inner searchers. See `Method.parse`.
        space: Where to search.
        seed: Source of all randomness.
        predictor: The guide, unless ``spec`` names it: a registered name, an object, or a function
            that makes one. ``None`` and ``"none"`` mean no guide (for ``bayesian``, its default).
        budgets: Epochs that may be evaluated, for ``hyperband``.
        features: Of the architectures, for ``proxy`` and for predictors that read them.
        candidates: What a guide compares, see `Guided`.

    Raises:
        UnknownNameError: If a name is not registered; the message suggests the nearest.
        InvalidArgumentError: If two predictors are named, see also `Method.parse`; if there are
            candidates without a guide, or the space has no such candidates.
    """
    method = spec if isinstance(spec, Method) else Method.parse(spec)
    if method.predictor is not None and predictor not in (None, NONE):
        raise InvalidArgumentError(
            f"searcher {str(spec)!r} names its predictor, so predictor must be None, got "
            f"{predictor!r}"
        )
    wanted = predictor if method.predictor is None else method.predictor
    if candidates is not None and wanted in (None, NONE) and method.own_guide is None:
        raise no_guide(str(spec))
    root = np.random.SeedSequence(seed)
    return _composed(method, space, root, wanted, budgets, features, candidates)


def _composed(
    method: Method,
    space: SearchSpace,
    root: np.random.SeedSequence,
    predictor: str | Predictor | MakePredictor | None,
    budgets: Sequence[int],
    features: Features | None,
    candidates: str | None,
) -> Searcher:
    kind, needs, inner = method.kind, method.requirements, method.inner
    options: dict[str, Any] = {}
    if method.variant is not None:
        options[kind.variant] = method.variant
    if needs.features or needs.guide is not None:
        options["features"] = features
    if needs.budgets:
        options["budgets"] = budgets
    if inner is not None:
        within = None if needs.guide is not None else predictor

        def make(child: np.random.SeedSequence) -> Searcher:
            own = copy.deepcopy(within) if isinstance(within, Predictor) else within
            left = () if needs.budgets else budgets
            return _composed(inner, space, child, own, left, features, candidates)

        options["inner"] = make
        if needs.guide is None:  # the predictor guides the inner searchers
            composite: Searcher = kind(space, seed=root, **options)
            return composite
    for_choice, for_predictor = root.spawn(2)
    guide = _guide(predictor, space, int(for_predictor.generate_state(1)[0]))
    if needs.guide is not None:
        options["predictor"] = guide
        if candidates is not None:
            options["candidates"] = _taken(kind, method.name, candidates)
    # The inner searcher uses the root's own stream, as a plain searcher of this seed does.
    plain: Searcher = kind(space, seed=root, **options)
    if guide is None or needs.guide is not None:
        return plain
    return Guided(plain, guide, seed=for_choice, features=features, candidates=candidates)


def _taken(kind: Any, name: str, candidates: str) -> str:
    """The candidates, which the constructor of a searcher must take."""
    parameters = inspect.signature(kind).parameters
    if "candidates" not in parameters:
        raise InvalidArgumentError(
            f"searcher {name!r} chooses its own candidates, got {candidates!r}; leave them out"
        )
    return candidates


def _guide(
    wanted: str | Predictor | MakePredictor | None, space: SearchSpace, seed: int
) -> Predictor | None:
    if wanted is None or wanted == NONE:
        return None
    if isinstance(wanted, Predictor):
        return wanted
    made: Predictor = _alone(wanted)(seed=seed) if isinstance(wanted, str) else wanted(space, seed)
    return made


def _alone(name: str) -> Any:
    from surrogate_nas.tensor_files import SUFFIX

    chosen = name == AUTO or name.endswith(SUFFIX)
    kind = None if chosen else load("predictor", name)
    if kind is None or (isinstance(kind, type) and issubclass(kind, MetaPredictor)):
        raise InvalidArgumentError(
            f"predictor {name!r} may learn from other tasks, so its weights must be chosen; give "
            "surrogate_nas.transfer.choose_for_training('auto', space, 'name of the data set')"
            ".make, or for a task of a table choose_predictor(name, task).make"
        )
    return kind
