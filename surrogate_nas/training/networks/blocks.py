"""Parts that the networks of several spaces share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.cells import cell_edges, cell_states

EdgeOperation = Callable[[int, int, int], nn.Module]
"""Makes a module of ``(channels_in, channels_out, stride)``."""


def conv_bn_relu(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Module:
    """Convolution without bias, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


def relu_conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Module:
    """ReLU, convolution without bias, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),  # not in place: other edges read the same state
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


def separable_conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Module:
    """Depthwise and then 1x1 convolution, each with batch normalisation and ReLU."""
    return nn.Sequential(
        *_depthwise(channels_in, kernel, stride), conv_bn_relu(channels_in, channels_out, 1)
    )


def _depthwise(channels: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    ]


def skip(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    """The identity, or its replacement if the shape changes."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    if stride == 1:
        return nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
        )
    return FactorizedReduce(channels_in, channels_out)


class FactorizedReduce(nn.Module):
    """Halves the resolution by two strided 1x1 convolutions, the second one pixel further."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        half = channels_out // 2
        self.even = nn.Conv2d(channels_in, half, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - half, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, ceil(h / 2), ceil(w / 2))."""
        x = torch.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        result: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return result


class Residual(nn.Module):
    """Two convolutions beside a shortcut: ``shortcut(x) + body(x)``."""

    def __init__(
        self, channels_in: int, channels_out: int, stride: int, shortcut: nn.Module
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_bn(channels_in, channels_out, 3, stride),
            relu_conv_bn(channels_out, channels_out, 3),
        )
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, h', w')."""
        result: Tensor = self.shortcut(x) + self.body(x)
        return result


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; a shortcut where the shape stays."""

    def __init__(
        self, channels_in: int, channels_out: int, stride: int, expansion: int, kernel: int
    ) -> None:
        super().__init__()
        hidden = expansion * channels_in
        self.body = nn.Sequential(
            conv_bn_relu(channels_in, hidden, 1),
            *_depthwise(hidden, kernel, stride),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, h', w')."""
        result: Tensor = self.body(x)
        return x + result if self.shortcut else result


class EdgeCell(nn.Module):
    """A cell with an operation on each edge, in the order of `cell_edges`; None is no edge.

    State 0 is the input, every other state is the sum of its edges' results, and the last state is
    the output. A state without an edge is zero, which operations still read; a batch normalisation
    turns it into its bias, as in the published networks.
    """

    def __init__(
        self,
        operations: Sequence[EdgeOperation | None],
        channels_in: int,
        channels_out: int,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.channels = channels_out
        self.stride = stride
        self.states = cell_states(len(operations))
        self.edges = nn.ModuleDict()
        for (source, target), make in zip(cell_edges(self.states), operations, strict=True):
            if make is not None:
                first = source == 0
                self.edges[f"{source}_{target}"] = make(
                    channels_in if first else channels_out, channels_out, stride if first else 1
                )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, ceil(h / stride), ceil(w / stride))."""
        states = [x]
        for target in range(1, self.states):
            total: Tensor | None = None
            for source, state in enumerate(states):
                key = f"{source}_{target}"
                if key in self.edges:
                    brought = self.edges[key](state)
                    total = brought if total is None else total + brought
            states.append(self._zero(x) if total is None else total)
        return states[-1]

    def _zero(self, x: Tensor) -> Tensor:
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(x.shape[0], self.channels, height, width)


def classifier(channels: int, classes: int) -> nn.Module:
    """Global average pooling and a linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
