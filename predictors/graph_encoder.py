"""A graph network that turns architectures of any space into vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.predictors.message_steps import MessageStep, distinct_steps
from surrogate_nas.predictors.structure.features import FAMILIES, StructuralFeatures
from surrogate_nas.predictors.structure.paths import unique_rows
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs
from surrogate_nas.spaces.operations import EDITIONS, OPERATION_IDS, edition

_PIECE = 32_768  # graphs encoded at once, which limits the memory for their states
_CHUNK = 1_000  # graphs pooled at once, so that arrays stay in the cache
_TIMES = 4  # architectures a graph, from which on each distinct graph is kept once
_UNKNOWN = OPERATION_IDS["unknown"]

_Distinct = tuple[tuple[MessageStep, ...], Tensor]


@dataclass(frozen=True)
class GraphTensors:
    """Many architectures as tensors; the nodes and edges of one graph are consecutive.

    Attributes:
        kinds: float32 (u, 1 + k), the different nodes: position in `OPERATIONS`, and the first k
            attributes, see `edition`.
        kind: int64 (nodes,), the row of each node in ``kinds``.
        edges: int64 (2, m), source and target node.
        graph: int64 (nodes,), the graph of each node, ascending.
        features: float32 (n, k), standardised features of each architecture.
        number: int64 (n,), the graph of each architecture, if several share one; None if each has
            its own.
    """

    kinds: Tensor
    kind: Tensor
    edges: Tensor
    graph: Tensor
    features: Tensor
    number: Tensor | None = None
    _distinct: dict[int, tuple[_Distinct, _Distinct]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def edition(self) -> tuple[int, int]:
        """See `surrogate_nas.spaces.operations.edition`."""
        kinds = self.kinds.numpy()
        return edition(kinds[:, 0], kinds[:, 1:])

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
        described = graphs.attributes[:, : edition(graphs.op, graphs.attributes)[1]]
        rows = np.concatenate([graphs.op[:, None], described], axis=1, dtype=np.float32)
        kinds, kind = unique_rows(rows)
        return cls(
            torch.from_numpy(kinds),
            torch.from_numpy(kind),
            torch.from_numpy(graphs.edges.astype(np.int64)),
            torch.from_numpy(graphs.graph.astype(np.int64)),
            torch.from_numpy(np.asarray(features, dtype=np.float32)),
        )

    def shared(self) -> GraphTensors:
        """The same with each distinct graph once, if few graphs stand for many architectures.

        This is the case in a space whose decisions the vocabulary does not know.
        """
        first, mark = self._first_node.numpy(), self._marks()
        _, example, number = np.unique(mark, return_index=True, return_inverse=True)
        if len(example) > len(self) // _TIMES or (np.diff(first) == 0).any():
            return self
        few = self.take(torch.from_numpy(example))
        return replace(few, features=self.features, number=torch.from_numpy(number))

    def _marks(self) -> FloatArray:
        """A number for each graph, the same for equal graphs and no others."""
        draw = np.random.default_rng(0).normal
        first, graph = self._first_node.numpy(), self.graph.numpy()
        position = np.arange(len(graph)) - first[graph]
        owner = graph[self.edges[1].numpy()]
        source, target = self.edges.numpy() - first[owner]
        where = draw(size=(3, int(position.max()) + 1))
        nodes = draw(size=len(self.kinds))[self.kind.numpy()] * where[0][position]
        edges = where[1][source] * where[2][target]
        counted = [
            np.bincount(of, weights, minlength=len(self))
            for of, weights in ((graph, nodes), (owner, edges))
        ]
        return np.asarray(counted[0] + counted[1])

    def __len__(self) -> int:
        return len(self.features)

    @property
    def _graphs(self) -> int:
        return len(self) if self.number is None else int(self.graph[-1]) + 1

    @cached_property
    def _first_node(self) -> Tensor:
        return torch.searchsorted(self.graph, torch.arange(self._graphs + 1))

    @cached_property
    def _first_edge(self) -> Tensor:
        owner = self.graph.index_select(0, self.edges[1])
        return torch.searchsorted(owner, torch.arange(self._graphs + 1))

    def take(self, rows: Tensor) -> GraphTensors:
        """Only these architectures, int64 (m,), in this order; one may be there several times."""
        features, number = self.features.index_select(0, rows), None
        if self.number is not None:
            rows, number = torch.unique(self.number.index_select(0, rows), return_inverse=True)
        node, graph = _members(self._first_node, rows)
        edge, owner = _members(self._first_edge, rows)
        sizes = self._first_node[rows + 1] - self._first_node[rows]
        shift = torch.cumsum(sizes, 0) - self._first_node[rows + 1]
        return GraphTensors(
            self.kinds,
            self.kind.index_select(0, node),
            self.edges.index_select(1, edge) + shift.index_select(0, owner),
            graph,
            features,
            number,
        )

    def pieces(self) -> Iterator[GraphTensors]:
        """All architectures in their order, at most 32,768 at a time."""
        if len(self) <= _PIECE:
            yield self
            return
        for rows in torch.split(torch.arange(len(self)), _PIECE):
            yield self.take(rows)

    def chunks(self) -> Iterator[tuple[slice, slice]]:
        """All graphs in their order, a few at a time, and their nodes."""
        for start in range(0, self._graphs, _CHUNK):
            stop = min(start + _CHUNK, self._graphs)
            first, last = self._first_node[[start, stop]].tolist()
            yield slice(start, stop), slice(first, last)

    def distinct_steps(self, steps: int) -> tuple[_Distinct, _Distinct]:
        """See `message_steps.distinct_steps`, from inputs to outputs and back; kept."""
        if steps not in self._distinct:
            ways = (self.edges, self.edges.flip(0))
            one, other = (distinct_steps(self.kind, edges, steps) for edges in ways)
            self._distinct[steps] = one, other
        return self._distinct[steps]


def _members(first: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Members ``first[g], …, first[g + 1] - 1`` of each group g, and its position in ``groups``."""
    sizes = first[groups + 1] - first[groups]
    position = torch.repeat_interleave(torch.arange(len(groups)), sizes)
    shift = first[groups] - (torch.cumsum(sizes, 0) - sizes)
    return torch.arange(len(position)) + shift.index_select(0, position), position


class _GatedConv(nn.Module):
    r"""One step of gated message passing along the edges.

    .. math::
        \mathbf{x}^{\prime}_i = \mathrm{ReLU} \Bigl( \sigma \bigl( \mathbf{G} \mathbf{e}_i +
        \mathbf{g} \bigr) \odot \mathbf{W} \sum_{j \in \mathcal{N}(i)} \mathbf{x}_j +
        \mathbf{V} \mathbf{x}_i + \mathbf{v} \Bigr)

    where :math:`\mathbf{e}_i` is the embedded operation of the receiving node, which decides what
    passes (GATES, see `GraphEncoder`), :math:`\mathcal{N}(i)` are the nodes with an edge to
    it, :math:`\sigma` is the logistic function and :math:`\odot` the product of entries.

    It is not a subclass of PyTorch Geometric's `MessagePassing`, which writes a compiled file in
    every process and does not remove it.

    Args:
        hidden: Length of a state, and of an embedded operation.

    Shapes:
        - **states**: float32 (k, hidden), one for each node or for each group of equal ones
        - **embedded kinds**: float32 (u, hidden), one for each different node
        - **step**: edges int64 (2, m), kinds int64 (k',), see `MessageStep`
        - **output**: float32 (k', hidden)
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, hidden, bias=False)
        self.own = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, kinds: Tensor, step: MessageStep) -> Tensor:
        """States (k, hidden) after the step, from those before and embedded ``kinds``."""
        gate = torch.sigmoid(self.gate(kinds)).index_select(0, step.kind)
        source, target = step.edges
        sums = scatter(x.index_select(0, source), target, dim_size=len(step.kind), reduce="sum")
        own = self.own(x) if step.own is None else self.own(x).index_select(0, step.own)
        return torch.relu(gate * self.weight(sums) + own)


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
        self,
        features: int,
        *,
        width: int = 64,
        hidden: int = 32,
        layers: int = 3,
        edition: tuple[int, int] = EDITIONS[0],
    ) -> None:
        """Make an encoder with random weights from torch's generator, see `seeded`.

        Args:
            features: Number of structural features.
            width: Length of the vectors.
            hidden: Length of a node's state in each direction.
            layers: Steps along the edges.
            edition: Number of operations and of attributes that it knows. Other operations are
                read as `unknown`, other attributes as absent.
        """
        super().__init__()
        self.operation = nn.Embedding(edition[0], hidden)
        self.attributes = nn.Linear(edition[1], hidden)
        self.ahead = nn.ModuleList(_GatedConv(hidden) for _ in range(layers))
        self.back = nn.ModuleList(_GatedConv(hidden) for _ in range(layers))
        self.structure = nn.Linear(features, width)
        self.graph = nn.Linear(4 * hidden, width)
        self.last = nn.Linear(width, width)

    def forward(self, graphs: GraphTensors) -> Tensor:
        """Vectors of the graphs: float32 (n, width)."""
        kinds = self._kinds(graphs)
        ahead = back = kinds.index_select(0, graphs.kind)
        onward, backward = (
            MessageStep(graphs.edges, graphs.kind),
            MessageStep(graphs.edges.flip(0), graphs.kind),
        )
        for one, other in zip(self.ahead, self.back, strict=True):
            ahead, back = one(ahead, kinds, onward), other(back, kinds, backward)
        op = graphs.kinds[:, 0].index_select(0, graphs.kind)
        pooled = self._pooled(op, graphs.graph, ahead, back, graphs._graphs)
        if graphs.number is not None:
            pooled = pooled.index_select(0, graphs.number)
        return self._vectors(pooled, graphs.features)

    @torch.no_grad()
    def encode(self, graphs: GraphTensors) -> Tensor:
        """As `forward` for many graphs, without gradients and in less time: (n, width)."""
        return torch.cat([part for piece in graphs.pieces() for part in self._encoded(piece)])

    def _encoded(self, graphs: GraphTensors) -> Iterator[Tensor]:
        kinds = self._kinds(graphs)
        states = []
        for layers, (steps, position) in zip(
            (self.ahead, self.back), graphs.distinct_steps(len(self.ahead)), strict=True
        ):
            x = kinds
            for layer, step in zip(layers, steps, strict=True):
                x = layer(x, kinds, step)
            states.append((x, position))
        kept = []
        for rows, nodes in graphs.chunks():
            ahead, back = (x.index_select(0, position[nodes]) for x, position in states)
            op = graphs.kinds[:, 0].index_select(0, graphs.kind[nodes])
            graph = graphs.graph[nodes] - rows.start
            pooled = self._pooled(op, graph, ahead, back, rows.stop - rows.start)
            if graphs.number is None:
                yield self._vectors(pooled, graphs.features[rows])
            else:
                kept.append(pooled)
        if graphs.number is not None:
            yield self._vectors(torch.cat(kept).index_select(0, graphs.number), graphs.features)

    def _kinds(self, graphs: GraphTensors) -> Tensor:
        operation = graphs.kinds[:, 0].long()
        operation = torch.where(operation < self.operation.num_embeddings, operation, _UNKNOWN)
        described = graphs.kinds[:, 1:]
        missing = self.attributes.in_features - described.shape[1]
        if missing:  # negative: cuts off attributes that the weights do not know
            described = nn.functional.pad(described, (0, missing))
        return torch.as_tensor(self.operation(operation) + self.attributes(described))

    def _pooled(self, op: Tensor, graph: Tensor, ahead: Tensor, back: Tensor, count: int) -> Tensor:
        """From the operation, the graph and the last states of each node: (count, 4 hidden)."""
        first, last = torch.nonzero(op == INPUT)[:, 0], torch.nonzero(op == OUTPUT)[:, 0]
        return torch.cat(
            [
                scatter(ahead, graph, dim=0, dim_size=count, reduce="mean"),
                scatter(back, graph, dim=0, dim_size=count, reduce="mean"),
                ahead.index_select(0, last),
                back.index_select(0, first),
            ],
            dim=1,
        )

    def _vectors(self, pooled: Tensor, features: Tensor) -> Tensor:
        vector = torch.relu(self.graph(pooled) + self.structure(features))
        return torch.as_tensor(self.last(vector))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's random numbers inside the context; the generator's state is restored after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
