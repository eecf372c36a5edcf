"""The space of chains of layers."""

import re

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.layerwise import CHANNELS, KERNELS, LAYERS, TYPES, LayerwiseSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = LayerwiseSpace()
TEXT = "conv3x3@16-separable5x5@32-inverted7x7@64"


def test_sizes_are_sums_over_the_number_of_layers() -> None:
    options = len(TYPES) * len(KERNELS) * len(CHANNELS)
    assert SPACE.size == sum(options**layers for layers in range(1, LAYERS + 1))
    assert SPACE.with_isomorphs("separate").size == LAYERS * options**LAYERS
    assert not SPACE.enumerable


def test_layers_beyond_the_depth_do_not_count() -> None:
    arch = SPACE.parse(TEXT)
    assert arch.choices[:10] == (2, 0, 0, 1, 1, 1, 2, 2, 2, 3)
    assert not any(arch.choices[10:])
    longer = SPACE.parse(f"{TEXT}|conv3x3@8-conv5x5@8")
    assert longer != arch
    assert SPACE.canonical(longer) == arch == SPACE.key(longer)
    assert SPACE.format(longer) == f"{TEXT}|conv3x3@8-conv5x5@8"
    assert SPACE.format(SPACE.canonical(longer)) == TEXT
    graphs = [SPACE.graphs(np.array([a.choices])) for a in (arch, longer)]
    np.testing.assert_array_equal(graphs[0].op, graphs[1].op)
    np.testing.assert_array_equal(graphs[0].attributes, graphs[1].attributes)


def test_a_layer_that_counts_makes_another_architecture() -> None:
    arch = SPACE.sample(np.random.default_rng(0))
    end = 1 + 3 * (arch.choices[0] + 1)
    for place in range(len(arch.choices)):
        choices = list(arch.choices)
        choices[place] = (choices[place] + 1) % SPACE.sizes[place]
        same = SPACE.key(SPACE.architecture(np.array(choices))) == SPACE.key(arch)
        assert same == (place >= end)


def test_the_graph_is_a_chain_that_says_what_each_layer_is() -> None:
    text = "-".join([TEXT, "conv5x5@8", "conv3x3@8", "inverted3x3@16"])
    graphs = SPACE.graphs(np.array([SPACE.parse(text).choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    layers = ["conv", "separable_conv", "inverted_residual", "conv", "conv", "inverted_residual"]
    assert names == ["input", *layers, "output"]
    assert graphs.edges.T.tolist() == [[i, i + 1] for i in range(7)]
    values = (2 ** graphs.attributes[1:-1]).round().astype(int)
    found = {name: values[:, ATTRIBUTES.index(name)].tolist() for name in ATTRIBUTES}
    assert found["kernel"] == [3, 5, 7, 5, 3, 3]
    assert found["stride"] == [1, 1, 2, 1, 1, 2]
    assert found["channels_in"] == [16, 16, 32, 64, 8, 8]
    assert found["channels_out"] == [16, 32, 64, 8, 8, 16]
    assert found["expansion"] == [1, 1, 4, 1, 1, 4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a layer like conv3x3@16"),
        ("conv3x5@16", "is not a layer like conv3x3@16"),
        ("conv3x3@16-", "is not a layer like conv3x3@16"),
        ("conv3x3@16|", "is not a layer like conv3x3@16"),
        ("conv4x4@16", "unknown layer1.kernel option '4'"),
        ("conv3x3@8-pool3x3@8", "unknown layer2.type option 'pool'"),
        ("conv3x3@8-conv3x3@12", "unknown layer2.channels option '12'"),
        ("-".join(["conv3x3@8"] * 9), "has 9 layers, and 'layerwise' at most 8"),
        (f"{TEXT}|{TEXT}-{TEXT}", "has 9 layers, and 'layerwise' at most 8"),
    ],
)
def test_parse_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ArchitectureError, match=f"{re.escape(repr(text))}.*{reason}"):
        SPACE.parse(text)
