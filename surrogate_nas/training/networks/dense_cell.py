"""The networks of `dense-cell`: small enough to train the whole space on one processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.dense_cell import NODES, OPERATIONS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import classifier, conv_bn_relu


def build(
    architecture: Architecture,
    task: NetworkTask,
    *,
    channels: int = 16,
    cells: int = 1,
    stem_stride: int = 1,
) -> nn.Module:
    """A stem, one or more cells, global pooling and a linear layer.

    Args:
        architecture: Of the space `dense-cell`.
        task: Images and classes.
        channels: Of the stem and of each node.
        cells: Number of cells; a 1x1 convolution narrows what one hands to the next.
        stem_stride: Stride of the stem.
    """
    layers = [conv_bn_relu(task.image()[0], channels, 3, stem_stride)]
    for i in range(cells):
        if i:
            layers.append(conv_bn_relu(NODES * channels, channels, 1))
        layers.append(DenseCell(architecture, channels))
    return nn.Sequential(*layers, classifier(NODES * channels, task.classes))


class DenseCell(nn.Module):
    """Four operations, each on the sum of all earlier states; their outputs concatenated."""

    def __init__(self, architecture: Architecture, channels: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(
            _operation(OPERATIONS[choice], channels) for choice in architecture.choices
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, 4 * channels, h, w)."""
        total, outputs = x, []
        for node in self.nodes:
            outputs.append(node(total))
            total = total + outputs[-1]
        return torch.cat(outputs, dim=1)


def _operation(name: str, channels: int) -> nn.Module:
    match name:
        case "conv3x3":
            return conv_bn_relu(channels, channels, 3)
        case "conv5x5":
            return conv_bn_relu(channels, channels, 5)
        case "maxpool3x3":
            return nn.MaxPool2d(3, stride=1, padding=1)
        case "avgpool3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        case _:
            return nn.Identity()
