"""Networks of the designs of graph networks, against networkx, dense matrices and hand counts."""

import networkx as nx
import numpy as np
import pytest
import torch

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.networks import neighbours as module
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_parameters
from surrogate_nas.training.networks.gnn_design import aggregate
from surrogate_nas.training.networks.neighbours import neighbours, positions

TASK = NetworkTask((7,), 3)
GRAPH = nx.connected_watts_strogatz_graph(20, 4, 0.3, seed=0)
EDGES = torch.tensor([*GRAPH.edges, *((b, a) for a, b in GRAPH.edges)]).T


def designs(name: str, every: int) -> list[Architecture]:
    space = open_space(name)
    return [space.architecture(row) for row in space.unique()[::every]]


@pytest.mark.parametrize(("name", "every"), [("gnn-design", 61), ("graphgym", 131)])
def test_every_kind_of_design_learns(name: str, every: int) -> None:
    x = torch.randn(20, 7)
    for arch in designs(name, every):
        network = build_network(arch, TASK, settings={"channels": 4})
        logits = network(x, EDGES)
        assert logits.shape == (20, 3)
        assert torch.isfinite(logits).all()
        logits.square().sum().backward()
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", ["gnn-design", "graphgym"])
def test_nodes_may_come_in_any_order(name: str) -> None:
    """A network of a graph gives the nodes the same logits under any numbering."""
    torch.manual_seed(0)
    x, order = torch.randn(20, 7), torch.randperm(20)
    place = torch.argsort(order)
    for arch in designs(name, 83):
        text = open_space(name).format(arch)
        if "lepe" in text:  # eigenvectors have no sign
            continue
        network = build_network(arch, TASK, settings={"channels": 4}).eval()
        with torch.no_grad():
            expected = network(x, EDGES)[order]
            found = network(x[order], place[EDGES])
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4, msg=text)


def test_two_hops_are_those_of_networkx() -> None:
    found = neighbours("edge_index_2hop", torch.randn(20, 3), EDGES, 5)
    near = dict(nx.all_pairs_shortest_path_length(GRAPH, cutoff=2))
    expected = {(a, b) for a, others in near.items() for b in others}
    assert set(map(tuple, found.T.tolist())) == expected


def test_nearest_are_those_of_brute_force() -> None:
    x = torch.randn(20, 3)
    found = neighbours("edge_index_knn", x, EDGES, 2)
    unit = (x / x.norm(dim=1, keepdim=True)).numpy()
    for node in range(20):
        order = np.argsort(-(unit @ unit[node]))
        sources = found[0, found[1] == node].tolist()
        assert set(sources) == set(order[:3].tolist())  # itself, and the two nearest


def test_positions_are_those_of_the_laplacian_and_of_random_walks() -> None:
    laplacian = nx.normalized_laplacian_matrix(GRAPH, nodelist=range(20)).toarray()
    found = positions("lepe", EDGES, 20).double().numpy()
    values = np.sort(np.linalg.eigvalsh(laplacian))[1:9]
    np.testing.assert_allclose(laplacian @ found, found * values, atol=1e-5)
    walk = nx.to_numpy_array(GRAPH, nodelist=range(20))
    walk = walk / walk.sum(axis=1, keepdims=True)
    expected = [np.diag(np.linalg.matrix_power(walk, k)) for k in range(1, 9)]
    found = positions("rwpe", EDGES, 20).numpy()
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-6)


def test_small_graphs_have_fewer_positions() -> None:
    alone = torch.zeros((2, 0), dtype=torch.int64)
    for kind in ("lepe", "rwpe"):
        assert positions(kind, alone, 3).shape == (3, 8)
    assert neighbours("edge_index_knn_lepe", torch.ones(3, 2), alone, 5).shape[0] == 2


def test_large_graphs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DENSE", 10)
    with pytest.raises(InvalidArgumentError, match="at most 10 nodes"):
        neighbours("edge_index_2hop", torch.ones(20, 2), EDGES, 5)


@pytest.mark.parametrize("how", ["add", "mean", "max", "min"])
def test_aggregation_by_hand(how: str) -> None:
    messages = torch.tensor([[1.0], [5.0], [-2.0]])
    found = aggregate(messages, torch.tensor([0, 0, 2]), 3, how)[:, 0].tolist()
    first = {"add": 6.0, "mean": 3.0, "max": 5.0, "min": 1.0}[how]
    assert found == [first, 0.0, -2.0]


def test_parameters_of_graphgym_by_hand() -> None:
    arch = open_space("graphgym").parse("2:4:2:skipconcat:mean:prelu:true:0.3")
    network = build_network(arch, TASK, settings={"channels": 8})

    def block(width: int) -> int:
        return width * 8 + 8 + 2 * 8 + 1  # linear, batch normalisation, PReLU

    passing = sum(block(8 + 8 * layer) for layer in range(4))
    assert count_parameters(network) == block(7) + block(8) + passing + block(40) + 8 * 3 + 3


def test_images_are_refused() -> None:
    for name in ("gnn-design", "graphgym"):
        arch = open_space(name).sample(np.random.default_rng(0))
        with pytest.raises(InvalidArgumentError, match="nodes of a graph"):
            build_network(arch, NetworkTask((1, 8, 8), 3))
