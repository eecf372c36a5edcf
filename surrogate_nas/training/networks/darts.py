"""The networks of DARTS (Liu et al., ICLR 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.darts_cells import INPUTS, NODES, OPERATIONS, PAIRS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import FactorizedReduce, classifier, relu_conv_bn

_STEM = 3  # channels of the stem, as a multiple


def build(
    architecture: Architecture, task: NetworkTask, *, channels: int = 16, cells: int = 8
) -> nn.Module:
    """A stem and cells; those after one and after two thirds halve the resolution.

    The published evaluation on CIFAR-10 has 36 channels and 20 cells; there is no auxiliary
    classifier and no dropped path here.

    Args:
        architecture: Of the space `darts`.
        task: Images and classes.
        channels: Of an operation of the first cells; doubled where the resolution is halved.
        cells: Number of cells, at least 3.
    """
    return DARTSNetwork(architecture.choices, task, channels, cells)


class DARTSNetwork(nn.Module):
    """Cells in a row, each of which reads the two before it."""

    def __init__(
        self, choices: Sequence[int], task: NetworkTask, channels: int, cells: int
    ) -> None:
        super().__init__()
        half = len(choices) // 2
        width = _STEM * channels
        self.stem = nn.Sequential(
            nn.Conv2d(task.image()[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        before, last, halved = width, width, False
        self.cells = nn.ModuleList()
        for number in range(cells):
            reduction = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduction else 1
            part = choices[half:] if reduction else choices[:half]
            self.cells.append(Cell(part, before, last, channels, reduction, halved))
            before, last, halved = last, NODES * channels, reduction
        self.classifier = classifier(last, task.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, channels, height, width) to logits (n, classes)."""
        before = last = self.stem(x)
        for cell in self.cells:
            before, last = last, cell(before, last)
        logits: Tensor = self.classifier(last)
        return logits


class Cell(nn.Module):
    """Four nodes, each the sum of two operations on earlier states; their outputs are joined."""

    def __init__(
        self,
        choices: Sequence[int],
        channels_before: int,
        channels_last: int,
        channels: int,
        reduction: bool,
        halved: bool,
    ) -> None:
        """Build a cell.

        Args:
            choices: Pair of states and two operations, for each node.
            channels_before: Of the output of the cell before the last.
            channels_last: Of the last cell's.
            channels: Of each node.
            reduction: Whether operations on the cell's inputs halve the resolution.
            halved: Whether the last cell did, so that the one before it is larger.
        """
        super().__init__()
        first = FactorizedReduce if halved else _projection
        self.inputs = nn.ModuleList(
            [first(channels_before, channels), _projection(channels_last, channels)]
        )
        self.sources: list[int] = []
        self.operations = nn.ModuleList()
        for node in range(NODES):
            pair, *ops = choices[3 * node : 3 * node + 3]
            for source, op in zip(PAIRS[pair], ops, strict=True):
                stride = 2 if reduction and source < INPUTS else 1
                self.sources.append(source)
                self.operations.append(_OPERATIONS[OPERATIONS[op]](channels, stride))

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """Outputs of the two cells before to (n, 4 * channels, h, w)."""
        states = [self.inputs[0](before), self.inputs[1](last)]
        for node in range(NODES):
            edges = (2 * node, 2 * node + 1)
            left, right = (self.operations[i](states[self.sources[i]]) for i in edges)
            states.append(left + right)
        return torch.cat(states[INPUTS:], dim=1)


def _projection(channels_in: int, channels_out: int) -> nn.Module:
    return relu_conv_bn(channels_in, channels_out, 1)


def _separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    """ReLU, depthwise convolution, 1x1 convolution, batch normalisation."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),  # not in place: other edges read the same state
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


def _twice(kernel: int) -> Callable[[int, int], nn.Module]:
    return lambda channels, stride: nn.Sequential(
        *_separable(channels, kernel, stride), *_separable(channels, kernel, 1)
    )


def _dilated(kernel: int) -> Callable[[int, int], nn.Module]:
    return lambda channels, stride: nn.Sequential(*_separable(channels, kernel, stride, 2))


_OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "max_pool_3x3": lambda _, stride: nn.MaxPool2d(3, stride, padding=1),
    "avg_pool_3x3": lambda _, stride: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
    "skip_connect": lambda channels, stride: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    ),
    "sep_conv_3x3": _twice(3),
    "sep_conv_5x5": _twice(5),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
}
