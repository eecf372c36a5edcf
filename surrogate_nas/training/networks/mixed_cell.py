"""The supernet of `dense-cell`: a weighted mixture of all operations at every node."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.dense_cell import NODES, OPERATIONS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.dense_cell import cell_operation, with_cells


class Mixture:
    """The mixture of operations at all nodes, which a supernet's cells share.

    Attributes:
        weights: (nodes, operations), weights of the operations' outputs.
        active: The operations of each node that are computed.
    """

    def __init__(self) -> None:
        self.weights = torch.empty(0)
        self.active: Sequence[Sequence[int]] = ()

    def set_softmax(self, logits: Tensor) -> None:
        """Mix all operations by their probabilities (DARTS)."""
        self.weights = logits.softmax(dim=1)
        self.active = [range(logits.shape[1])] * len(logits)

    def set_sample(self, logits: Tensor, noise: Tensor, temperature: float) -> None:
        """One operation a node with weight 1, whose gradient is that of the softmax (GDAS).

        Args:
            logits: (nodes, operations).
            noise: Of the Gumbel distribution, like ``logits``.
            temperature: Of the softmax.
        """
        soft = ((logits.log_softmax(dim=1) + noise) / temperature).softmax(dim=1)
        chosen = soft.argmax(dim=1, keepdim=True)
        hard = torch.zeros_like(soft).scatter_(1, chosen, 1.0)
        self.weights = hard + (soft - soft.detach())
        self.active = chosen.tolist()


class MixedCell(nn.Module):
    """A dense cell with all operations at each node, mixed."""

    def __init__(self, mixture: Mixture, channels: int) -> None:
        super().__init__()
        self.mixture = mixture
        self.operations = nn.ModuleList(
            cell_operation(name, channels) for _ in range(NODES) for name in OPERATIONS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, 4 * channels, h, w)."""
        total, outputs = x, []
        for node, (weights, active) in enumerate(
            zip(self.mixture.weights, self.mixture.active, strict=True)
        ):
            first = node * len(OPERATIONS)
            parts = [weights[i] * self.operations[first + i](total) for i in active]
            outputs.append(sum(parts[1:], parts[0]))
            total = total + outputs[-1]
        return torch.cat(outputs, dim=1)


def build_supernet(
    mixture: Mixture,
    task: NetworkTask,
    *,
    channels: int = 16,
    cells: int = 1,
    stem_stride: int = 1,
) -> nn.Module:
    """The network of `dense-cell` with mixed cells; the settings are those of its networks."""
    return with_cells(lambda: MixedCell(mixture, channels), task, channels, cells, stem_stride)
