"""The networks of `layerwise`: a stem, a chain of layers, a classifier."""

from __future__ import annotations

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.layerwise import (
    CHANNELS,
    EXPANSION,
    HALVING,
    KERNELS,
    STEM_CHANNELS,
    TYPES,
    LayerwiseSpace,
)
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import (
    InvertedResidual,
    classifier,
    conv_bn_relu,
    separable_conv,
)


def build(architecture: Architecture, task: NetworkTask, *, stem_stride: int = 1) -> nn.Module:
    """A stem, the layers that count, global pooling and a linear layer.

    Args:
        architecture: Of the space `layerwise`.
        task: Images and classes.
        stem_stride: Stride of the stem.
    """
    width = STEM_CHANNELS
    layers = [conv_bn_relu(task.image()[0], width, 3, stem_stride)]
    for i, choices in enumerate(LayerwiseSpace().counted(architecture)):
        made, width = layer(choices, width, 2 if i in HALVING else 1)
        layers.append(made)
    return nn.Sequential(*layers, classifier(width, task.classes))


def layer(choices: tuple[int, ...], channels_in: int, stride: int) -> tuple[nn.Module, int]:
    """The module of a layer's type, kernel and channels, and the number of channels it gives."""
    kernel, channels = KERNELS[choices[1]], CHANNELS[choices[2]]
    match TYPES[choices[0]]:
        case "conv":
            made = conv_bn_relu(channels_in, channels, kernel, stride)
        case "separable":
            made = separable_conv(channels_in, channels, kernel, stride)
        case _:
            made = InvertedResidual(channels_in, channels, stride, EXPANSION, kernel)
    return made, channels
