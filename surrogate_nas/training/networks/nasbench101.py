"""The networks of NAS-Bench-101 (Ying et al., ICML 2019)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from surrogate_nas._types import IntArray
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nasbench101 import NASBench101Space
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import classifier, conv_bn_relu


def build(
    architecture: Architecture,
    task: NetworkTask,
    *,
    channels: int = 128,
    stacks: int = 3,
    modules: int = 3,
) -> nn.Module:
    """A stem and stacks of modules; a max pooling that halves, and twice the channels, between.

    Args:
        architecture: Of the space `nasbench101`; nodes on no path from input to output are
            dropped first. Where channels do not divide evenly, the order of the nodes counts.
        task: Images and classes.
        channels: Of the stem and the first stack.
        stacks: Number of stacks.
        modules: Modules a stack.
    """
    matrix, ops = _pruned(*NASBench101Space().matrix(architecture))
    layers = [conv_bn_relu(task.image()[0], channels, 3)]
    before = channels
    for stack in range(stacks):
        if stack:
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            channels *= 2
        for _ in range(modules):
            layers.append(Module101(matrix, ops, before, channels))
            before = channels
    return nn.Sequential(*layers, classifier(channels, task.classes))


def _pruned(matrix: IntArray, ops: tuple[str, ...]) -> tuple[IntArray, tuple[str, ...]]:
    """Only the nodes on paths from input to output, in their order."""
    paths = np.eye(len(ops), dtype=np.int64) + matrix
    for _ in ops:
        paths = np.minimum(paths @ paths, 1)
    keep = np.flatnonzero(paths[0] & paths[:, -1])
    return matrix[np.ix_(keep, keep)], tuple(ops[i] for i in keep)


def vertex_channels(matrix: IntArray, channels: int) -> list[int]:
    """Output channels of each node of a pruned cell; those of the input stay 0.

    The nodes that the output reads share its channels, the first ones take the remainder; any
    other node is as wide as the widest node that reads it.
    """
    last = len(matrix) - 1
    widths = [0] * last + [channels]
    read = [node for node in range(1, last) if matrix[node, last]]
    for place, node in enumerate(read):
        widths[node] = channels // len(read) + (place < channels % len(read))
    for node in reversed(range(1, last)):
        if not matrix[node, last]:
            widths[node] = max(widths[reader] for reader in np.flatnonzero(matrix[node]))
    return widths


class Module101(nn.Module):
    """One cell: nodes sum what they read, the output concatenates.

    What comes from the input is projected to the reader's width; a wider inner node is cut off.
    """

    def __init__(
        self, matrix: IntArray, ops: tuple[str, ...], channels_in: int, channels_out: int
    ) -> None:
        super().__init__()
        self.last = len(ops) - 1
        self.widths = vertex_channels(matrix, channels_out)
        self.reads = [np.flatnonzero(matrix[:, node]).tolist() for node in range(len(ops))]
        self.projections = nn.ModuleDict(
            {
                str(node): conv_bn_relu(channels_in, self.widths[node], 1)
                for node in range(1, len(ops))
                if matrix[0, node]
            }
        )
        self.operations = nn.ModuleDict(
            {str(n): _operation(ops[n], self.widths[n]) for n in range(1, self.last)}
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, h, w)."""
        values: dict[int, Tensor] = {}
        for node in range(1, self.last):
            total = self._projected(node, x)
            for source in self.reads[node]:
                if source:
                    value = values[source][:, : self.widths[node]]
                    total = value if total is None else total + value
            values[node] = self.operations[str(node)](total)
        projected = self._projected(self.last, x)
        parts = [values[source] for source in self.reads[self.last] if source]
        if not parts:
            assert projected is not None
            return projected
        joined = torch.cat(parts, dim=1)
        return joined if projected is None else joined + projected

    def _projected(self, node: int, x: Tensor) -> Tensor | None:
        return self.projections[str(node)](x) if str(node) in self.projections else None


def _operation(name: str, channels: int) -> nn.Module:
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, stride=1, padding=1)
    return conv_bn_relu(channels, channels, 3 if name == "conv3x3-bn-relu" else 1)
