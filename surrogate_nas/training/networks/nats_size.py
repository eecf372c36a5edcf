"""The networks of NATS-Bench's size space (Dong et al., TPAMI 2021)."""

from __future__ import annotations

from torch import nn

from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.nats_size import CHANNELS
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.networks.blocks import EdgeCell
from surrogate_nas.training.networks.nasbench201 import (
    EDGE_OPERATIONS,
    finished,
    reduction,
    stem,
)

# The cell of all networks: |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+
# |skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|
_CELL = ("nor_conv_3x3",) * 3 + ("skip_connect",) + ("nor_conv_3x3",) * 2
_REDUCTIONS = (1, 3)  # layers that halve the resolution


def build(architecture: Architecture, task: NetworkTask) -> nn.Module:
    """A stem as wide as the first layer, and five layers of the chosen widths.

    Args:
        architecture: Of the space `nats-size`.
        task: Images and classes.
    """
    widths = [CHANNELS[choice] for choice in architecture.choices]
    operations = [EDGE_OPERATIONS[name] for name in _CELL]
    layers = stem(task.image()[0], widths[0])
    before = widths[0]
    for i, width in enumerate(widths):
        if i in _REDUCTIONS:
            layers.append(reduction(before, width))
        else:
            layers.append(EdgeCell(operations, before, width))
        before = width
    return finished(layers, before, task.classes)
