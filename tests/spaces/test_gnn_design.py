"""The spaces of designs of graph networks."""

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.operations import OPERATION_IDS


def test_sizes_are_the_published_ones() -> None:
    # M-DESIGN's tables hold 2,800 designs a task. GraphGym counts 314,928 designs, 54 settings of
    # the training each.
    assert open_space("gnn-design").size == 2_800
    assert open_space("graphgym").size * 54 == 314_928


def count(space: str, text: str, name: str) -> int:
    opened = open_space(space)
    graphs = opened.graphs(np.array([opened.parse(text).choices])).pruned()
    return int((graphs.op == OPERATION_IDS[name]).sum())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # Each layer is a message and the sum with the own state; skipsum adds a sum a layer.
        (
            "edge_index:degree_row:add:add:4:mean",
            {"message_passing": 4, "sum": 4, "aggregation": 1},
        ),
        ("edge_index:degree_row:add:add:6:skipsum", {"message_passing": 6, "sum": 12}),
        ("edge_index:degree_row:add:concat:6:skipconcat", {"sum": 0, "concat": 12}),
        ("edge_index_knn:rel_rwpe:min:concat:4:lstm", {"lstm": 1, "concat": 4, "readout": 0}),
        ("edge_index_knn:rel_rwpe:min:concat:4:gpr", {"readout": 1, "attention": 0}),
        ("edge_index_knn:rel_rwpe:min:concat:4:node_adaptive", {"attention": 1}),
    ],
)
def test_graphs_of_m_design(text: str, found: dict[str, int]) -> None:
    assert {name: count("gnn-design", text, name) for name in found} == found


def test_graphs_of_graphgym() -> None:
    text = "2:4:3:{}:add:relu:true:0.3"
    for stage, found in (("stack", (0, 0)), ("skipsum", (4, 0)), ("skipconcat", (0, 4))):
        named = text.format(stage)
        assert count("graphgym", named, "message_passing") == 4
        assert count("graphgym", named, "linear") == 5
        assert tuple(count("graphgym", named, n) for n in ("sum", "concat")) == found


@pytest.mark.parametrize("text", ["", "edge_index", "edge_index:degree_row:add:add:5:mean"])
def test_what_is_no_design(text: str) -> None:
    with pytest.raises(ArchitectureError, match=r"l_mp"):
        open_space("gnn-design").parse(text)
