"""The networks of `mobilenet`: MobileNetV3 (Howard et al., ICCV 2019) with free stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.mobilenet import (
    CHANNELS,
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    LAYERS,
    STAGES,
    STEM_CHANNELS,
    STRIDES,
)
from surrogate_nas.training.networks.base import NetworkTask

_EXPANDED, _FEATURES = 960, 1280  # of the last layers
_SQUEEZE = 4  # the excitation has a quarter of the channels
_RELU_STAGES = 2  # the first stages have ReLU, the others hard swish


def build(
    architecture: Architecture,
    task: NetworkTask,
    *,
    width_percent: int = 100,
    stem_stride: int = 2,
) -> nn.Module:
    """A stem, a first block, five stages, and a classifier of two layers.

    Args:
        architecture: Of the space `mobilenet`.
        task: Images and classes.
        width_percent: All numbers of channels in percent, rounded to multiples of 8.
        stem_stride: Stride of the stem; 1 for small images.
    """
    units = [architecture.choices[i : i + 2 + 2 * LAYERS] for i in range(0, STAGES * 10, 10)]
    width = _rounded(STEM_CHANNELS, width_percent)
    swish = nn.Hardswish
    layers: list[nn.Module] = [
        *_conv(task.image()[0], width, 3, stem_stride),
        swish(),
        MobileBlock(width, width, 1, 1, 3, squeeze=False, activation=nn.ReLU),
    ]
    for stage, (depth, squeeze, *rest) in enumerate(units):
        channels = _rounded(CHANNELS[stage], width_percent)
        activation = nn.ReLU if stage < _RELU_STAGES else swish
        for layer in range(DEPTHS[depth]):
            kernel, expansion = rest[2 * layer : 2 * layer + 2]
            layers.append(
                MobileBlock(
                    width,
                    channels,
                    STRIDES[stage] if layer == 0 else 1,
                    EXPANSIONS[expansion],
                    KERNELS[kernel],
                    squeeze=bool(squeeze),
                    activation=activation,
                )
            )
            width = channels
    expanded, features = (_rounded(n, width_percent) for n in (_EXPANDED, _FEATURES))
    return nn.Sequential(
        *layers,
        *_conv(width, expanded, 1),
        swish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(expanded, features),
        swish(),
        nn.Linear(features, task.classes),
    )


class MobileBlock(nn.Module):
    """Expansion, depthwise convolution, squeeze-and-excitation, projection, and a shortcut."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        stride: int,
        expansion: int,
        kernel: int,
        *,
        squeeze: bool,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        hidden = expansion * channels_in
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [*_conv(channels_in, hidden, 1), activation()]
        layers += [*_conv(hidden, hidden, kernel, stride, groups=hidden), activation()]
        if squeeze:
            layers.append(SqueezeExcitation(hidden))
        layers += _conv(hidden, channels_out, 1)
        self.body = nn.Sequential(*layers)
        self.shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels_out, h', w')."""
        result: Tensor = self.body(x)
        return x + result if self.shortcut else result


class SqueezeExcitation(nn.Module):
    """Weighs each channel, given the means of all channels (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = _rounded(channels, 100 // _SQUEEZE)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w), the same shape."""
        return torch.mul(x, self.weigh(x))


def _conv(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> Sequence[nn.Module]:
    return (
        nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(channels_out),
    )


def _rounded(channels: int, percent: int) -> int:
    """A share of channels as the nearest multiple of 8 that is not a tenth below it."""
    wanted = channels * percent / 100
    found = max(8, int(wanted + 4) // 8 * 8)
    return found + 8 if found < 0.9 * wanted else found
