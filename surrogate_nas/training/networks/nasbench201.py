"""The networks of NAS-Bench-201 (Dong and Yang, ICLR 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nasbench201 import OPERATIONS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import (
    EdgeCell,
    EdgeOperation,
    Residual,
    classifier,
    relu_conv_bn,
    skip,
)

EDGE_OPERATIONS: dict[str, EdgeOperation | None] = {
    "none": None,
    "skip_connect": skip,
    "nor_conv_1x1": lambda c_in, c_out, stride: relu_conv_bn(c_in, c_out, 1, stride),
    "nor_conv_3x3": lambda c_in, c_out, stride: relu_conv_bn(c_in, c_out, 3, stride),
    "avg_pool_3x3": lambda _c_in, _c_out, stride: nn.AvgPool2d(
        3, stride, padding=1, count_include_pad=False
    ),
}


def build(
    architecture: Architecture, task: NetworkTask, *, channels: int = 16, cells: int = 5
) -> nn.Module:
    """A stem and three stages of cells, with a residual block that halves and doubles between.

    Args:
        architecture: Of the space `nasbench201`.
        task: Images and classes.
        channels: Of the first stage; the others have twice and four times as many.
        cells: Cells a stage.
    """
    operations = [EDGE_OPERATIONS[OPERATIONS[choice]] for choice in architecture.choices]
    layers = stem(task.image()[0], channels)
    for stage in range(3):
        width = channels * 2**stage
        if stage:
            layers.append(reduction(width // 2, width))
        layers += [EdgeCell(operations, width, width) for _ in range(cells)]
    return finished(layers, 4 * channels, task.classes)


def stem(channels_in: int, channels: int) -> list[nn.Module]:
    """A convolution and a batch normalisation; the ReLU is the next layer's."""
    return [
        nn.Conv2d(channels_in, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def reduction(channels_in: int, channels_out: int) -> nn.Module:
    """A residual block of stride 2, whose shortcut pools and convolves."""
    shortcut = nn.Sequential(
        # An odd last row counts too, so that both ways agree for any size.
        nn.AvgPool2d(2, 2, ceil_mode=True),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
    )
    return Residual(channels_in, channels_out, 2, shortcut)


def finished(layers: Sequence[nn.Module], channels: int, classes: int) -> nn.Module:
    """The layers, the last normalisation and the classifier."""
    head = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), classifier(channels, classes)]
    return nn.Sequential(*layers, *head)
