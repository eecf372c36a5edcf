"""The size space of NATS-Bench (Dong et al., TPAMI 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.notation import option_pieces, read_pieces
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

CHANNELS: tuple[int, ...] = tuple(range(8, 65, 8))
LAYERS = 5

_CHANNELS = np.log2(CHANNELS)
_HALVES = np.array([0, 1, 0, 1, 0])  # log2 of the strides: layers 2 and 4 halve the resolution


class NATSSizeSpace(SearchSpace):
    """The numbers of channels of five layers, each 8, 16, ... 64: 32,768 networks.

    The cell is fixed. An architecture is written ``8:16:24:32:64``.
    """

    name = "nats-size"
    graph_is_complete = True
    decisions = tuple(Decision(f"layer{i + 1}", tuple(map(str, CHANNELS))) for i in range(LAYERS))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain of five convolutions; the first reads the stem, which has the same width."""
        width = _CHANNELS[np.asarray(choices)]
        described = np.empty((*width.shape, len(ATTRIBUTES)), dtype=np.float32)
        described[:] = attributes(kernel=3)
        described[..., ATTRIBUTES.index("stride")] = _HALVES
        described[..., ATTRIBUTES.index("channels_in")] = width[:, [0, 0, 1, 2, 3]]
        described[..., ATTRIBUTES.index("channels_out")] = width
        return chain_graphs(np.full(width.shape, OPERATION_IDS["conv"]), described)

    def parse(self, text: str) -> Architecture:
        """Read ``8:16:24:32:64``.

        Raises:
            ArchitectureError: If the text is not five of the numbers, joined by colons.
        """
        widths = text.split(":")
        if len(widths) != LAYERS:
            raise ArchitectureError(
                f"architecture {text!r} is not {LAYERS} numbers of channels joined by ':', like "
                "8:16:24:32:64"
            )
        return self._wrap([self._option(i, width, text) for i, width in enumerate(widths)])

    def _read_all(self, texts: Sequence[str]) -> tuple[IntArray, BoolArray]:
        return read_pieces(texts, ":", option_pieces(self.decisions))

    def format(self, arch: Architecture) -> str:
        """Write ``8:16:24:32:64``."""
        return ":".join(str(CHANNELS[choice]) for choice in arch.choices)
