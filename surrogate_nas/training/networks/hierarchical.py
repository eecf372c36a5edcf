"""The networks of `hierarchical`: in each stage a layer and a dense cell."""

from __future__ import annotations

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.dense_cell import NODES
from surrogate_nas.spaces.hierarchical import HierarchicalSpace
from surrogate_nas.spaces.layerwise import LAYER, STEM_CHANNELS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import classifier, conv_bn_relu
from surrogate_nas.training.networks.dense_cell import DenseCell
from surrogate_nas.training.networks.layerwise import layer


def build(architecture: Architecture, task: NetworkTask, *, stem_stride: int = 1) -> nn.Module:
    """A stem, the stages that count, global pooling and a linear layer.

    Args:
        architecture: Of the space `hierarchical`.
        task: Images and classes.
        stem_stride: Stride of the stem.
    """
    width = STEM_CHANNELS
    modules = [conv_bn_relu(task.image()[0], width, 3, stem_stride)]
    for i, choices in enumerate(HierarchicalSpace().counted(architecture)):
        made, channels = layer(choices[: len(LAYER)], width, 2 if i else 1)
        modules += [made, DenseCell(choices[len(LAYER) :], channels)]
        width = NODES * channels
    return nn.Sequential(*modules, classifier(width, task.classes))
