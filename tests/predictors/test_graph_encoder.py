from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate_nas._types import IntArray
from surrogate_nas.predictors.graph_encoder import GraphEncoder, GraphTensors, _GatedConv, seeded
from surrogate_nas.predictors.message_steps import MessageStep
from surrogate_nas.registry import SPACES, load
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.spaces.nasbench201 import NASBench201Space

SPACE = NASBench201Space()
CELLS = SPACE.all_choices()[::13]


def tensors(choices: IntArray = CELLS) -> GraphTensors:
    return GraphTensors.of(SPACE, choices)


@pytest.fixture(scope="module")
def encoder() -> GraphEncoder:
    with seeded(0):
        return GraphEncoder(tensors().features.shape[1])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_step_is_that_of_the_adjacency_matrix(reverse: bool) -> None:
    graphs = tensors(CELLS[:5])
    nodes = len(graphs.kind)
    with seeded(1):
        conv = _GatedConv(8)
        x, kinds = torch.randn(nodes, 8), torch.randn(len(graphs.kinds), 8)
    adjacency = np.zeros((nodes, nodes), dtype=np.float32)  # [i, j]: i receives from j
    source, target = graphs.edges.numpy()
    adjacency[(source, target) if reverse else (target, source)] = 1
    weights = {name: value.detach().numpy() for name, value in conv.named_parameters()}
    gate = 1 / (1 + np.exp(-(kinds.numpy() @ weights["gate.weight"].T + weights["gate.bias"])))
    passed = gate[graphs.kind] * (adjacency @ x.numpy() @ weights["weight.weight"].T)
    own = x.numpy() @ weights["own.weight"].T + weights["own.bias"]
    edges = graphs.edges.flip(0) if reverse else graphs.edges
    found = conv(x, kinds, MessageStep(edges, graphs.kind)).detach().numpy()
    np.testing.assert_allclose(found, np.maximum(passed + own, 0), atol=1e-5)


def test_chosen_graphs_are_encoded_as_if_they_were_alone(encoder: GraphEncoder) -> None:
    whole = encoder.encode(tensors())
    assert len(CELLS) > 1_000  # more than one piece
    rows = np.array([7, 7, 3, len(CELLS) - 1, 0, 500])
    for graphs in (tensors().take(torch.from_numpy(rows)), tensors(CELLS[rows])):
        found = encoder(graphs).detach()
        np.testing.assert_allclose(found, whole[torch.from_numpy(rows)], atol=1e-5)


def test_a_large_pool_is_encoded_in_pieces(
    encoder: GraphEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = encoder.encode(tensors())
    monkeypatch.setattr("surrogate_nas.predictors.graph_encoder._PIECE", 500)
    torch.testing.assert_close(encoder.encode(tensors()), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_nodes_share_a_state_exactly_where_their_surroundings_are_equal(reverse: bool) -> None:
    graphs = tensors(CELLS[:300])
    kind = graphs.kind.tolist()
    source, target = (graphs.edges.flip(0) if reverse else graphs.edges).tolist()
    senders: dict[int, list[int]] = {i: [] for i in range(len(kind))}
    for a, b in zip(source, target, strict=True):
        senders[b].append(a)

    def tree(node: int, depth: int) -> object:
        below = sorted(str(tree(other, depth - 1)) for other in senders[node]) if depth else []
        return kind[node], below

    for depth in (1, 2, 3):
        trees = [str(tree(node, depth)) for node in range(len(kind))]
        place = graphs.distinct_steps(depth)[reverse][1].tolist()
        pairs = set(zip(trees, place, strict=True))
        assert len(pairs) == len(set(trees)) == len(set(place)) > depth


def test_the_order_of_the_nodes_does_not_count(encoder: GraphEncoder) -> None:
    graphs = SPACE.graphs(CELLS[:40]).pruned()
    rng = np.random.default_rng(0)
    order = np.concatenate(
        [rng.permutation(np.arange(a, b)) for a, b in zip(*two(graphs), strict=True)]
    )
    place = np.argsort(order)
    shuffled = ArchGraphs(
        graphs.op[order], graphs.attributes[order], place[graphs.edges], graphs.graph, 40
    )
    features = tensors(CELLS[:40]).features.numpy()
    expected = encoder(GraphTensors.from_graphs(graphs, features))
    found = encoder(GraphTensors.from_graphs(shuffled, features))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def two(graphs: ArchGraphs) -> tuple[list[int], list[int]]:
    """The first node of each graph, and the node after its last."""
    return graphs.offsets[:-1].tolist(), graphs.offsets[1:].tolist()


def test_direction_operations_and_attributes_count(encoder: GraphEncoder) -> None:
    texts = [
        "|{}~0|+|none~0|{}~1|+|none~0|none~1|skip_connect~2|".format(*pair)
        for pair in (
            ("nor_conv_1x1", "nor_conv_3x3"),
            ("nor_conv_3x3", "nor_conv_1x1"),
            ("nor_conv_3x3", "nor_conv_3x3"),
            ("nor_conv_3x3", "avg_pool_3x3"),
        )
    ]
    graphs = tensors(np.array([SPACE.parse(text).choices for text in texts]))
    graphs.features.zero_()
    vectors = encoder.encode(graphs)
    assert torch.pdist(vectors).min() > 1e-3


@pytest.mark.parametrize("name", list(SPACES))
def test_every_space_can_be_encoded(name: str) -> None:
    space: SearchSpace = load("space", name)()
    graphs = GraphTensors.of(space, space.sample_choices(np.random.default_rng(0), 20))
    with seeded(0):
        vectors = GraphEncoder(graphs.features.shape[1], width=5, hidden=4).encode(graphs)
    assert vectors.shape == (20, 5)
    assert torch.isfinite(vectors).all()


def test_seeded_leaves_the_generator_of_torch_alone() -> None:
    before = torch.random.get_rng_state()
    with seeded(3):
        once = torch.rand(2)
    with seeded(3):
        again = torch.rand(2)
    assert torch.equal(once, again)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_encoding_leaves_no_files_behind(tmp_path: Path) -> None:
    program = (
        "from surrogate_nas.predictors.graph_encoder import GraphEncoder, GraphTensors\n"
        "from surrogate_nas.spaces import open_space\n"
        "space = open_space('nasbench201')\n"
        "graphs = GraphTensors.of(space, space.unique()[:9])\n"
        "GraphEncoder(graphs.features.shape[1])(graphs)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=120,
    )
    assert list(tmp_path.iterdir()) == []
