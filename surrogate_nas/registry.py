"""Names of spaces, benchmarks, searchers, predictors, networks and data sets, loaded when used."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError

Registry = dict[str, Any]
"""Name to ``"module:attribute"`` or to an object."""

SPACES: Registry = {
    "darts": "surrogate_nas.spaces.darts:DARTSSpace",
    "dense-cell": "surrogate_nas.spaces.dense_cell:DenseCellSpace",
    "gnn-design": "surrogate_nas.spaces.gnn_design:GNNDesignSpace",
    "graphgym": "surrogate_nas.spaces.gnn_design:GraphGymSpace",
    "hierarchical": "surrogate_nas.spaces.hierarchical:HierarchicalSpace",
    "layerwise": "surrogate_nas.spaces.layerwise:LayerwiseSpace",
    "mobilenet": "surrogate_nas.spaces.mobilenet:MobileNetSpace",
    "nas-bench-graph": "surrogate_nas.spaces.nas_bench_graph:NASBenchGraphSpace",
    "nasbench101": "surrogate_nas.spaces.nasbench101:NASBench101Space",
    "nasbench201": "surrogate_nas.spaces.nasbench201:NASBench201Space",
    "nasbench-macro": "surrogate_nas.spaces.nasbench_macro:NASBenchMacroSpace",
    "nats-size": "surrogate_nas.spaces.nats_size:NATSSizeSpace",
    "transformer": "surrogate_nas.spaces.transformer:TransformerSpace",
    "transnas-macro": "surrogate_nas.spaces.transnas_macro:TransNASMacroSpace",
    "transnas-micro": "surrogate_nas.spaces.transnas_micro:TransNASMicroSpace",
}
BENCHMARKS: Registry = {
    "nas-bench-graph": "surrogate_nas.benchmarks.nas_bench_graph:NASBenchGraph",
    "cell-bench": "surrogate_nas.benchmarks.cell_bench:CellBench",
    "large-layerwise": "surrogate_nas.benchmarks.large:LargeLayerwise",
    "large-hierarchical": "surrogate_nas.benchmarks.large:LargeHierarchical",
}
SEARCHERS: Registry = {
    "random": "surrogate_nas.searchers.random:RandomSearch",
    "local": "surrogate_nas.searchers.local:LocalSearch",
    "evolution": "surrogate_nas.searchers.evolution:RegularizedEvolution",
    "genetic": "surrogate_nas.searchers.genetic:GeneticAlgorithm",
    "nsga2": "surrogate_nas.searchers.nsga2:NSGA2",
    "optuna": "surrogate_nas.searchers.optuna:OptunaSearch",
    "bayesian": "surrogate_nas.searchers.bayesian:BayesianSearch",
    "hyperband": "surrogate_nas.searchers.hyperband:Hyperband",
    "screening": "surrogate_nas.searchers.screening:Screening",
    "gradient": "surrogate_nas.searchers.gradient:GradientSearch",
    "reinforce": "surrogate_nas.searchers.reinforce:Reinforce",
    "proxy": "surrogate_nas.searchers.proxy:ProxySearch",
}
PREDICTORS: Registry = {
    "forest": "surrogate_nas.predictors.forest:Forest",
    "xgboost": "surrogate_nas.predictors.boosting:XGBoost",
    "gp": "surrogate_nas.predictors.gp:GaussianProcess",
    "blend": "surrogate_nas.predictors.blend:Blend",
    "mlp": "surrogate_nas.predictors.mlp:MLP",
    "gnn": "surrogate_nas.predictors.gnn:GNN",
    "meta-gnn": "surrogate_nas.predictors.meta.learner:MetaGNN",
    "transfer-ridge": "surrogate_nas.predictors.meta.ridge:TransferRidge",
    "meta-cost": "surrogate_nas.predictors.meta.cost:MetaCost",
}
NETWORKS: Registry = {
    "darts": "surrogate_nas.training.networks.darts:build",
    "dense-cell": "surrogate_nas.training.networks.dense_cell:build",
    "gnn-design": "surrogate_nas.training.networks.gnn_design:build",
    "graphgym": "surrogate_nas.training.networks.gnn_design:build_graphgym",
    "hierarchical": "surrogate_nas.training.networks.hierarchical:build",
    "layerwise": "surrogate_nas.training.networks.layerwise:build",
    "mobilenet": "surrogate_nas.training.networks.mobilenet:build",
    "nas-bench-graph": "surrogate_nas.training.networks.nas_bench_graph:build",
    "nasbench101": "surrogate_nas.training.networks.nasbench101:build",
    "nasbench201": "surrogate_nas.training.networks.nasbench201:build",
    "nasbench-macro": "surrogate_nas.training.networks.nasbench_macro:build",
    "nats-size": "surrogate_nas.training.networks.nats_size:build",
    "transformer": "surrogate_nas.training.networks.transformer:build",
    "transnas-macro": "surrogate_nas.training.networks.transnas:build_macro",
    "transnas-micro": "surrogate_nas.training.networks.transnas:build_micro",
}
DATASETS: Registry = {
    "digits": "surrogate_nas.training.datasets.packaged:digits",
    "mnist5k": "surrogate_nas.training.datasets.packaged:mnist5k",
    "mnist": "surrogate_nas.training.datasets.idx:mnist",
    "fashion-mnist": "surrogate_nas.training.datasets.idx:fashion_mnist",
    "cifar10": "surrogate_nas.training.datasets.pickled:cifar10",
    "cifar100": "surrogate_nas.training.datasets.pickled:cifar100",
    "ImageNet16-120": "surrogate_nas.training.datasets.pickled:imagenet16_120",
    "mnist5k-14": "surrogate_nas.training.datasets.small:mnist5k_14",
    "fashion-mnist-14": "surrogate_nas.training.datasets.small:fashion_mnist_14",
    "cifar10-5k": "surrogate_nas.training.datasets.small:cifar10_5k",
    "watch": "surrogate_nas.training.datasets.small:watch",
    "npz": "surrogate_nas.training.datasets.own:npz",
    "images": "surrogate_nas.training.datasets.own:images",
}

_KINDS: dict[str, Registry] = {
    "space": SPACES,
    "benchmark": BENCHMARKS,
    "searcher": SEARCHERS,
    "predictor": PREDICTORS,
    "network": NETWORKS,
    "dataset": DATASETS,
}


def names(kind: str) -> list[str]:
    """All names of a kind, such as ``"space"`` or ``"network"``.

    Other distributions add names by entry points of the group ``surrogate_nas.<kind>s``.
    """
    return [*_KINDS[kind], *(point.name for point in _entry_points(kind))]


def load(kind: str, name: str) -> Any:
    """The object behind a name or a dotted path ``module:attribute``.

    Raises:
        UnknownNameError: If it is neither; the message suggests the nearest name.
        InvalidArgumentError: If a dotted path does not lead anywhere.
    """
    registry = _KINDS[kind]
    if name in registry:
        target = registry[name]
        return follow(kind, target) if isinstance(target, str) else target
    for point in _entry_points(kind):
        if point.name == name:
            return point.load()
    if ":" in name:
        return follow(kind, name)
    raise UnknownNameError(kind, name, names(kind))


@cache  # to look for them takes ten milliseconds
def _entry_points(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"surrogate_nas.{kind}s"))


def follow(kind: str, path: str) -> Any:
    """Load a dotted path ``module:attribute``; ``kind`` names it in messages.

    Raises:
        InvalidArgumentError: If it does not lead anywhere.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidArgumentError(f"cannot load the {kind} {path!r}: {error}") from error
    except Exception as error:  # anything that the user's module raises, and malformed names
        raise InvalidArgumentError(
            f"cannot load the {kind} {path!r}: {type(error).__name__}: {error}"
        ) from error
