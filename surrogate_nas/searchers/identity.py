"""Tells which names of search methods stand for one and the same search."""

from __future__ import annotations

import inspect

import numpy as np

from surrogate_nas.predictors.base import MetaPredictor, Predictor
from surrogate_nas.registry import load, names
from surrogate_nas.searchers.candidates import extent
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.genetic import GeneticAlgorithm
from surrogate_nas.searchers.method import Method
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces.base import SearchSpace

_DRAWS_FIRST = (RandomSearch, RegularizedEvolution, GeneticAlgorithm)
"""Searchers whose first proposals are the same draws from the space."""

_LABELS = 200  # with more trials a guide draws those that it learns from


def identity(
    method: str | Method,
    space: SearchSpace,
    *,
    trials: int,
    predictor: Predictor | None = None,
    candidates: str | None = None,
) -> str:
    """A text that methods share if, with the same seed, all their trials are the same.

    Defaults are filled in: ``optuna`` is ``optuna:tpe``, and ``bayesian`` is ``bayesian+gp``. Where
    a guide makes all proposals but the first ones, and compares all architectures, the searcher
    only matters for these: ``evolution+gp``, ``genetic+gp`` and ``bayesian`` are one search in a
    space that can be listed. Methods of different texts may still happen to find the same.

    Args:
        method: See `Method.parse`.
        space: Where it searches.
        trials: How many trials are compared.
        predictor: The guide, or one like it; None for what its registered name says. Of a guide
            that is neither given nor registered nothing is known.
        candidates: What a guide compares, see `surrogate_nas.searchers.guided.Guided`.

    Example:
        >>> from surrogate_nas.spaces import open_space
        >>> space = open_space("nats-size")
        >>> identity("bayesian", space, trials=100) == identity("genetic+gp", space, trials=100)
        True
    """
    method = Method.parse(method) if isinstance(method, str) else method
    guide = method.guide
    if guide is None:
        guide = method.own_guide if predictor is None else type(predictor).__qualname__
    name = _spelt_out(method)
    compares_all = guide is not None and extent(candidates, space) == "all"
    if method.searcher == "gradient" and (guide is None or compares_all):
        name = "gradient"  # its variants only differ in what they visit on predictions
    if guide is None:
        return name
    has_prior, conditions = _traits(guide, predictor)
    if conditions and compares_all and method.inner is None:
        own = method.requirements.guide is not None
        within = RegularizedEvolution if _is_bayesian(method, trials) else method.kind
        if has_prior and not (own and within is method.kind) and _is_roomy(space, trials):
            name = "any searcher"
        elif not has_prior and within in _DRAWS_FIRST:
            name = "first at random"
    return f"{name}+{guide}"


def _spelt_out(method: Method) -> str:
    """The searcher with its variant, the default one included."""
    if method.inner is not None and method.variant in (None, method.inner.name):
        return f"{method.searcher}:{_spelt_out(method.inner)}"
    variant = method.variant
    argument = getattr(method.kind, "variant", None)
    if variant is None and argument is not None:
        parameter = inspect.signature(method.kind).parameters.get(argument)
        variant = None if parameter is None else parameter.default
    return method.searcher if not isinstance(variant, str) else f"{method.searcher}:{variant}"


def _is_bayesian(method: Method, trials: int) -> bool:
    """Whether this is Bayesian optimisation that draws nothing after the first proposals."""
    return method.searcher == "bayesian" and method.variant is None and trials <= _LABELS


def _traits(guide: str, predictor: Predictor | None) -> tuple[bool, bool]:
    """Whether a predictor has a prior, and whether it conditions on new rows."""
    if predictor is not None:
        return predictor.has_prior, predictor.conditions
    if guide not in names("predictor"):
        return False, False
    kind = load("predictor", guide)
    from_others = isinstance(kind, type) and issubclass(kind, MetaPredictor)
    return from_others or getattr(kind, "has_prior", False), getattr(kind, "conditions", False)


def _is_roomy(space: SearchSpace, trials: int) -> bool:
    """Whether there is always an architecture that is no neighbour of as many trials.

    Else a guide with a prior may run out of candidates before the first result.
    """
    return space.size > trials * (1 + int(np.sum(np.array(space.sizes) - 1)))
