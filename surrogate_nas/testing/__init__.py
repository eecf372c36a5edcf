"""Contract tests for the authors of plug-ins, see ``docs/testing.md``.

Each is a class to subclass. Its methods test the promises of an abstraction's interface.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surrogate_nas.testing.benchmarks import BenchmarkContract as BenchmarkContract
    from surrogate_nas.testing.contract import Contract as Contract
    from surrogate_nas.testing.importers import ImporterContract as ImporterContract
    from surrogate_nas.testing.meta import MetaPredictorContract as MetaPredictorContract
    from surrogate_nas.testing.objectives import ObjectiveContract as ObjectiveContract
    from surrogate_nas.testing.predictors import PredictorContract as PredictorContract
    from surrogate_nas.testing.searchers import SearcherContract as SearcherContract
    from surrogate_nas.testing.spaces import SpaceContract as SpaceContract
    from surrogate_nas.testing.stores import StoreContract as StoreContract
    from surrogate_nas.testing.training import DatasetContract as DatasetContract
    from surrogate_nas.testing.training import NetworkContract as NetworkContract

_MODULES = {
    "BenchmarkContract": "benchmarks",
    "Contract": "contract",
    "DatasetContract": "training",
    "ImporterContract": "importers",
    "MetaPredictorContract": "meta",
    "NetworkContract": "training",
    "ObjectiveContract": "objectives",
    "PredictorContract": "predictors",
    "SearcherContract": "searchers",
    "SpaceContract": "spaces",
    "StoreContract": "stores",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
