"""Neural architecture search with few trainings, guided by surrogate predictors.

The names below load when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from surrogate_nas._version import __version__

_MODULES = {
    "surrogate_nas.benchmarks.catalog": ("list_benchmarks", "open_benchmark"),
    "surrogate_nas.benchmarks.base": ("Benchmark", "TabularTask"),
    "surrogate_nas.callbacks.base": ("SearchCallback",),
    "surrogate_nas.errors": ("SurrogateNASError",),
    "surrogate_nas.evaluation": (
        "Budgeted",
        "Evaluation",
        "FunctionObjective",
        "Goal",
        "KnowsCosts",
        "Objective",
        "Prediction",
        "Proposal",
        "Stopping",
        "TaskData",
        "Trial",
    ),
    "surrogate_nas.predictors.base": ("MetaPredictor", "Predictor"),
    "surrogate_nas.records": ("SearchResult",),
    "surrogate_nas.run": ("search",),
    "surrogate_nas.searchers.base": ("Searcher",),
    "surrogate_nas.searchers.factory": ("make_searcher",),
    "surrogate_nas.searchers.histories": ("space_from_study",),
    "surrogate_nas.searchers.method": ("Method",),
    "surrogate_nas.searchers.parameter_spaces": ("space_from_distributions",),
    "surrogate_nas.searchers.sampler": ("SurrogateSampler", "suggest_architecture"),
    "surrogate_nas.spaces.base": ("Architecture", "Decision", "SearchSpace"),
    "surrogate_nas.stopping": ("MedianStopping",),
    "surrogate_nas.store": ("Shared", "Stored", "open_storage"),
    "surrogate_nas.training.options": ("TrainingOptions",),
    "surrogate_nas.workflows.compare": ("compare",),
    "surrogate_nas.workflows.evaluate": ("evaluate",),
    "surrogate_nas.workflows.experiment": ("Experiment",),
    "surrogate_nas.workflows.report": ("write_report",),
    "surrogate_nas.workflows.search": ("SearchOptions", "search_task"),
    "surrogate_nas.workflows.setups": ("table_setup", "training_setup"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:
    from surrogate_nas.benchmarks.base import Benchmark as Benchmark
    from surrogate_nas.benchmarks.base import TabularTask as TabularTask
    from surrogate_nas.benchmarks.catalog import list_benchmarks as list_benchmarks
    from surrogate_nas.benchmarks.catalog import open_benchmark as open_benchmark
    from surrogate_nas.callbacks.base import SearchCallback as SearchCallback
    from surrogate_nas.errors import SurrogateNASError as SurrogateNASError
    from surrogate_nas.evaluation import Budgeted as Budgeted
    from surrogate_nas.evaluation import Evaluation as Evaluation
    from surrogate_nas.evaluation import FunctionObjective as FunctionObjective
    from surrogate_nas.evaluation import Goal as Goal
    from surrogate_nas.evaluation import KnowsCosts as KnowsCosts
    from surrogate_nas.evaluation import Objective as Objective
    from surrogate_nas.evaluation import Prediction as Prediction
    from surrogate_nas.evaluation import Proposal as Proposal
    from surrogate_nas.evaluation import Stopping as Stopping
    from surrogate_nas.evaluation import TaskData as TaskData
    from surrogate_nas.evaluation import Trial as Trial
    from surrogate_nas.predictors.base import MetaPredictor as MetaPredictor
    from surrogate_nas.predictors.base import Predictor as Predictor
    from surrogate_nas.records import SearchResult as SearchResult
    from surrogate_nas.run import search as search
    from surrogate_nas.searchers.base import Searcher as Searcher
    from surrogate_nas.searchers.factory import make_searcher as make_searcher
    from surrogate_nas.searchers.histories import space_from_study as space_from_study
    from surrogate_nas.searchers.method import Method as Method
    from surrogate_nas.searchers.parameter_spaces import (
        space_from_distributions as space_from_distributions,
    )
    from surrogate_nas.searchers.sampler import SurrogateSampler as SurrogateSampler
    from surrogate_nas.searchers.sampler import suggest_architecture as suggest_architecture
    from surrogate_nas.spaces.base import Architecture as Architecture
    from surrogate_nas.spaces.base import Decision as Decision
    from surrogate_nas.spaces.base import SearchSpace as SearchSpace
    from surrogate_nas.stopping import MedianStopping as MedianStopping
    from surrogate_nas.store import Shared as Shared
    from surrogate_nas.store import Stored as Stored
    from surrogate_nas.store import open_storage as open_storage
    from surrogate_nas.training.options import TrainingOptions as TrainingOptions
    from surrogate_nas.workflows.compare import compare as compare
    from surrogate_nas.workflows.evaluate import evaluate as evaluate
    from surrogate_nas.workflows.experiment import Experiment as Experiment
    from surrogate_nas.workflows.report import write_report as write_report
    from surrogate_nas.workflows.search import SearchOptions as SearchOptions
    from surrogate_nas.workflows.search import search_task as search_task
    from surrogate_nas.workflows.setups import table_setup as table_setup
    from surrogate_nas.workflows.setups import training_setup as training_setup


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *_WHERE})
