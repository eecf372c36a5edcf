"""Message passing that computes nodes with equal surroundings once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_BITS = 2**63


@dataclass(frozen=True, slots=True)
class MessageStep:
    """One step of message passing, from the states before to those after.

    Attributes:
        edges: int64 (2, m), row of the sending state before, and of the receiving one after.
        kind: int64 (k,), kind of the node that each state after is of.
        own: int64 (k,), row of the same node's state before; None where it is the same row.
    """

    edges: Tensor
    kind: Tensor
    own: Tensor | None = None


def distinct_steps(
    kind: Tensor, edges: Tensor, steps: int
) -> tuple[tuple[MessageStep, ...], Tensor]:
    """Steps that start from one state a kind, and the row of every node after the last.

    After t steps a node's state depends on its kind and on what is up to t edges upstream.
    Nodes that are equal in that share a state. They are found by colour refinement with hashed
    colours (Shervashidze et al., "Weisfeiler-Lehman Graph Kernels", JMLR 2011).

    Args:
        kind: int64 (nodes,), from 0.
        edges: int64 (2, m), sending and receiving node.
        steps: How many.
    """
    source, target = edges
    generator = torch.Generator().manual_seed(0)
    node, colour, found = torch.arange(len(kind)), kind, []
    for _ in range(steps):
        names = torch.randint(-_BITS, _BITS - 1, (int(colour.max()) + 1, 2), generator=generator)
        mine, sent = names.index_select(0, colour).T
        mixed = mine.index_add(0, target, sent.index_select(0, source))
        after = torch.unique(mixed, return_inverse=True)[1]
        first = torch.full((int(after.max()) + 1,), len(kind))
        first.scatter_reduce_(0, after, node, "amin")
        told = first[after[target]] == target
        sides = torch.stack([colour[source[told]], after[target[told]]])
        found.append(MessageStep(sides, kind[first], colour[first]))
        colour = after
    return tuple(found), colour
