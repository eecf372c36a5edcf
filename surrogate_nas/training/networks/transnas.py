"""The networks of TransNAS-Bench-101, for classification (Duan et al., CVPR 2021)."""

from __future__ import annotations

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.transnas_macro import MODULES
from surrogate_nas.spaces.transnas_micro import OPERATIONS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import (
    EdgeCell,
    EdgeOperation,
    Residual,
    classifier,
    conv_bn_relu,
    relu_conv_bn,
    skip,
)

_EDGE_OPERATIONS: dict[str, EdgeOperation | None] = {
    "none": None,
    "skip": skip,
    "conv1x1": lambda c_in, c_out, stride: relu_conv_bn(c_in, c_out, 1, stride),
    "conv3x3": lambda c_in, c_out, stride: relu_conv_bn(c_in, c_out, 3, stride),
}
_MICRO_MODULES = "41414"
_DOUBLES, _HALVES = "24", "34"
_BLOCKS = 2  # a module


def build_micro(architecture: Architecture, task: NetworkTask, *, channels: int = 64) -> nn.Module:
    """Five modules of two cells; the first, third and fifth halve and double.

    Args:
        architecture: Of the space `transnas-micro`.
        task: Images and classes.
        channels: Of the stem.
    """
    operations = [_EDGE_OPERATIONS[OPERATIONS[choice]] for choice in architecture.choices]

    def cell(c_in: int, c_out: int, stride: int) -> nn.Module:
        return EdgeCell(operations, c_in, c_out, stride)

    return _network(_MICRO_MODULES, cell, task, channels)


def build_macro(architecture: Architecture, task: NetworkTask, *, channels: int = 64) -> nn.Module:
    """The chosen modules of two residual blocks each.

    Args:
        architecture: Of the space `transnas-macro`.
        task: Images and classes.
        channels: Of the stem.
    """
    modules = "".join(MODULES[c] for c in architecture.choices if c < len(MODULES))
    return _network(modules, _residual, task, channels)


def _residual(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    if stride == 1 and channels_in == channels_out:
        return Residual(channels_in, channels_out, stride, nn.Identity())
    shortcut = nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
        nn.BatchNorm2d(channels_out),
    )
    return Residual(channels_in, channels_out, stride, shortcut)


def _network(modules: str, block: EdgeOperation, task: NetworkTask, channels: int) -> nn.Module:
    layers: list[nn.Module] = [
        # The stem divides the resolution by four.
        *_stem(task.image()[0], channels),
    ]
    for digit in modules:
        width = channels * 2 if digit in _DOUBLES else channels
        stride = 2 if digit in _HALVES else 1
        layers.append(block(channels, width, stride))
        layers += [block(width, width, 1) for _ in range(1, _BLOCKS)]
        channels = width
    return nn.Sequential(*layers, classifier(channels, task.classes))


def _stem(channels_in: int, channels: int) -> list[nn.Module]:
    half = channels // 2
    return [
        conv_bn_relu(channels_in, half, 3, 2),
        nn.Conv2d(half, channels, 3, 2, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]
