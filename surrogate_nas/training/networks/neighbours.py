"""Neighbours and positions of a graph's nodes, for networks that pass messages."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate_nas.errors import InvalidArgumentError

POSITIONS: dict[str, int] = {"lepe": 8, "rwpe": 8}
"""Numbers of each kind of position: eigenvectors of the Laplacian, or steps of random walks."""
DENSE = 20_000
"""Most nodes of a graph whose positions and nearest nodes are computed as a whole."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges along which messages are passed.

    Attributes:
        index: int64 (2, m), source and target of each edge, including an edge from each node to
            itself.
        degree: float (nodes,), number of edges that end at a node.
        position: float (nodes, k), see `positions`, or None.
    """

    index: Tensor
    degree: Tensor
    position: Tensor | None


def neighbours(kind: str, x: Tensor, edge_index: Tensor, nearest: int) -> Tensor:
    """Edges (2, m) to each node from itself and its neighbours.

    Args:
        kind: ``edge_index``: one hop; ``edge_index_2hop``: one or two; ``edge_index_knn``: the
            nearest by features (cosine), ``edge_index_knn_lepe`` and ``_rwpe`` by positions.
        x: Features (nodes, features).
        edge_index: int64 (2, m).
        nearest: Number of the nearest nodes.
    """
    nodes = x.shape[0]
    own = torch.arange(nodes, device=x.device).expand(2, nodes)
    if kind == "edge_index":
        found = edge_index
    elif kind == "edge_index_2hop":
        _check_size(nodes)
        once = torch.zeros((nodes, nodes), device=x.device)
        once[edge_index[0], edge_index[1]] = 1
        found = torch.cat([edge_index, (once @ once).nonzero().T], dim=1)
    else:
        _check_size(nodes)
        way = kind.removeprefix("edge_index_knn").removeprefix("_")
        position = positions(way, edge_index, nodes).to(x) if way else x
        unit = torch.nn.functional.normalize(position, dim=1)
        itself = torch.eye(nodes, dtype=torch.bool, device=x.device)
        close = torch.where(itself, -torch.inf, unit @ unit.T)
        count = min(nearest, nodes - 1)
        source = close.topk(count, dim=1).indices.flatten()
        # Not by repeat_interleave, of which torch's exports fix the number of nodes.
        target = own[0, :, None].expand(nodes, count).flatten()
        found = torch.stack([source, target])
    edges: Tensor = torch.unique(torch.cat([found, own], dim=1), dim=1)
    return edges


def degrees(edge_index: Tensor, nodes: int) -> Tensor:
    """Number of edges that end at each node, at least 1: float (nodes,)."""
    ones = torch.ones(edge_index.shape[1], device=edge_index.device)
    counted = torch.zeros(nodes, device=edge_index.device).index_add(0, edge_index[1], ones)
    return counted.clamp(min=1)


def positions(kind: str, edge_index: Tensor, nodes: int) -> Tensor:
    """Positional encodings of nodes: float (nodes, k), padded with 0 for a small graph.

    ``lepe`` are eigenvectors of the normalised Laplacian after the first (Dwivedi et al.,
    "Benchmarking graph neural networks", JMLR 2023). ``rwpe`` are the probabilities that a random
    walk returns after 1, 2, … steps (Dwivedi et al., ICLR 2022).
    """
    _check_size(nodes)
    adjacency = torch.zeros((nodes, nodes), device=edge_index.device)
    adjacency[edge_index[0], edge_index[1]] = adjacency[edge_index[1], edge_index[0]] = 1
    degree = adjacency.sum(dim=1).clamp(min=1)
    size = POSITIONS[kind]
    found = torch.zeros((nodes, size), device=edge_index.device)
    if kind == "lepe":
        scaled = degree.rsqrt()
        laplacian = torch.eye(nodes, device=edge_index.device) - (
            scaled[:, None] * adjacency * scaled
        )
        vectors = torch.linalg.eigh(laplacian).eigenvectors[:, 1 : size + 1]
        found[:, : vectors.shape[1]] = vectors
        return found
    walk = adjacency / degree[:, None]
    power = walk
    for step in range(size):
        found[:, step] = power.diagonal()
        power = power @ walk
    return found


def _check_size(nodes: int) -> None:
    if nodes > DENSE:
        raise InvalidArgumentError(
            f"this design needs all pairs of nodes, so a graph of at most {DENSE} nodes, got "
            f"{nodes}; search a part of the space with neigh = edge_index and degrees as norm"
        )
