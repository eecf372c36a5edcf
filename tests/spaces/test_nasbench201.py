"""The cell space of NAS-Bench-201 against the benchmark's own package."""

from functools import cache

import numpy as np
import pytest
from nats_bench.genotype_utils import TopologyStructure

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = NASBench201Space()
GOOD = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|none~0|nor_conv_3x3~1|skip_connect~2|"


@cache
def _structures() -> tuple[TopologyStructure, ...]:
    archs = [SPACE.architecture(row) for row in SPACE.all_choices()]
    return tuple(TopologyStructure.str2structure(SPACE.format(arch)) for arch in archs)


def test_every_encoding_is_an_official_string() -> None:
    strings = [structure.tostr() for structure in _structures()]
    assert len(set(strings)) == SPACE.encodings == 15_625
    assert SPACE.isomorphs == "separate"
    assert [SPACE.parse(text).choices for text in strings] == list(
        map(tuple, SPACE.all_choices().tolist())
    )


def test_decisions_are_the_edges_in_the_official_order() -> None:
    assert SPACE.parse(GOOD).choices == (4, 2, 1, 0, 3, 1)
    names = [decision.name for decision in SPACE.decisions]
    assert names == ["0->1", "0->2", "1->2", "0->3", "1->3", "2->3"]


def test_canonical_is_the_first_encoding_with_the_same_unique_string() -> None:
    first: dict[str, int] = {}
    expected = [
        first.setdefault(structure.to_unique_str(consider_zero=True), i)
        for i, structure in enumerate(_structures())
    ]
    assert len(first) == 6_466
    canonical = SPACE.canonicalise(SPACE.all_choices())
    np.testing.assert_array_equal(SPACE.index(canonical), expected)
    assert SPACE.with_isomorphs("merged").size == 6_466


def test_cells_without_a_path_prune_to_two_nodes() -> None:
    pruned = SPACE.graphs(SPACE.all_choices()).pruned()
    connected = np.diff(pruned.offsets) > 2
    np.testing.assert_array_equal(connected, [s.check_valid() for s in _structures()])
    assert not connected.all()


def test_graph_is_the_line_graph_of_the_cell() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse(GOOD).choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == [
        *("input", "avg_pool", "sum", "conv", "skip", "sum", "conv", "skip", "sum", "output")
    ]
    assert graphs.edges.T.tolist() == [
        *([0, 1], [1, 2]),  # state 1
        *([0, 3], [2, 4], [3, 5], [4, 5]),  # state 2
        *([2, 6], [5, 7], [6, 8], [7, 8], [8, 9]),  # state 3; none from state 0
    ]
    kernel = graphs.attributes[:, ATTRIBUTES.index("kernel")]
    np.testing.assert_allclose(kernel, np.log2([1, 3, 1, 1, 1, 1, 3, 1, 1, 1]), rtol=1e-6)
    assert not np.delete(graphs.attributes, ATTRIBUTES.index("kernel"), axis=1).any()


def test_only_none_has_no_node() -> None:
    choices = SPACE.all_choices()
    nodes = np.diff(SPACE.graphs(choices).offsets)
    np.testing.assert_array_equal(nodes, 5 + (choices != 0).sum(axis=1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("nor_conv_1x1", "nor_conv_1x2"),
            "'nor_conv_1x2'; did you mean 'nor_conv_1x1",
        ),
        (GOOD.replace("avg_pool_3x3", "sep_conv"), "unknown 0->1 option 'sep_conv'"),
        (GOOD.replace("skip_connect~1", "skip_connect~0"), "form"),
        (GOOD.replace("~2", "~3"), "form"),
        (GOOD.replace("+", ""), "form"),
        (GOOD + "|none~3|", "form"),
        (GOOD.replace("|none~0|", "|"), "form"),
        (GOOD.strip("|"), "form"),
        (GOOD + "\n", "form"),
        ("||+||+||", "form"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        SPACE.parse(text)
