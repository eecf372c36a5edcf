"""The cell space of TransNAS-Bench-101 against the rule of NAS-Bench-201's package."""

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest
from nats_bench.genotype_utils import TopologyStructure

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.operations import OPERATIONS
from surrogate_nas.spaces.transnas_micro import TransNASMicroSpace

SPACE = TransNASMicroSpace()
NAMES = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def test_text_has_the_digits_in_the_order_of_the_edges() -> None:
    arch = SPACE.parse("64-41414-0_12_321")
    assert arch.choices == (0, 1, 2, 3, 2, 1)
    assert SPACE.format(arch) == "64-41414-0_12_321"
    names = [decision.name for decision in SPACE.decisions]
    assert names == ["0->1", "0->2", "1->2", "0->3", "1->3", "2->3"]


def test_canonical_is_the_first_encoding_with_the_same_unique_string() -> None:
    first: dict[str, int] = {}
    expected = []
    for i, (a, b, c, d, e, f) in enumerate(SPACE.all_choices().tolist()):
        text = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*(NAMES[x] for x in (a, b, c, d, e, f)))
        unique = TopologyStructure.str2structure(text).to_unique_str(consider_zero=True)
        expected.append(first.setdefault(unique, i))
    assert SPACE.encodings == len(expected) == 4_096
    np.testing.assert_array_equal(SPACE.index(SPACE.canonicalise(SPACE.all_choices())), expected)
    assert SPACE.with_isomorphs("merged").size == len(first)


def test_graph_is_the_line_graph_of_the_cell() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse("64-41414-3_12_001").choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == ["input", "conv", "sum", "skip", "conv", "sum", "skip", "sum", "output"]
    assert graphs.edges.T.tolist() == [
        *([0, 1], [1, 2]),  # state 1
        *([0, 3], [2, 4], [3, 5], [4, 5]),  # state 2
        *([5, 6], [6, 7], [7, 8]),  # state 3 reads state 2 only
    ]
    np.testing.assert_allclose(graphs.attributes[:, 0], np.log2([1, 3, 1, 1, 1, 1, 1, 1, 1]))


@pytest.mark.parametrize(
    "text",
    ["64-41414-4_00_000", "64-41414-0_000_00", "64-4141-0_00_000", "0_00_000", "64-41414-000000"],
)
def test_parse_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape("64-41414-a_bc_def")):
        SPACE.parse(text)


@pytest.mark.data
def test_the_published_table_lists_every_encoding() -> None:
    path = Path(os.environ["SURROGATE_NAS_DATA"], "transnas_micro.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        column = next(file).rstrip("\n").split(",").index("arch_str")
        texts = [line.split(",")[column] for line in file]
    assert len({SPACE.parse(text) for text in texts}) == len(texts) == SPACE.encodings
