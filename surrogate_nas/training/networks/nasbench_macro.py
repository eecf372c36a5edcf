"""The networks of NAS-Bench-Macro (Su et al., CVPR 2021)."""

from __future__ import annotations

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nasbench_macro import BLOCKS, STAGES, STEM_CHANNELS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import InvertedResidual, classifier, conv_bn_relu

_LAST_CHANNELS = 1280
_KINDS = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}  # expansion and kernel


def build(
    architecture: Architecture, task: NetworkTask, *, channels: int = STEM_CHANNELS
) -> nn.Module:
    """A stem, eight blocks in three stages, and a wide 1x1 convolution before the classifier.

    Args:
        architecture: Of the space `nasbench-macro`.
        task: Images and classes.
        channels: Of the stem; each stage doubles them.
    """
    layers = [conv_bn_relu(task.image()[0], channels, 3)]
    kinds = iter(architecture.choices)
    for blocks in STAGES:
        for i in range(blocks):
            width, stride = (channels, 1) if i else (2 * channels, 2)
            layers.append(_block(BLOCKS[next(kinds)], channels, width, stride))
            channels = width
    layers.append(conv_bn_relu(channels, _LAST_CHANNELS, 1))
    return nn.Sequential(*layers, classifier(_LAST_CHANNELS, task.classes))


def _block(kind: str, channels_in: int, channels_out: int, stride: int) -> nn.Module:
    if kind in _KINDS:
        return InvertedResidual(channels_in, channels_out, stride, *_KINDS[kind])
    if stride == 1:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
    )
