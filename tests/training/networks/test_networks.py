"""What the networks compute, checked on cells that are easy to follow."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.registry import NETWORKS, SPACES
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_flops
from surrogate_nas.training.networks.blocks import EdgeCell, FactorizedReduce, relu_conv_bn, skip
from surrogate_nas.training.networks.dense_cell import DenseCell
from surrogate_nas.training.networks.nasbench101 import Module101, vertex_channels
from tests.small_networks import GRAPH_NETWORKS, SMALL

IMAGES = NetworkTask((1, 8, 8), 5)
IMAGE_NETWORKS = sorted(set(NETWORKS) - GRAPH_NETWORKS)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_every_space_has_a_network() -> None:
    assert set(NETWORKS) == set(SPACES)


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_gives_logits_and_gradients_for_any_image(name: str, size: int) -> None:
    task = NetworkTask((3, size, size), 5)
    space, rng = open_space(name), np.random.default_rng(size)
    for arch in (space.sample(rng) for _ in range(6)):
        network = build_network(arch, task, settings=SMALL.get(name))
        logits = network(torch.randn(4, *task.shape))
        assert logits.shape == (4, 5)
        assert torch.isfinite(logits).all()
        logits.square().sum().backward()
        last = list(network.parameters())[-1]
        assert last.grad is not None
        assert last.grad.abs().sum() > 0


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_the_same_generator_gives_the_same_weights(name: str) -> None:
    arch = open_space(name).sample(np.random.default_rng(0))
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_network(arch, IMAGES, settings=SMALL.get(name)).state_dict())
    first, again, other = (torch.cat([t.flatten() for t in s.values()]) for s in states)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_edges_are_summed_and_a_state_without_edges_is_zero() -> None:
    double: nn.Module = _Times(2)
    x = torch.randn(2, 3, 4, 4)
    # 0->1 is missing, 0->2 doubles, 1->2 skips zeros, 0->3 skips, 1->3 is missing, 2->3 doubles.
    cell = EdgeCell([None, lambda *_: double, skip, skip, None, lambda *_: double], 3, 3)
    torch.testing.assert_close(cell(x), 2 * (2 * x) + x)
    assert not EdgeCell([None] * 6, 3, 5, 2)(x).any()
    assert EdgeCell([None] * 6, 3, 5, 2)(torch.ones(2, 3, 7, 7)).shape == (2, 5, 4, 4)


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_relu_leaves_the_state_that_others_read() -> None:
    x = torch.randn(2, 3, 4, 4)
    before = x.clone()
    relu_conv_bn(3, 3, 3)(x)
    FactorizedReduce(3, 4)(x)
    assert torch.equal(x, before)


def test_factorized_reduce_reads_even_and_odd_pixels() -> None:
    reduce = FactorizedReduce(1, 2).eval()
    nn.init.ones_(reduce.even.weight)
    nn.init.ones_(reduce.odd.weight)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    expected = torch.stack([x[0, 0, ::2, ::2], x[0, 0, 1::2, 1::2]])[None]
    torch.testing.assert_close(reduce(x), expected, rtol=1e-4, atol=1e-4)


def test_a_dense_node_reads_all_earlier_states() -> None:
    arch = open_space("dense-cell").parse("skip-skip-maxpool3x3-avgpool3x3")
    x = torch.randn(2, 3, 5, 5)
    second = x + x
    third = nn.functional.max_pool2d(4 * x, 3, 1, 1)
    fourth = nn.functional.avg_pool2d(4 * x + third, 3, 1, 1, count_include_pad=False)
    expected = torch.cat([x, second, third, fourth], dim=1)
    torch.testing.assert_close(DenseCell(arch.choices, 3)(x), expected)


def test_vertex_channels_share_the_output() -> None:
    fork = np.array([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    assert vertex_channels(fork, 7) == [0, 4, 3, 7]
    # Node 1 is read by 2 and 3 only, and is as wide as the wider of them.
    deep = np.zeros((5, 5), dtype=int)
    deep[0, 1] = deep[1, 2] = deep[1, 3] = deep[2, 4] = deep[3, 4] = 1
    assert vertex_channels(deep, 9) == [0, 5, 5, 4, 9]


def test_a_wider_node_is_cut_off_and_the_input_is_projected() -> None:
    matrix = np.zeros((5, 5), dtype=int)
    matrix[0, 1] = matrix[1, 2] = matrix[1, 3] = matrix[2, 4] = matrix[3, 4] = matrix[0, 4] = 1
    ops = ("input", *["maxpool3x3"] * 3, "output")
    module = Module101(matrix, ops, 2, 9).eval()
    x = torch.randn(2, 2, 6, 6)

    def pooled(y: Tensor) -> Tensor:
        return nn.functional.max_pool2d(y, 3, 1, 1)

    first = pooled(module.projections["1"](x))
    expected = torch.cat([pooled(first), pooled(first[:, :4])], dim=1)
    torch.testing.assert_close(module(x), expected + module.projections["4"](x))


def test_nasbench101_drops_nodes_without_a_path() -> None:
    space = open_space("nasbench101")
    ops = "input,conv3x3-bn-relu,maxpool3x3,output"
    dead = space.parse(f"0110000000010000:{ops}")
    plain = space.parse("010001000:input,maxpool3x3,output")
    numbers = [
        sum(p.numel() for p in build_network(a, IMAGES, settings={"channels": 8}).parameters())
        for a in (dead, plain)
    ]
    assert numbers[0] == numbers[1]


def test_a_graph_network_mixes_along_edges_and_classifies_nodes() -> None:
    arch = open_space("nas-bench-graph").parse("0012-gcn-fc-skip-gat")
    network = build_network(arch, NetworkTask((6,), 3), settings={"channels": 8}).eval()
    x = torch.randn(5, 6)
    edges = torch.tensor([[0, 1, 2], [1, 2, 3]])
    logits = network(x, edges)
    assert logits.shape == (5, 3)
    moved = network(x + torch.eye(5)[:, :1] * torch.ones(6), edges)  # changes node 0 only
    changed = (moved - logits).abs().sum(dim=1) > 1e-6
    assert changed.tolist() == [True, True, False, False, False]  # each path has one convolution


def test_flops_are_those_of_the_formula() -> None:
    arch = open_space("dense-cell").parse("conv3x3-conv5x5-skip-maxpool3x3")
    network = build_network(arch, IMAGES, settings={"channels": 4}).train()
    expected = 64 * (9 * 4 + 9 * 16 + 25 * 16) + 16 * 5
    assert count_flops(network, IMAGES) == expected
    assert network.training


def own_network(arch: Architecture, task: NetworkTask, *, width: int = 3) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, task.classes))


def no_network(arch: Architecture, task: NetworkTask) -> int:
    return 3


def test_own_networks_are_built_by_function_or_path() -> None:
    arch = Architecture("mine", (0,))
    path = f"{__name__}:own_network"
    for network in (own_network, path):
        built = build_network(arch, IMAGES, network=network, settings={"width": 7})
        assert built(torch.zeros(2, 1, 8, 8)).shape == (2, 5)
    with pytest.raises(InvalidArgumentError, match=r"has no setting 'depth' \(known: width\)"):
        build_network(arch, IMAGES, network=path, settings={"depth": 2})
    with pytest.raises(InvalidArgumentError, match="--network module:build"):
        build_network(arch, IMAGES)
    with pytest.raises(UnknownNameError, match="nasbench201"):
        build_network(arch, IMAGES, network="nasbench20")
    with pytest.raises(InvalidArgumentError, match=r"must be a torch\.nn\.Module, got int"):
        build_network(arch, IMAGES, network=f"{__name__}:no_network")


def test_the_shape_must_suit_the_network() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidArgumentError, match=r"\(features,\), got \(1, 8, 8\)"):
        build_network(open_space("nas-bench-graph").sample(rng), IMAGES)
    with pytest.raises(InvalidArgumentError, match=r"takes images .* got \(7,\)"):
        build_network(open_space("dense-cell").sample(rng), NetworkTask((7,), 2))
