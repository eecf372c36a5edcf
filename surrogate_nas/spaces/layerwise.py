"""A chain of layers, each with its own type, kernel and number of channels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Decision
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes
from surrogate_nas.spaces.stacks import StackSpace, stack_decisions

TYPES: tuple[str, ...] = ("conv", "separable", "inverted")
KERNELS: tuple[int, ...] = (3, 5, 7)
CHANNELS: tuple[int, ...] = (8, 16, 32, 64)
EXPANSION = 4
LAYERS = 8
STEM_CHANNELS = 16
HALVING: tuple[int, ...] = (2, 5)
"""Layers, counted from 0, that halve the resolution."""

LAYER = (
    Decision("type", TYPES),
    Decision("kernel", tuple(map(str, KERNELS))),
    Decision("channels", tuple(map(str, CHANNELS))),
)

_FORM = re.compile(r"([a-z]+)(\d+)x\2@(\d+)")
_OPS = np.array([OPERATION_IDS[op] for op in ("conv", "separable_conv", "inverted_residual")])
_ATTRIBUTES = np.array(
    [
        [[attributes(kernel=k, channels_out=c, **more) for c in CHANNELS] for k in KERNELS]
        for more in ({}, {}, {"expansion": EXPANSION})
    ]
)


class LayerwiseSpace(StackSpace):
    """1 to 8 layers; each is a convolution, a depthwise separable one or an inverted residual.

    Each has a kernel of 3, 5 or 7 and 8, 16, 32 or 64 channels. Layers 3 and 6 halve the
    resolution. An architecture is written ``conv3x3@16-separable5x5@32-inverted3x3@64``.
    """

    name = "layerwise"
    decisions = stack_decisions("layer", LAYERS, LAYER)
    kind = "layer"
    joint = "-"
    unit = len(LAYER)

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain of the active layers."""
        layers = self.units(choices)
        op, described = describe_layers(layers)
        described[:, 0, ATTRIBUTES.index("channels_in")] = np.log2(STEM_CHANNELS)
        widths = described[..., ATTRIBUTES.index("channels_out")]
        described[:, 1:, ATTRIBUTES.index("channels_in")] = widths[:, :-1]
        described[:, HALVING, ATTRIBUTES.index("stride")] = 1
        return chain_graphs(op, described, present=self.used(choices))

    def _read_unit(self, decision: int, piece: str, text: str) -> list[int]:
        names = read_layer(piece, text)
        return [self._option(decision + i, name, text) for i, name in enumerate(names)]

    def _write_unit(self, choices: Sequence[int]) -> str:
        return write_layer(choices)


def describe_layers(layers: IntArray) -> tuple[IntArray, FloatArray]:
    """Operations int (n, t) and attributes float32 (n, t, 6) of layers (n, t, 3).

    Strides and input channels are filled in by the caller.
    """
    kind, kernel, channels = np.moveaxis(layers, -1, 0)
    return _OPS[kind], _ATTRIBUTES[kind, kernel, channels]


def read_layer(piece: str, text: str) -> tuple[str, str, str]:
    """Type, kernel and channels of ``conv3x3@16``, a part of ``text``.

    Raises:
        ArchitectureError: If it is of another form.
    """
    found = _FORM.fullmatch(piece)
    if found is None:
        raise ArchitectureError(
            f"architecture {text!r}: {piece!r} is not a layer like conv3x3@16: type, kernel and "
            "channels"
        )
    return found[1], found[2], found[3]


def write_layer(choices: Sequence[int]) -> str:
    """``conv3x3@16``."""
    kind, kernel, channels = choices
    size = KERNELS[kernel]
    return f"{TYPES[kind]}{size}x{size}@{CHANNELS[channels]}"
