"""Transformer encoders with different layers, after FlexiBERT (Tuli et al., JAIR 2023)."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS

LAYERS = 4
"""The largest number of layers."""
WIDTHS: tuple[int, ...] = (32, 64, 128)
MIXERS: tuple[str, ...] = ("attention", "linear")
HEADS: tuple[int, ...] = (2, 4, 8)
FACTORS: tuple[int, ...] = (1, 2, 4)
"""Width of a feed-forward network, as a multiple of the encoder's."""
DEPTHS: tuple[int, ...] = (1, 2)
"""Hidden layers of a feed-forward network."""

_UNIT = 4
_FORM = re.compile(r"(?:attention(\d+)|(linear))-feedforward(\d+)x(\d+)")
_EXAMPLE = "64:attention4-feedforward2x1:linear-feedforward4x2"


def _layer(number: int) -> list[Decision]:
    name, deep = f"layer{number}", [n for n in range(1, LAYERS + 1) if n >= number]
    there = {} if number == 1 else {"layers": deep}
    return [
        Decision.categorical(f"{name}.mixer", MIXERS, when=there),
        Decision.numbers(
            f"{name}.heads", HEADS, log=True, when={**there, f"{name}.mixer": "attention"}
        ),
        Decision.numbers(f"{name}.factor", FACTORS, log=True, when=there),
        Decision.numbers(f"{name}.depth", DEPTHS, when=there),
    ]


class TransformerSpace(SearchSpace):
    """One to four layers of the same width; each mixes tokens and then transforms them.

    Tokens are mixed by attention with two, four or eight heads, or by the Fourier transform. The
    feed-forward network after it has one or two hidden layers, one, two or four times as wide as a
    token. An architecture is written as width and layers,
    ``64:attention4-feedforward2x1:linear-feedforward4x2``.
    """

    name = "transformer"
    decisions = (
        Decision.integer("layers", 1, LAYERS),
        Decision.numbers("width", WIDTHS, log=True),
        *(decision for number in range(1, LAYERS + 1) for decision in _layer(number)),
    )

    @cached_property
    def size(self) -> int:
        """Number of different keys, by the conditions of the decisions."""
        counted = None if self._conditions is None else self._conditions.count()
        return self.encodings if counted is None else counted

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain: the embedding, then the mixer and the feed-forward layers of each layer."""
        choices = np.asarray(choices)
        n = len(choices)
        layers = choices[:, 2:].reshape(n, LAYERS, _UNIT)
        width = np.log2(WIDTHS)[choices[:, 1]]
        op = np.empty((n, LAYERS, 2), dtype=np.int16)
        mixers = [OPERATION_IDS["attention"], OPERATION_IDS["token_mixing"]]
        op[..., 0], op[..., 1] = np.array(mixers)[layers[..., 0]], OPERATION_IDS["feed_forward"]
        described = np.zeros((n, LAYERS, 2, len(ATTRIBUTES)), dtype=np.float32)
        column = {name: described[..., i] for i, name in enumerate(ATTRIBUTES)}
        attends = layers[..., 0] == 0
        column["heads"][..., 0] = np.where(attends, np.log2(HEADS)[layers[..., 1]], 0)
        column["width"][...] = width[:, None, None]
        column["expansion"][..., 1] = np.log2(FACTORS)[layers[..., 2]]
        column["repetitions"][..., 1] = np.log2(DEPTHS)[layers[..., 3]]
        counts = np.arange(LAYERS) <= choices[:, :1]
        embedding = np.zeros((n, 1, len(ATTRIBUTES)), dtype=np.float32)
        embedding[:, 0, ATTRIBUTES.index("width")] = width
        return chain_graphs(
            np.pad(
                op.reshape(n, 2 * LAYERS),
                ((0, 0), (1, 0)),
                constant_values=OPERATION_IDS["embedding"],
            ),
            np.concatenate([embedding, described.reshape(n, 2 * LAYERS, len(ATTRIBUTES))], axis=1),
            present=np.pad(np.repeat(counts, 2, axis=1), ((0, 0), (1, 0)), constant_values=True),
        )

    def parse(self, text: str) -> Architecture:
        """Read width and layers.

        Raises:
            ArchitectureError: If the text is of another form.
        """
        width, *layers = text.split(":")
        if not 1 <= len(layers) <= LAYERS:
            raise ArchitectureError(
                f"architecture {text!r} must be a width and 1 to {LAYERS} layers, like {_EXAMPLE}"
            )
        choices = [len(layers) - 1, self._option(1, width, text)]
        for layer in layers:
            found = _FORM.fullmatch(layer)
            if found is None:
                raise ArchitectureError(
                    f"architecture {text!r}: {layer!r} is no layer like those of {_EXAMPLE}"
                )
            heads, linear, factor, depth = found.groups()
            at = len(choices)
            choices += [
                1 if linear else 0,
                0 if linear else self._option(at + 1, heads, text),
                self._option(at + 2, factor, text),
                self._option(at + 3, depth, text),
            ]
        return self._wrap(choices + [0] * (len(self.sizes) - len(choices)))

    def format(self, arch: Architecture) -> str:
        """Write width and layers."""
        layers, width, *rest = arch.choices
        parts = [str(WIDTHS[width])]
        for start in range(0, (layers + 1) * _UNIT, _UNIT):
            mixer, heads, factor, depth = rest[start : start + _UNIT]
            mixed = MIXERS[mixer] + (str(HEADS[heads]) if mixer == 0 else "")
            parts.append(f"{mixed}-feedforward{FACTORS[factor]}x{DEPTHS[depth]}")
        return ":".join(parts)
