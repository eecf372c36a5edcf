"""Names of spaces, benchmarks, searchers and predictors, loaded when they are used."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError

Registry = dict[str, Any]
"""Name to ``"module:attribute"`` or to an object."""

SPACES: Registry = {
    "nas-bench-graph": "surrogate_nas.spaces.nas_bench_graph:NASBenchGraphSpace",
    "nasbench101": "surrogate_nas.spaces.nasbench101:NASBench101Space",
    "nasbench201": "surrogate_nas.spaces.nasbench201:NASBench201Space",
    "nasbench-macro": "surrogate_nas.spaces.nasbench_macro:NASBenchMacroSpace",
    "nats-size": "surrogate_nas.spaces.nats_size:NATSSizeSpace",
    "transnas-macro": "surrogate_nas.spaces.transnas_macro:TransNASMacroSpace",
    "transnas-micro": "surrogate_nas.spaces.transnas_micro:TransNASMicroSpace",
}
BENCHMARKS: Registry = {
    "nas-bench-graph": "surrogate_nas.benchmarks.nas_bench_graph:NASBenchGraph",
}
SEARCHERS: Registry = {
    "random": "surrogate_nas.search.random:RandomSearch",
    "local": "surrogate_nas.search.local:LocalSearch",
    "evolution": "surrogate_nas.search.evolution:RegularizedEvolution",
    "genetic": "surrogate_nas.search.genetic:GeneticAlgorithm",
}
PREDICTORS: Registry = {
    "forest": "surrogate_nas.predictors.forest:Forest",
    "xgboost": "surrogate_nas.predictors.boosting:XGBoost",
    "gp": "surrogate_nas.predictors.gp:GaussianProcess",
}

_KINDS: dict[str, Registry] = {
    "space": SPACES,
    "benchmark": BENCHMARKS,
    "searcher": SEARCHERS,
    "predictor": PREDICTORS,
}


def names(kind: str) -> list[str]:
    """All names of a kind: ``"space"``, ``"benchmark"``, ``"searcher"`` or ``"predictor"``.

    Other distributions add names by entry points of the group ``surrogate_nas.<kind>s``.
    """
    return [*_KINDS[kind], *(p.name for p in entry_points(group=f"surrogate_nas.{kind}s"))]


def load(kind: str, name: str) -> Any:
    """The object behind a name or a dotted path ``module:attribute``.

    Raises:
        UnknownNameError: If it is neither; the message suggests the nearest name.
        InvalidArgumentError: If a dotted path does not lead anywhere.
    """
    registry = _KINDS[kind]
    if name in registry:
        target = registry[name]
        return _follow(kind, target) if isinstance(target, str) else target
    for point in entry_points(group=f"surrogate_nas.{kind}s"):
        if point.name == name:
            return point.load()
    if ":" in name:
        return _follow(kind, name)
    raise UnknownNameError(kind, name, names(kind))


def _follow(kind: str, path: str) -> Any:
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidArgumentError(f"cannot load the {kind} {path!r}: {error}") from error
