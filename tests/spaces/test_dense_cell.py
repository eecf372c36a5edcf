"""The space of densely connected cells."""

import re

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.dense_cell import DenseCellSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = DenseCellSpace()


def test_all_625_cells_are_different() -> None:
    assert SPACE.size == SPACE.with_isomorphs("merged").size == 625


def test_every_node_reads_all_earlier_states_and_all_are_concatenated() -> None:
    arch = SPACE.parse("conv5x5-maxpool3x3-avgpool3x3-skip")
    graphs = SPACE.graphs(np.array([arch.choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == ["input", "conv", "max_pool", "avg_pool", "skip", "concat", "output"]
    expected = {(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)}
    expected |= {(1, 5), (2, 5), (3, 5), (4, 5), (5, 6)}
    assert {(source, target) for source, target in graphs.edges.T.tolist()} == expected
    kernels = 2 ** graphs.attributes[1:5, ATTRIBUTES.index("kernel")]
    np.testing.assert_allclose(kernels, [5, 3, 3, 1], rtol=1e-6)


def test_kernels_tell_the_convolutions_apart() -> None:
    archs = [SPACE.parse(f"{name}-skip-skip-skip") for name in ("conv3x3", "conv5x5")]
    graphs = SPACE.graphs(np.array([arch.choices for arch in archs]))
    assert OPERATIONS[graphs.op[1]] == OPERATIONS[graphs.op[8]] == "conv"
    kernels = 2 ** graphs.attributes[[1, 8], ATTRIBUTES.index("kernel")]
    np.testing.assert_allclose(kernels, [3, 5], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("conv3x3-skip-skip", "is not 4 operations"),
        ("conv3x3-skip-skip-skip-skip", "is not 4 operations"),
        ("conv7x7-skip-skip-skip", "unknown node1 option 'conv7x7'"),
    ],
)
def test_parse_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ArchitectureError, match=f"{re.escape(text)}.*{reason}"):
        SPACE.parse(text)
