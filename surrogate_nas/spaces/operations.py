"""The shared vocabulary: operations and attributes of nodes in the graphs of all spaces."""

from __future__ import annotations

import numpy as np

from surrogate_nas._types import FloatArray, IntArray

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
    "attention",
    "token_mixing",
    "feed_forward",
    "embedding",
    "positional_encoding",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "relu",
    "leaky_relu",
    "gelu",
    "swish",
    "tanh",
    "dropout",
    "rnn",
    "lstm",
    "gru",
    "depthwise_conv",
    "squeeze_excitation",
    "upsample",
    "message_passing",
    "aggregation",
    "readout",
)
OPERATION_IDS: dict[str, int] = {name: i for i, name in enumerate(OPERATIONS)}

ATTRIBUTES: tuple[str, ...] = (
    "kernel",
    "stride",
    "channels_in",
    "channels_out",
    "expansion",
    "repetitions",
    "heads",
    "width",
    "groups",
    "dilation",
    "rate",
)

EDITIONS: tuple[tuple[int, int], ...] = ((21, 6), (44, 11))
"""How many operations and attributes there have been, the oldest first.

An encoder has the size of the oldest edition that describes its space, see `edition`, so that a
new word changes no training in a space that goes without it.
"""

STRUCTURAL_OPERATIONS: frozenset[int] = frozenset(
    OPERATION_IDS[name] for name in ("input", "output", "sum", "concat")
)
"""Nodes that join or end paths, without a computation of their own."""


WEIGHTLESS: tuple[int, ...] = tuple(
    OPERATION_IDS[name]
    for name in (
        "skip",
        "max_pool",
        "avg_pool",
        "positional_encoding",
        "batch_norm",
        "layer_norm",
        "group_norm",
        "relu",
        "leaky_relu",
        "gelu",
        "swish",
        "tanh",
        "dropout",
        "upsample",
        "aggregation",
        "readout",
    )
)
"""Operations without weights, or with a negligible number of them."""


def attributes(**values: float) -> FloatArray:
    """Attributes of one operation as a float32 vector (11,): log2 of each, 0 where absent.

    Args:
        **values: Any of `ATTRIBUTES`, as plain numbers, for example ``kernel=3``; 0 is as absent.
    """
    row = np.zeros(len(ATTRIBUTES), dtype=np.float32)
    for name, value in values.items():
        row[ATTRIBUTES.index(name)] = np.log2(float(value)) if value else 0
    return row


def widened(rows: FloatArray, columns: int = len(ATTRIBUTES)) -> FloatArray:
    """Append zeros to attributes (..., k) for columns that are missing: (..., columns)."""
    missing = columns - rows.shape[-1]
    return np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, missing)]) if missing > 0 else rows


def edition(op: IntArray, described: FloatArray) -> tuple[int, int]:
    """The oldest of `EDITIONS` that has these operations (n,) and attributes (n, k)."""
    used = np.flatnonzero(np.asarray(described).any(axis=0))
    last_op, last_attribute = int(np.max(op, initial=0)), int(used.max(initial=-1))
    return next(
        (ops, columns) for ops, columns in EDITIONS if last_op < ops and last_attribute < columns
    )
