"""Networks of `layerwise` and `hierarchical` against formulas for their parameters."""

from collections.abc import Sequence

import numpy as np
import torch

from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_parameters

IMAGES = NetworkTask((3, 32, 32), 10)


def _layer(text: str, width: int) -> tuple[int, int]:
    """Parameters of ``conv3x3@16`` behind so many channels, and its own number of channels.

    A normalisation has two a channel; nothing else has a bias.
    """
    kind, size = text.partition("@")[0][:-3], int(text.partition("@")[0][-1])
    channels = int(text.partition("@")[2])
    area = size**2
    if kind == "conv":
        count = area * width * channels + 2 * channels
    elif kind == "separable":
        count = area * width + 2 * width + width * channels + 2 * channels
    else:
        inner = 4 * width
        count = width * inner + 2 * inner + area * inner + 2 * inner + inner * channels
        count += 2 * channels
    return count, channels


def _cell(names: Sequence[str], channels: int) -> int:
    area = {"conv3x3": 9, "conv5x5": 25}
    return sum(area[name] * channels**2 + 2 * channels for name in names if name in area)


def _expected(text: str) -> int:
    total, width = 27 * 16 + 2 * 16, 16  # the stem
    for unit in text.split("+") if ":" in text else text.split("-"):
        layer, _, cell = unit.partition(":")
        count, width = _layer(layer, width)
        total += count
        if cell:
            total += _cell(cell.split("-"), width)
            width *= 4
    return total + width * 10 + 10


def test_parameters_are_those_of_the_formula() -> None:
    for name in ("layerwise", "hierarchical"):
        space, rng = open_space(name), np.random.default_rng(0)
        for arch in (space.sample(rng) for _ in range(60)):
            text = space.format(space.canonical(arch))
            with torch.device("meta"):
                network = build_network(arch, IMAGES)
            assert count_parameters(network) == _expected(text), text


def test_what_does_not_count_is_not_built() -> None:
    counted = "inverted5x5@8-conv3x3@16"
    space = open_space("layerwise")
    states = []
    for text in (counted, f"{counted}|conv7x7@64"):
        torch.manual_seed(0)
        states.append(build_network(space.parse(text), IMAGES).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_resolution_is_halved_where_the_space_says_so() -> None:
    shapes: list[tuple[int, ...]] = []

    def traced(arch: Architecture) -> list[tuple[int, ...]]:
        shapes.clear()
        network = build_network(arch, IMAGES).eval()
        for module in list(network.children())[1:-1]:
            module.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
        network(torch.zeros(1, *IMAGES.shape))
        return list(shapes)

    layers = [f"separable3x3@{c}" for c in (8, 16, 8, 8, 8, 8, 32)]
    found = traced(open_space("layerwise").parse("-".join(layers)))
    assert found == [
        *((8, 32, 32), (16, 32, 32), (8, 16, 16), (8, 16, 16), (8, 16, 16), (8, 8, 8), (32, 8, 8)),
    ]
    stages = [f"conv3x3@{c}:skip-skip-maxpool3x3-conv3x3" for c in (8, 16, 8)]
    found = traced(open_space("hierarchical").parse("+".join(stages)))
    assert found[0::2] == [(8, 32, 32), (16, 16, 16), (8, 8, 8)]
    assert found[1::2] == [(32, 32, 32), (64, 16, 16), (32, 8, 8)]
