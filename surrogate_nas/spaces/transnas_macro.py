"""The macro space of TransNAS-Bench-101 (Duan et al., CVPR 2021)."""

from __future__ import annotations

import re

import numpy as np

from surrogate_nas._types import BoolArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS, attributes

MODULES: tuple[str, ...] = ("1", "2", "3", "4")
FEWEST, MOST = 4, 6
NONE = len(MODULES)
BASE_CHANNELS = 64

_DOUBLES = np.array([False, True, False, True, False])
_HALVES = np.array([False, False, True, True, False])
_BLOCKS = 2  # residual blocks in a module
_FORM = re.compile(f"{BASE_CHANNELS}-([1-4]{{{FEWEST},{MOST}}})-basic")


class TransNASMacroSpace(SearchSpace):
    """A chain of four to six modules of two residual blocks each.

    Modules 2 and 4 double the channels, 1 to 3 times in all; modules 3 and 4 halve the
    resolution, 1 to 4 times in all. That leaves 3,256 networks. The last two decisions have the
    option `none`, which only trailing modules may have, so that each network has one encoding.

    An architecture is written ``64-XXXX-basic``, one digit a module.
    """

    name = "transnas-macro"
    graph_is_complete = True
    decisions = tuple(
        Decision(f"module{i + 1}", MODULES if i < FEWEST else (*MODULES, "none"))
        for i in range(MOST)
    )

    def valid(self, choices: IntArray) -> BoolArray:
        """Which encodings satisfy these rules: bool (n,)."""
        choices = np.asarray(choices)
        doublings = _DOUBLES[choices].sum(axis=1)
        halvings = _HALVES[choices].sum(axis=1)
        gap = (choices[:, :-1] == NONE) & (choices[:, 1:] != NONE)
        return np.asarray(
            ~gap.any(axis=1)
            & (doublings >= 1)
            & (doublings <= 3)
            & (halvings >= 1)
            & (halvings <= 4)
        )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain with a node for each module."""
        choices = np.asarray(choices)
        described = np.zeros((*choices.shape, len(ATTRIBUTES)), dtype=np.float32)
        described[:] = attributes(kernel=3, channels_in=BASE_CHANNELS, repetitions=_BLOCKS)
        doublings = np.cumsum(_DOUBLES[choices], axis=1)
        entry = described[..., ATTRIBUTES.index("channels_in")]
        described[..., ATTRIBUTES.index("channels_out")] = entry + doublings
        entry[:, 1:] += doublings[:, :-1]
        described[..., ATTRIBUTES.index("stride")] = _HALVES[choices]
        op = np.full(choices.shape, OPERATION_IDS["residual_block"])
        return chain_graphs(op, described, present=choices != NONE)

    def parse(self, text: str) -> Architecture:
        """Read ``64-XXXX-basic``.

        Raises:
            ArchitectureError: If the text is of another form or breaks a rule of the space.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ArchitectureError(
                f"architecture {text!r} is not of the form 64-XXXX-basic with {FEWEST} to {MOST} "
                "digits from 1 to 4"
            )
        choices = [MODULES.index(digit) for digit in found[1]]
        arch = self._wrap([*choices, *[NONE] * (MOST - len(choices))])
        if not self.is_valid(arch):
            raise ArchitectureError(
                f"architecture {text!r} is not part of {self.name!r}: 1 to 3 modules are 2 or 4 "
                "(they double the channels), and 1 to 4 are 3 or 4 (they halve the resolution)"
            )
        return arch

    def format(self, arch: Architecture) -> str:
        """Write ``64-XXXX-basic``."""
        digits = "".join(MODULES[choice] for choice in arch.choices if choice != NONE)
        return f"{BASE_CHANNELS}-{digits}-basic"
