"""Stages of inverted residuals: MnasNet (Tan et al., 2019), Once-for-all (Cai et al., 2020)."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np

from surrogate_nas._types import IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS

STAGES, LAYERS = 5, 4
"""The stages, and the layers that each has at most."""
DEPTHS: tuple[int, ...] = (2, 3, 4)
KERNELS: tuple[int, ...] = (3, 5, 7)
EXPANSIONS: tuple[int, ...] = (3, 4, 6)
STEM_CHANNELS = 16
CHANNELS: tuple[int, ...] = (24, 40, 80, 112, 160)
STRIDES: tuple[int, ...] = (2, 2, 2, 1, 2)
SQUEEZED: tuple[bool, ...] = (False, True, False, True, True)
"""Stages with squeeze-and-excitation in MobileNetV3: the default for texts without ``se``."""

_UNIT = 2 + 2 * LAYERS  # decisions of a stage: depth, squeeze-and-excitation, then layers
_EXAMPLE = '{"ks": [3, 5, ...], "e": [4, 6, ...], "d": [2, 3, 4, 2, 2]}'
_LONGEST = 2_000  # characters; a configuration has some 250
_KEYS = ("ks", "e", "d", "se", "wid", "r")


def _stage(number: int) -> list[Decision]:
    name = f"stage{number + 1}"
    found = [Decision.numbers(f"{name}.depth", DEPTHS), Decision.boolean(f"{name}.se")]
    for layer in range(LAYERS):
        deep = [depth for depth in DEPTHS if depth > layer]
        when = None if len(deep) == len(DEPTHS) else {f"{name}.depth": deep}
        found += [
            Decision.numbers(f"{name}.kernel{layer + 1}", KERNELS, when=when),
            Decision.numbers(f"{name}.expansion{layer + 1}", EXPANSIONS, when=when),
        ]
    return found


class MobileNetSpace(SearchSpace):
    """Five stages of two to four inverted residuals, each with a kernel and an expansion.

    A stage has squeeze-and-excitation in all of its layers or in none; its first layer sets the
    width and, but for the fourth stage, halves the resolution. There are 7e20 architectures.
    One is written as Once-for-all's configuration, as JSON: ``ks`` and ``e`` are the 20 kernels
    and expansions, ``d`` the five depths, ``se`` the stages with squeeze-and-excitation. Kernels
    and expansions of layers beyond the depth are ignored. Without ``se`` it is as in MobileNetV3.
    """

    name = "mobilenet"
    decisions = tuple(decision for stage in range(STAGES) for decision in _stage(stage))

    @cached_property
    def size(self) -> int:
        """Number of different keys, by the conditions of the decisions."""
        counted = None if self._conditions is None else self._conditions.count()
        return self.encodings if counted is None else counted

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain of the active layers, each followed by its squeeze-and-excitation."""
        units = np.asarray(choices).reshape(len(choices), STAGES, _UNIT)
        layers = units[:, :, 2:].reshape(len(units), STAGES, LAYERS, 2)
        shape = (len(units), STAGES, LAYERS, 2)  # the layer and the squeeze-and-excitation
        op = np.empty(shape, dtype=np.int16)
        op[..., 0], op[..., 1] = (
            OPERATION_IDS["inverted_residual"],
            OPERATION_IDS["squeeze_excitation"],
        )
        described = np.zeros((*shape, len(ATTRIBUTES)), dtype=np.float32)
        column = {name: described[..., i] for i, name in enumerate(ATTRIBUTES)}
        column["kernel"][..., 0] = np.log2(KERNELS)[layers[..., 0]]
        column["expansion"][..., 0] = np.log2(EXPANSIONS)[layers[..., 1]]
        column["stride"][:, :, 0, 0] = np.log2(STRIDES)
        widths = np.log2(CHANNELS)[:, None, None]
        column["channels_in"][...] = column["channels_out"][...] = widths
        column["channels_in"][:, :, 0, 0] = np.log2((STEM_CHANNELS, *CHANNELS[:-1]))
        counts = np.arange(LAYERS) < np.array(DEPTHS)[units[:, :, 0]][:, :, None]
        squeezed = counts & (units[:, :, 1] == 1)[:, :, None]
        present = np.stack([counts, squeezed], axis=3)
        slots = STAGES * LAYERS * 2
        return chain_graphs(
            op.reshape(len(units), slots),
            described.reshape(len(units), slots, len(ATTRIBUTES)),
            present=present.reshape(len(units), slots),
        )

    def parse(self, text: str) -> Architecture:
        """Read the JSON text of a configuration.

        Raises:
            ArchitectureError: If it is none, or a value is not one of this space's.
        """
        try:
            read = json.loads(text) if text == text.strip() and len(text) < _LONGEST else None
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict) or not {"ks", "e", "d"} <= set(read) <= set(_KEYS):
            raise ArchitectureError(
                f"architecture {_shown(text)!r} is no configuration like {_EXAMPLE} as JSON"
            )
        if read.get("wid") not in (None, 1, 1.0):
            raise ArchitectureError(
                f"architecture {_shown(text)!r}: wid must be null or 1 (the width is a setting of "
                f"the network), got {read['wid']}"
            )
        kernels = _listed(text, read, "ks", STAGES * LAYERS)
        expansions = _listed(text, read, "e", STAGES * LAYERS)
        depths = _listed(text, read, "d", STAGES)
        squeezed = _listed(text, {"se": list(SQUEEZED), **read}, "se", STAGES)
        choices: list[int] = []
        for stage in range(STAGES):
            choices += [
                self._number(len(choices), depths[stage], text),
                self._number(len(choices) + 1, bool(squeezed[stage]), text),
            ]
            depth = DEPTHS[choices[-2]]
            for layer in range(LAYERS):
                position = stage * LAYERS + layer
                for value in (kernels[position], expansions[position]):
                    at = len(choices)
                    choices.append(self._number(at, value, text) if layer < depth else 0)
        return self._wrap(choices)

    def _number(self, decision: int, value: object, text: str) -> int:
        return self._option(decision, json.dumps(value), _shown(text))

    def format(self, arch: Architecture) -> str:
        """Write the configuration as JSON; inactive layers have the first options."""
        units = np.array(arch.choices).reshape(STAGES, _UNIT)
        layers = units[:, 2:].reshape(-1, 2)
        return json.dumps(
            {
                "ks": [KERNELS[i] for i in layers[:, 0]],
                "e": [EXPANSIONS[i] for i in layers[:, 1]],
                "d": [DEPTHS[i] for i in units[:, 0]],
                "se": [bool(i) for i in units[:, 1]],
            }
        )


def _listed(text: str, read: dict[str, object], key: str, count: int) -> list[object]:
    found = read[key]
    if not isinstance(found, list) or len(found) != count:
        raise ArchitectureError(
            f"architecture {_shown(text)!r}: {key} must be a list of {count}, like in {_EXAMPLE}"
        )
    return found


def _shown(text: str) -> str:
    return text if len(text) < _LONGEST else f"{text[:200]}…"
