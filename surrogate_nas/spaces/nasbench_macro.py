"""The space of NAS-Bench-Macro (Su et al., CVPR 2021)."""

from __future__ import annotations

import re

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.chains import chain_graphs
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.operations import OPERATION_IDS, attributes

BLOCKS: tuple[str, ...] = ("identity", "mb3_k3", "mb6_k5")
STAGES: tuple[int, ...] = (2, 3, 3)
STEM_CHANNELS = 32
IDENTITY = BLOCKS.index("identity")

_FORM = re.compile(f"[0-2]{{{sum(STAGES)}}}")


class NASBenchMacroSpace(SearchSpace):
    """Eight blocks in three stages of 2, 3 and 3 blocks; the first of each halves and widens.

    All 6,561 encodings are valid. An architecture is written as eight digits: 0 identity (where
    the shape changes, a strided 1x1 convolution), 1 inverted residual block of expansion 3 and
    kernel 3, 2 of expansion 6 and kernel 5.
    """

    name = "nasbench-macro"
    decisions = tuple(Decision(f"block{i + 1}", BLOCKS) for i in range(sum(STAGES)))

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Move identities that do not change the shape to the end of their stage: (n, 8).

        The benchmark does the same (``get_real_arch`` in its ``train_benchmark.py``), so it trained
        3,969 different networks.
        """
        result = np.array(choices)
        start = 0
        for blocks in STAGES:
            rest = result[:, start + 1 : start + blocks]
            order = np.argsort(rest == IDENTITY, axis=1, kind="stable")
            rest[:] = np.take_along_axis(rest, order, axis=1)
            start += blocks
        return result

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """A chain of eight blocks."""
        choices = np.asarray(choices)
        position = np.arange(sum(STAGES))
        return chain_graphs(_OPS[position, choices], _ATTRIBUTES[position, choices])

    def parse(self, text: str) -> Architecture:
        """Read eight digits from 0 to 2.

        Raises:
            ArchitectureError: If the text is anything else.
        """
        if not _FORM.fullmatch(text):
            raise ArchitectureError(
                f"architecture {text!r} is not {sum(STAGES)} digits from 0 to 2, one a block"
            )
        return self._wrap(int(digit) for digit in text)

    def format(self, arch: Architecture) -> str:
        """Write eight digits."""
        return "".join(map(str, arch.choices))


def _blocks() -> tuple[IntArray, FloatArray]:
    """Operations (8, 3) and attributes (8, 3, 6) of each block with each option."""
    ops, described = [], []
    channels = STEM_CHANNELS
    for blocks in STAGES:
        for i in range(blocks):
            shape = {"stride": 1, "channels_in": channels, "channels_out": channels}
            if i == 0:
                shape |= {"stride": 2, "channels_out": 2 * channels}
                channels *= 2
            ops.append(["skip" if i else "conv", "inverted_residual", "inverted_residual"])
            described.append(
                [
                    attributes(kernel=1, **shape),
                    attributes(kernel=3, expansion=3, **shape),
                    attributes(kernel=5, expansion=6, **shape),
                ]
            )
    numbers = [[OPERATION_IDS[name] for name in options] for options in ops]
    return np.array(numbers), np.array(described)


_OPS, _ATTRIBUTES = _blocks()
