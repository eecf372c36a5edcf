"""The networks of `dense-cell`: small enough to train the whole space on one processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    return with_cells(
        lambda: DenseCell(architecture.choices, channels), task, channels, cells, stem_stride
    )


def with_cells(
    make: Callable[[], nn.Module], task: NetworkTask, channels: int, cells: int, stem_stride: int
) -> nn.Module:
    """The network around cells that turn ``channels`` into 4 times as many, see `build`."""
    layers = [conv_bn_relu(task.image()[0], channels, 3, stem_stride)]
    for i in range(cells):
        if i:
            layers.append(conv_bn_relu(NODES * channels, channels, 1))
        layers.append(make())
    return nn.Sequential(*layers, classifier(NODES * channels, task.classes))


class DenseCell(nn.Module):
    """Four operations, each on the sum of all earlier states; their outputs concatenated."""

    def __init__(self, choices: Sequence[int], channels: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(cell_operation(OPERATIONS[c], channels) for c in choices)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, 4 * channels, h, w)."""
        total, outputs = x, []
        for node in self.nodes:
            outputs.append(node(total))
            total = total + outputs[-1]
        return torch.cat(outputs, dim=1)


def cell_operation(name: str, channels: int) -> nn.Module:
    """The module of one of `OPERATIONS`, which keeps the shape."""
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
