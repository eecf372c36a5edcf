"""The networks of NAS-Bench-Graph, as PyTorch Geometric modules (Qin et al., NeurIPS 2022)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nas_bench_graph import LINKS, OPERATIONS, NASBenchGraphSpace
from surrogate_nas.training.networks.base import NetworkTask


def _operation(name: str, width_in: int, width_out: int) -> nn.Module:
    from torch_geometric import nn as geometric  # slow to load, and it warns

    made: dict[str, Callable[[], nn.Module]] = {
        "gat": lambda: geometric.GATConv(width_in, width_out // 2, heads=2),
        "gcn": lambda: geometric.GCNConv(width_in, width_out),
        "gin": lambda: geometric.GINConv(nn.Linear(width_in, width_out)),
        "cheb": lambda: geometric.ChebConv(width_in, width_out, K=2),
        "sage": lambda: geometric.SAGEConv(width_in, width_out),
        "arma": lambda: geometric.ARMAConv(width_in, width_out),
        "graph": lambda: geometric.GraphConv(width_in, width_out),
        "fc": lambda: nn.Linear(width_in, width_out),
    }
    return made[name]()


def build(
    architecture: Architecture,
    task: NetworkTask,
    *,
    channels: int = 128,
    pre: bool = False,
    post: bool = False,
    dropout: float = 0.5,
) -> nn.Module:
    """A graph neural network that classifies nodes: ``network(x, edge_index)``.

    The package of the benchmark has no model, so the layers follow from its numbers of
    parameters, which these networks have exactly. The order of normalisation, ReLU and dropout
    is ours. The benchmark's settings are ``channels`` 256 for cora, citeseer, physics and
    proteins, 64 for computers, else 128; ``pre`` for cs, physics, computers and proteins; ``post``
    for cora, citeseer, computers, arxiv and proteins.

    Args:
        architecture: Of the space `nas-bench-graph`; its canonical form is built, the one that has
            a record.
        task: Shape (features,) of a node, and classes.
        channels: Of each operation.
        pre: Whether a linear layer comes first.
        post: Whether a linear layer comes before the classifier.
        dropout: Probability to drop an input of a layer.
    """
    if len(task.shape) != 1:
        raise InvalidArgumentError(
            "the networks of nas-bench-graph classify the nodes of a graph: the shape of an "
            f"input must be (features,), got {task.shape}"
        )
    canonical = NASBenchGraphSpace().canonical(architecture)
    return GraphNetwork(canonical, task, channels, pre, post, dropout)


class GraphNetwork(nn.Module):
    """Four operations that each read one earlier state; unread outputs are concatenated."""

    def __init__(
        self,
        architecture: Architecture,
        task: NetworkTask,
        channels: int,
        pre: bool,
        post: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        link, *ops = architecture.choices
        self.sources = [int(digit) for digit in LINKS[link]]
        self.dropout = dropout
        (features,) = task.shape
        self.pre = nn.Linear(features, channels) if pre else None
        widths = [channels if pre else features]
        self.operations = nn.ModuleDict()
        for node, (source, op) in enumerate(zip(self.sources, ops, strict=True), start=1):
            name = OPERATIONS[op]
            if name == "skip":
                widths.append(widths[source])
            else:
                self.operations[str(node)] = _operation(name, widths[source], channels)
                widths.append(channels)
        # Published counts include one a node, whether it is a skip or not.
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in ops)
        self.leaves = [node for node in range(1, len(widths)) if node not in self.sources]
        joined = sum(widths[leaf] for leaf in self.leaves)
        self.post = nn.Linear(joined, channels) if post else None
        self.classifier = nn.Linear(channels if post else joined, task.classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Features (nodes, features) and edges (2, edges) to logits (nodes, classes)."""
        states = [x if self.pre is None else torch.relu(self.pre(self._dropped(x)))]
        for node, source in enumerate(self.sources, start=1):
            value = states[source]
            if str(node) in self.operations:
                operation = self.operations[str(node)]
                inputs = self._dropped(value)
                if isinstance(operation, nn.Linear):
                    value = operation(inputs)
                else:
                    value = operation(inputs, edge_index)
                value = torch.relu(self.norms[node - 1](value))
            states.append(value)
        value = torch.cat([states[leaf] for leaf in self.leaves], dim=1)
        if self.post is not None:
            value = torch.relu(self.post(self._dropped(value)))
        logits: Tensor = self.classifier(self._dropped(value))
        return logits

    def _dropped(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, self.dropout, self.training)
