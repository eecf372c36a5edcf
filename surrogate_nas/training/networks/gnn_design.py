"""The networks of `gnn-design` and `graphgym`, which classify the nodes of a graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.gnn_design import GNNDesignSpace, GraphGymSpace
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.neighbours import (
    POSITIONS,
    Edges,
    degrees,
    neighbours,
    positions,
)

_RESTART = 0.1  # of personalised PageRank: the share of the first state in each layer
_REDUCE = {"add": "sum", "mean": "sum", "max": "amax", "min": "amin"}


def build(
    architecture: Architecture, task: NetworkTask, *, channels: int = 64, nearest: int = 5
) -> nn.Module:
    """A graph network by a design of M-DESIGN: ``network(x, edge_index)``.

    The code of the tables is not published as a package. Widths, the order of normalisation and
    activation, and the number of nearest neighbours are not in the publication and chosen here.

    Args:
        architecture: Of the space `gnn-design`.
        task: Shape (features,) of a node, and classes.
        channels: Of each layer.
        nearest: Number of neighbours where these are the nearest nodes.
    """
    return DesignNetwork(
        _named(GNNDesignSpace(), architecture), _features(task), task.classes, channels, nearest
    )


def build_graphgym(
    architecture: Architecture, task: NetworkTask, *, channels: int = 64
) -> nn.Module:
    """A graph network of GraphGym's design space: ``network(x, edge_index)``.

    Args:
        architecture: Of the space `graphgym`.
        task: Shape (features,) of a node, and classes.
        channels: Of each layer.
    """
    design = _named(GraphGymSpace(), architecture)
    return GraphGymNetwork(design, _features(task), task.classes, channels)


def _named(space: SearchSpace, architecture: Architecture) -> dict[str, str]:
    chosen = zip(space.decisions, space.check(architecture).choices, strict=True)
    return {decision.name: decision.options[choice] for decision, choice in chosen}


def _features(task: NetworkTask) -> int:
    if len(task.shape) != 1:
        raise InvalidArgumentError(
            "graph networks classify the nodes of a graph: the shape of an input must be "
            f"(features,), got {task.shape}"
        )
    return task.shape[0]


def aggregate(messages: Tensor, target: Tensor, nodes: int, how: str) -> Tensor:
    """Aggregate messages (m, k) at their targets (m,): (nodes, k), 0 for nodes without any."""
    index = target[:, None].expand_as(messages)
    joined = messages.new_zeros(nodes, messages.shape[1])
    joined = joined.scatter_reduce(0, index, messages, _REDUCE[how], include_self=False)
    if how == "mean":  # not by scatter_reduce, whose mean torch's export to ONNX gets wrong
        ones = messages.new_ones(target.shape[0])
        count = messages.new_zeros(nodes).index_add(0, target, ones)
        joined = joined / count.clamp(min=1)[:, None]
    return joined


class DesignNetwork(nn.Module):
    """Message-passing layers with one kind of neighbours and one kind of connections."""

    def __init__(
        self, design: dict[str, str], features: int, classes: int, channels: int, nearest: int
    ) -> None:
        super().__init__()
        self.design, self.nearest = design, nearest
        layers = int(design["l_mp"])
        self.first = nn.Linear(features, channels)
        self.layers = nn.ModuleList()
        width = channels
        for _ in range(layers):
            self.layers.append(DesignLayer(design, width, channels))
            width += channels if design["stage"] == "skipconcat" else 0
        match design["stage"]:
            case "lstm":
                self.reader: nn.Module = nn.LSTM(channels, channels, batch_first=True)
            case "node_adaptive":
                self.reader = nn.Linear(channels, 1)
            case "gpr":
                self.reader = nn.Linear(layers, 1, bias=False)
        self.classifier = nn.Linear(width, classes)
        self._kept: tuple[Tensor, Edges] | None = None

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Features (nodes, features) and edges (2, m) to logits (nodes, classes)."""
        edges = self._edges(x, edge_index)
        stage = self.design["stage"]
        first = state = torch.relu(self.first(x))
        outputs = []
        for layer in self.layers:
            passed = torch.relu(layer(state, edges))
            match stage:
                case "skipsum":
                    state = state + passed
                case "skipconcat":
                    state = torch.cat([state, passed], dim=1)
                case "ppr_01":
                    state = (1 - _RESTART) * passed + _RESTART * first
                case _:
                    state = passed
            outputs.append(state)
        if stage not in ("skipsum", "skipconcat", "ppr_01"):
            state = self._read(torch.stack(outputs, dim=1))
        logits: Tensor = self.classifier(state)
        return logits

    def _read(self, outputs: Tensor) -> Tensor:
        """The outputs of all layers (nodes, layers, channels) as one state."""
        match self.design["stage"]:
            case "lstm":
                read: Tensor = self.reader(outputs)[0][:, -1]
            case "node_adaptive":
                read = (self.reader(outputs).softmax(dim=1) * outputs).sum(dim=1)
            case "gpr":
                read = self.reader(outputs.transpose(1, 2))[..., 0]
            case _:
                read = outputs.mean(dim=1)
        return read

    def _edges(self, x: Tensor, edge_index: Tensor) -> Edges:
        """The edges along which messages are passed, computed once for each graph."""
        if self._kept is None or self._kept[0] is not edge_index:
            with torch.no_grad():
                found = neighbours(self.design["neigh"], x, edge_index, self.nearest)
                kind = self.design["norm"].removeprefix("rel_")
                position = positions(kind, edge_index, x.shape[0]) if kind in POSITIONS else None
            self._kept = edge_index, Edges(found, degrees(found, x.shape[0]), position)
        return self._kept[1]


class DesignLayer(nn.Module):
    """Weighs and aggregates neighbours' messages, and combines them with the node's state."""

    def __init__(self, design: dict[str, str], channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm, self.agg, self.comb = design["norm"], design["agg"], design["comb"]
        joins = self.comb == "concat"
        self.own = None if joins else nn.Linear(channels_in, channels_out)
        self.passed = nn.Linear(channels_in * (2 if joins else 1), channels_out)
        if self.norm == "fagcn_like":
            self.weigh = nn.Linear(2 * channels_in, 1)
        elif self.norm.startswith("rel_"):
            self.weigh = nn.Linear(POSITIONS[self.norm.removeprefix("rel_")], 1)

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """States (nodes, channels_in) to (nodes, channels_out)."""
        source, target = edges.index
        weight = self._weights(x, edges)
        joined = aggregate(weight[:, None] * x[source], target, x.shape[0], self.agg)
        if self.own is None:
            result: Tensor = self.passed(torch.cat([x, joined], dim=1))
        else:
            result = self.own(x) + self.passed(joined)
        return result

    def _weights(self, x: Tensor, edges: Edges) -> Tensor:
        """The weight of each edge: (m,)."""
        source, target = edges.index
        symmetric = (edges.degree[source] * edges.degree[target]).rsqrt()
        match self.norm:
            case "degree_row":
                return 1 / edges.degree[target]
            case "degree_sys":
                return symmetric
            case "fagcn_like":
                both = torch.cat([x[target], x[source]], dim=1)
                return torch.tanh(self.weigh(both))[:, 0] * symmetric
            case _:
                assert edges.position is not None
                difference = edges.position[target] - edges.position[source]
                return torch.tanh(self.weigh(difference))[:, 0] * symmetric


class GraphGymNetwork(nn.Module):
    """Linear layers, message-passing layers, linear layers (You et al., NeurIPS 2020)."""

    def __init__(self, design: dict[str, str], features: int, classes: int, channels: int) -> None:
        super().__init__()
        self.stage, self.agg = design["stage"], design["agg"]

        def layer(width: int) -> nn.Module:
            return _block(design, width, channels)

        pre, passing, post = (int(design[name]) for name in ("l_pre", "l_mp", "l_post"))
        self.pre = nn.Sequential(layer(features), *(layer(channels) for _ in range(pre - 1)))
        width = channels
        self.layers = nn.ModuleList()
        for _ in range(passing):
            self.layers.append(layer(width))
            width += channels if self.stage == "skipconcat" else 0
        widths = [width, *[channels] * (post - 1)]
        self.post = nn.Sequential(*map(layer, widths[:-1]), nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Features (nodes, features) and edges (2, m) to logits (nodes, classes)."""
        source, target = edge_index
        state = self.pre(x)
        for layer in self.layers:
            passed = aggregate(layer(state)[source], target, x.shape[0], self.agg)
            match self.stage:
                case "skipsum":
                    state = state + passed
                case "skipconcat":
                    state = torch.cat([state, passed], dim=1)
                case _:
                    state = passed
        logits: Tensor = self.post(state)
        return logits


def _block(design: dict[str, str], channels_in: int, channels_out: int) -> nn.Module:
    activations: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU,
        "prelu": nn.PReLU,
        "swish": nn.SiLU,
    }
    parts: list[nn.Module] = [nn.Linear(channels_in, channels_out)]
    if design["bn"] == "true":
        parts.append(nn.BatchNorm1d(channels_out))
    if design["drop"] != "0":
        parts.append(nn.Dropout(float(design["drop"])))
    return nn.Sequential(*parts, activations[design["act"]]())
