"""The space of transformers, and what its networks compute."""

import numpy as np
import pytest
import torch

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS
from surrogate_nas.spaces.transformer import TransformerSpace
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_parameters
from surrogate_nas.training.networks.transformer import FourierMixing

SPACE = TransformerSpace()
TEXT = "64:attention4-feedforward2x1:linear-feedforward4x2"


def test_size_by_hand() -> None:
    layer = (3 + 1) * 3 * 2  # attention with its heads, or linear; feed-forward
    assert SPACE.size == 3 * sum(layer**n for n in (1, 2, 3, 4))


def test_linear_layers_have_no_heads() -> None:
    arch = SPACE.parse(TEXT)
    active = SPACE.active(np.array([arch.choices]))[0]
    names = [d.name for d, counts in zip(SPACE.decisions, active, strict=True) if counts]
    assert names[2:] == [
        *(f"layer1.{name}" for name in ("mixer", "heads", "factor", "depth")),
        *(f"layer2.{name}" for name in ("mixer", "factor", "depth")),
    ]


def test_graph_says_what_each_layer_is() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse(TEXT).choices]))
    names = ["input", "embedding", "attention", "feed_forward", "token_mixing", "feed_forward"]
    assert graphs.op.tolist() == [OPERATION_IDS[name] for name in (*names, "output")]
    values = {name: (2 ** graphs.attributes[:, i]).tolist() for i, name in enumerate(ATTRIBUTES)}
    assert values["width"][1:-1] == [64] * 5
    assert values["heads"] == [1, 1, 4, 1, 1, 1, 1]
    assert values["expansion"] == [1, 1, 1, 2, 1, 4, 1]
    assert values["repetitions"] == [1, 1, 1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("64", "1 to 4 layers"),
        (":".join(["64", *["linear-feedforward1x1"] * 5]), "1 to 4 layers"),
        ("65:linear-feedforward1x1", "width option"),
        ("64:attention3-feedforward1x1", "heads option"),
        ("64:attention-feedforward1x1", "no layer like"),
        ("64:linear4-feedforward1x1", "no layer like"),
    ],
)
def test_what_is_no_architecture(text: str, said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        SPACE.parse(text)


def test_parameters_by_hand() -> None:
    task = NetworkTask((6, 1, 64), 14)
    network = build_network(SPACE.parse(TEXT), task, settings={"patch": 4})
    w, tokens = 64, 16
    embedding = (6 * 4) * w + w + tokens * w
    attention = 4 * (w * w + w)
    first = (w * 2 * w + 2 * w) + (2 * w * w + w)
    second = (w * 4 * w + 4 * w) + (4 * w * 4 * w + 4 * w) + (4 * w * w + w)
    norms = 5 * 2 * w
    assert count_parameters(network) == (
        embedding + attention + first + second + norms + w * 14 + 14
    )


def test_fourier_mixing_is_numpys() -> None:
    x = torch.randn(2, 5, 8)
    expected = np.fft.fft2(x.numpy(), norm="ortho").real
    np.testing.assert_allclose(FourierMixing()(x).numpy(), expected, atol=1e-5)


def test_tokens_are_steps_of_a_signal_and_rows_of_an_image() -> None:
    """Without positions, the order of steps, or of rows, does not matter to attention."""
    arch = SPACE.parse("32:attention2-feedforward1x1")
    for shape, along in (((3, 1, 8), 3), ((3, 8, 5), 2)):
        torch.manual_seed(0)
        network = build_network(arch, NetworkTask(shape, 4)).eval()
        with torch.no_grad():
            network.get_parameter("position").zero_()
        x = torch.randn(2, *shape)
        turned = x.flip(along)
        torch.testing.assert_close(network(x), network(turned))
        other = x.flip(1)  # channels
        assert not torch.allclose(network(x), network(other))
