"""A cell of four densely connected operations, small enough to be trained as a whole."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs, from_template
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

OPERATIONS: tuple[str, ...] = ("conv3x3", "conv5x5", "maxpool3x3", "avgpool3x3", "skip")
NODES = 4

NODE_OPS = np.array(
    [OPERATION_IDS[name] for name in ("conv", "conv", "max_pool", "avg_pool", "skip")]
)
NODE_ATTRIBUTES = np.stack([*(attributes(kernel=size) for size in (3, 5, 3, 3)), attributes()])
_CONCAT, _OUTPUT = NODES + 1, NODES + 2
_EDGES = np.array(
    [(source, node) for node in range(1, _CONCAT) for source in range(node)]
    + [(node, _CONCAT) for node in range(1, _CONCAT)]
    + [(_CONCAT, _OUTPUT)]
).T


class DenseCellSpace(SearchSpace):
    """Four nodes, each of which applies one of five operations to the sum of all earlier states.

    State 0 is the input, and the outputs of the four nodes are concatenated. The nodes have
    different inputs, so no two of the 625 encodings are isomorphic. An architecture is written as
    the operations in order, ``conv3x3-conv5x5-maxpool3x3-skip``.
    """

    name = "dense-cell"
    graph_is_complete = True
    decisions = tuple(Decision(f"node{i}", OPERATIONS) for i in range(1, NODES + 1))

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """Seven nodes each: input, the four operations, concatenation, output; a node sums."""
        choices = np.asarray(choices)
        op = np.empty((len(choices), _OUTPUT + 1), dtype=np.int16)
        op[:, 0] = OPERATION_IDS["input"]
        op[:, 1:_CONCAT] = NODE_OPS[choices]
        op[:, _CONCAT] = OPERATION_IDS["concat"]
        op[:, _OUTPUT] = OPERATION_IDS["output"]
        described = np.zeros((*op.shape, len(ATTRIBUTES)), dtype=np.float32)
        described[:, 1:_CONCAT] = NODE_ATTRIBUTES[choices]
        return from_template(op, described, _EDGES)

    def parse(self, text: str) -> Architecture:
        """Read ``conv3x3-conv5x5-maxpool3x3-skip``.

        Raises:
            ArchitectureError: If the text is not four operations joined by ``-``.
        """
        ops = text.split("-")
        if len(ops) != NODES:
            raise ArchitectureError(
                f"architecture {text!r} is not {NODES} operations joined by '-', like "
                "conv3x3-conv5x5-maxpool3x3-skip"
            )
        return self._wrap([self._option(i, name, text) for i, name in enumerate(ops)])

    def format(self, arch: Architecture) -> str:
        """Write ``conv3x3-conv5x5-maxpool3x3-skip``."""
        return "-".join(OPERATIONS[choice] for choice in arch.choices)
