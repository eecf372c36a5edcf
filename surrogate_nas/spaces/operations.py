"""The shared vocabulary: what the nodes of an architecture's graph can be, in any space."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray

# Appended only, never renumbered: trained encoders and tables refer to the positions.
OPERATIONS: tuple[str, ...] = (
    "unknown",
    "input",
    "output",
    "sum",
    "concat",
    "skip",
    "conv",
    "separable_conv",
    "dilated_conv",
    "inverted_residual",
    "max_pool",
    "avg_pool",
    "linear",
    "gat",
    "gcn",
    "gin",
    "cheb",
    "sage",
    "arma",
    "graph_conv",
    "residual_block",
)
OPERATION_IDS: dict[str, int] = {name: i for i, name in enumerate(OPERATIONS)}

ATTRIBUTES: tuple[str, ...] = (
    "kernel",
    "stride",
    "channels_in",
    "channels_out",
    "expansion",
    "repetitions",
)

STRUCTURAL_OPERATIONS: frozenset[int] = frozenset(
    OPERATION_IDS[name] for name in ("input", "output", "sum", "concat")
)
"""Nodes that join or end paths; they compute nothing of their own."""


def attributes(**values: float) -> FloatArray:
    """Attributes of one operation as a float32 vector (6,): log2 of each, 0 where absent.

    Args:
        **values: Any of `ATTRIBUTES`, as plain positive numbers, for example ``kernel=3``.
    """
    row = np.zeros(len(ATTRIBUTES), dtype=np.float32)
    for name, value in values.items():
        row[ATTRIBUTES.index(name)] = np.log2(value)
    return row
