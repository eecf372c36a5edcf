"""Stages of two levels: a layer that sets the width, followed by a dense cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.dense_cell import (
    NODE_ATTRIBUTES,
    NODE_OPS,
    NODES,
    OPERATIONS,
    DenseCellSpace,
)
from surrogate_nas.spaces.graphs import INPUT, OUTPUT, ArchGraphs, from_template
from surrogate_nas.spaces.layerwise import (
    LAYER,
    STEM_CHANNELS,
    describe_layers,
    read_layer,
    write_layer,
)
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS
from surrogate_nas.spaces.stacks import StackSpace, stack_decisions

STAGES = 4

_SLOTS = 1 + NODES + 1  # of a stage: its layer, the nodes of its cell, their concatenation


class HierarchicalSpace(StackSpace):
    """1 to 4 stages; each is a layer as in `layerwise` and then a cell as in `dense-cell`.

    From the second stage on, the layer halves the resolution; all operations of the cell have the
    layer's number of channels. An architecture is written
    ``conv3x3@16:conv3x3-conv5x5-maxpool3x3-skip``, stages joined by ``+``.
    """

    name = "hierarchical"
    decisions = stack_decisions("stage", STAGES, (*LAYER, *DenseCellSpace.decisions))
    kind = "stage"
    joint = "+"
    unit = len(LAYER) + NODES

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """In each stage a layer, four nodes and their concatenation, which the next stage reads."""
        stages, used = self.units(choices), self.used(choices)
        layers, cells = stages[..., : len(LAYER)], stages[..., len(LAYER) :]
        n, slots = len(stages), STAGES * _SLOTS
        op = np.empty((n, slots + 2), dtype=np.int16)
        op[:, 0], op[:, -1] = INPUT, OUTPUT
        described = np.zeros((*op.shape, len(ATTRIBUTES)), dtype=np.float32)
        # Views, stage by stage.
        ops = op[:, 1:-1].reshape(n, STAGES, _SLOTS)
        values = described[:, 1:-1].reshape(n, STAGES, _SLOTS, len(ATTRIBUTES))
        ops[:, :, 0], values[:, :, 0] = describe_layers(layers)
        ops[:, :, 1:-1], values[:, :, 1:-1] = NODE_OPS[cells], NODE_ATTRIBUTES[cells]
        ops[:, :, -1] = OPERATION_IDS["concat"]
        stride, entry, leaving = map(ATTRIBUTES.index, ("stride", "channels_in", "channels_out"))
        width = values[:, :, 0, leaving]
        values[:, 1:, 0, stride] = 1
        values[:, 0, 0, entry] = np.log2(STEM_CHANNELS)
        values[:, 1:, 0, entry] = width[:, :-1] + np.log2(NODES)
        values[:, :, 1:-1, entry] = values[:, :, 1:-1, leaving] = width[:, :, None]
        nodes = np.ones(op.shape, dtype=np.bool_)
        nodes[:, 1:-1] = np.repeat(used, _SLOTS, axis=1)
        # The output reads only the concatenation of the last active stage.
        edges = np.ones((n, len(_EDGES)), dtype=np.bool_)
        edges[:, -STAGES:] = np.arange(STAGES) == np.asarray(choices)[:, :1]
        template = np.array(_EDGES).T
        return from_template(op, described, template, node_mask=nodes, edge_mask=edges)

    def _read_unit(self, decision: int, piece: str, text: str) -> list[int]:
        layer, _, cell = piece.partition(":")
        nodes = cell.split("-")
        if len(nodes) != NODES:
            raise ArchitectureError(
                f"architecture {text!r}: {piece!r} is not a stage like "
                "conv3x3@16:conv3x3-conv5x5-maxpool3x3-skip: a layer and the operations of a cell"
            )
        names = [*read_layer(layer, text), *nodes]
        return [self._option(decision + i, name, text) for i, name in enumerate(names)]

    def _write_unit(self, choices: Sequence[int]) -> str:
        cell = "-".join(OPERATIONS[choice] for choice in choices[len(LAYER) :])
        return f"{write_layer(choices[: len(LAYER)])}:{cell}"


def _template() -> list[tuple[int, int]]:
    """The edges between the slots of all stages; last, those to the output."""
    edges, ends = [], []
    for stage in range(STAGES):
        layer = 1 + stage * _SLOTS
        end = layer + _SLOTS - 1
        # The slot before a layer is the input, or the concatenation of the stage before.
        edges += [(layer - 1, layer)]
        edges += [(s, t) for t in range(layer + 1, end) for s in range(layer, t)]
        edges += [(node, end) for node in range(layer + 1, end)]
        ends.append((end, 1 + STAGES * _SLOTS))
    return edges + ends


_EDGES = _template()
