"""A graph network that turns architectures of any space into vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.features import FAMILIES, StructuralFeatures
from surrogate_nas.predictors.paths import unique_rows
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

_CHUNK = 1_000  # graphs encoded at once, so that their states stay in the processor's cache


@dataclass(frozen=True)
class GraphTensors:
    """Many architectures as tensors; the nodes and edges of one graph are consecutive.

    Attributes:
        kinds: float32 (u, 7), the different nodes: position in `OPERATIONS`, and attributes.
        kind: int64 (nodes,), the row of each node in ``kinds``.
        edges: int64 (2, m), source and target node.
        graph: int64 (nodes,), the graph of each node, ascending.
        features: float32 (n, k), standardised structural features of each graph.
    """

    kinds: Tensor
    kind: Tensor
    edges: Tensor
    graph: Tensor
    features: Tensor

    @classmethod
    def of(
        cls, space: SearchSpace, choices: IntArray, families: tuple[str, ...] = FAMILIES
    ) -> Self:
        """The pruned graphs of encodings (n, decisions), with features of these families."""
        structure = StructuralFeatures.of(space)
        columns = structure.columns(families)
        features = structure.transform(choices)[:, columns] - structure.centre[columns]
        graphs = space.graphs(space.keys(choices)).pruned()
        return cls.from_graphs(graphs, features / structure.scale[columns])

    @classmethod
    def from_graphs(cls, graphs: ArchGraphs, features: FloatArray) -> Self:
        """Graphs with standardised features (count, k)."""
        rows = np.concatenate([graphs.op[:, None], graphs.attributes], axis=1, dtype=np.float32)
        kinds, kind = unique_rows(rows)
        return cls(
            torch.from_numpy(kinds),
            torch.from_numpy(kind),
            torch.from_numpy(graphs.edges.astype(np.int64)),
            torch.from_numpy(graphs.graph.astype(np.int64)),
            torch.from_numpy(np.asarray(features, dtype=np.float32)),
        )

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def _first_node(self) -> Tensor:
        return torch.searchsorted(self.graph, torch.arange(len(self) + 1))

    @cached_property
    def _first_edge(self) -> Tensor:
        owner = self.graph.index_select(0, self.edges[1])
        return torch.searchsorted(owner, torch.arange(len(self) + 1))

    def take(self, rows: Tensor) -> GraphTensors:
        """Only these graphs, int64 (m,), in this order; one may be there several times."""
        node, graph = _members(self._first_node, rows)
        edge, owner = _members(self._first_edge, rows)
        sizes = self._first_node[rows + 1] - self._first_node[rows]
        shift = torch.cumsum(sizes, 0) - self._first_node[rows + 1]
        return GraphTensors(
            self.kinds,
            self.kind.index_select(0, node),
            self.edges.index_select(1, edge) + shift.index_select(0, owner),
            graph,
            self.features.index_select(0, rows),
        )

    def chunks(self) -> Iterator[GraphTensors]:
        """All graphs in their order, so few at a time that their states stay in the cache."""
        for rows in torch.split(torch.arange(len(self)), _CHUNK):
            yield self.take(rows)


def _members(first: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Members ``first[g], …, first[g + 1] - 1`` of each group g, and its place in ``groups``."""
    sizes = first[groups + 1] - first[groups]
    place = torch.repeat_interleave(torch.arange(len(groups)), sizes)
    shift = first[groups] - (torch.cumsum(sizes, 0) - sizes)
    return torch.arange(len(place)) + shift.index_select(0, place), place


class _GatedConv(MessagePassing):  # type: ignore[misc]  # the library ships no types
    """One step along the edges: x'_i = relu(sigmoid(G e_i) * W Σ_j x_j + V x_i).

    The operation of the receiving node, embedded as e_i, decides what passes.
    """

    def __init__(self, hidden: int, *, reverse: bool) -> None:
        super().__init__(aggr="add", flow="target_to_source" if reverse else "source_to_target")
        self.gate = nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, hidden, bias=False)
        self.own = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, edges: Tensor, kinds: Tensor, kind: Tensor) -> Tensor:
        """States (nodes, hidden) after the step, from embedded ``kinds`` (u, hidden)."""
        gate = torch.sigmoid(self.gate(kinds)).index_select(0, kind)
        passed = gate * self.weight(self.propagate(edges, x=x))
        return torch.relu(passed + self.own(x))


class GraphEncoder(nn.Module):
    """Directed message passing both ways, gated by operations.

    After Ning et al., "A Generic Graph-based Neural Architecture Encoding Scheme for
    Predictor-based NAS" (GATES), ECCV 2020: an operation decides what passes through its node.
    Two stacks of layers, one from input to output and one back, start from the embedded
    operation and its attributes. The mean over nodes, the state of the output in the one and of
    the input in the other, and the structural features make the vector.

    The weights in ``predictors/shipped`` are of this class: a change of it needs new ones, made by
    ``scripts/make-weights``.
    """

    def __init__(
        self, features: int, *, width: int = 64, hidden: int = 32, layers: int = 3
    ) -> None:
        """Make an encoder with random weights from torch's generator, see `seeded`.

        Args:
            features: Number of structural features.
            width: Length of the vectors.
            hidden: Length of a node's state in each direction.
            layers: Steps along the edges.
        """
        super().__init__()
        self.operation = nn.Embedding(len(OPERATIONS), hidden)
        self.attributes = nn.Linear(len(ATTRIBUTES), hidden)
        self.ahead = nn.ModuleList(_GatedConv(hidden, reverse=False) for _ in range(layers))
        self.back = nn.ModuleList(_GatedConv(hidden, reverse=True) for _ in range(layers))
        self.structure = nn.Linear(features, width)
        self.graph = nn.Linear(4 * hidden, width)
        self.last = nn.Linear(width, width)

    def forward(self, graphs: GraphTensors) -> Tensor:
        """Vectors of the graphs: float32 (n, width)."""
        kinds = self.operation(graphs.kinds[:, 0].long()) + self.attributes(graphs.kinds[:, 1:])
        ahead = back = kinds.index_select(0, graphs.kind)
        for one, other in zip(self.ahead, self.back, strict=True):
            ahead = one(ahead, graphs.edges, kinds, graphs.kind)
            back = other(back, graphs.edges, kinds, graphs.kind)
        count = len(graphs)
        op = graphs.kinds[:, 0].index_select(0, graphs.kind)
        first, last = torch.nonzero(op == INPUT)[:, 0], torch.nonzero(op == OUTPUT)[:, 0]
        pooled = torch.cat(
            [
                scatter(ahead, graphs.graph, dim=0, dim_size=count, reduce="mean"),
                scatter(back, graphs.graph, dim=0, dim_size=count, reduce="mean"),
                ahead.index_select(0, last),
                back.index_select(0, first),
            ],
            dim=1,
        )
        vector = torch.relu(self.graph(pooled) + self.structure(graphs.features))
        return torch.as_tensor(self.last(vector))

    @torch.no_grad()
    def encode(self, graphs: GraphTensors) -> Tensor:
        """As `forward` for many graphs, without gradients and in a few pieces: (n, width)."""
        return torch.cat([self(part) for part in graphs.chunks()])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers from ``seed`` inside; the generator's state comes back after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
