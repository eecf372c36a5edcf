"""The space of stages with a dense cell inside each."""

import re

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.hierarchical import STAGES, HierarchicalSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = HierarchicalSpace()
FIRST = "separable5x5@8:conv3x3-conv5x5-maxpool3x3-skip"
SECOND = "inverted3x3@32:avgpool3x3-skip-conv3x3-conv3x3"


def test_sizes_are_sums_over_the_number_of_stages() -> None:
    options = 3 * 3 * 4 * 5**4
    assert SPACE.size == sum(options**stages for stages in range(1, STAGES + 1))
    assert SPACE.with_isomorphs("separate").size == STAGES * options**STAGES


def test_stages_beyond_their_number_do_not_count() -> None:
    arch = SPACE.parse(FIRST)
    longer = SPACE.parse(f"{FIRST}|{SECOND}")
    assert longer.choices[0] == 0
    assert SPACE.key(longer) == arch != longer
    assert SPACE.format(SPACE.key(longer)) == FIRST
    assert SPACE.key(SPACE.parse(f"{FIRST}+{SECOND}")) != arch


def test_the_graph_has_a_layer_and_a_cell_for_each_stage() -> None:
    arch = SPACE.parse(f"{FIRST}+{SECOND}")
    graphs = SPACE.graphs(np.array([arch.choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == [
        *("input", "separable_conv", "conv", "conv", "max_pool", "skip", "concat"),
        *("inverted_residual", "avg_pool", "skip", "conv", "conv", "concat", "output"),
    ]
    cell = {(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)}
    cell |= {(1, 5), (2, 5), (3, 5), (4, 5)}
    expected = {(0, 1), (6, 7), (12, 13)} | {(s + i, t + i) for s, t in cell for i in (1, 7)}
    assert {(source, target) for source, target in graphs.edges.T.tolist()} == expected
    values = (2**graphs.attributes).round().astype(int)
    stride, entry, leaving = map(ATTRIBUTES.index, ("stride", "channels_in", "channels_out"))
    assert values[:, stride].tolist() == [1] * 7 + [2] + [1] * 6
    assert values[1:6, entry].tolist() == [16, 8, 8, 8, 8]
    assert values[7:12, entry].tolist() == [32, 32, 32, 32, 32]
    assert values[7:12, leaving].tolist() == [32] * 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("conv3x3@16", "is not a stage like conv3x3@16:conv3x3-"),
        ("conv3x3@16:skip-skip-skip", "is not a stage like"),
        ("conv3x3:skip-skip-skip-skip", "is not a layer like"),
        (f"{FIRST}+conv3x3@16:skip-skip-skip-none", "unknown stage2.node4 option 'none'"),
        ("+".join([FIRST] * 5), "has 5 stages, and 'hierarchical' at most 4"),
    ],
)
def test_parse_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ArchitectureError, match=f"{re.escape(repr(text))}.*{reason}"):
        SPACE.parse(text)
