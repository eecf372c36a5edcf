"""The space of inverted residuals, against Once-for-all's notation and published costs."""

import json

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.mobilenet import MobileNetSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS
from surrogate_nas.training.networks.base import (
    NetworkTask,
    build_network,
    count_flops,
    count_parameters,
)

SPACE = MobileNetSpace()
IMAGES = NetworkTask((3, 224, 224), 1000)


def config(kernel: int, expansion: int, depth: int, **more: object) -> dict[str, object]:
    return {"ks": [kernel] * 20, "e": [expansion] * 20, "d": [depth] * 5, **more}


def test_size_by_hand() -> None:
    # Once-for-all counts (9^2 + 9^3 + 9^4)^5, here twice as many a stage.
    assert SPACE.size == (2 * (9**2 + 9**3 + 9**4)) ** 5
    assert SPACE.encodings > 2**63


def test_cost_of_the_largest_is_the_published_one() -> None:
    arch = SPACE.parse(json.dumps(config(7, 6, 4)))
    network = build_network(arch, IMAGES)
    # Once-for-all's largest network of this width has 7.7 million parameters and 566 million
    # multiply-adds at 224 pixels.
    assert count_parameters(network) == pytest.approx(7.7e6, rel=0.01)
    assert count_flops(network, IMAGES) == pytest.approx(566e6, rel=0.01)


def test_layers_beyond_the_depth_do_not_count() -> None:
    shallow = config(3, 3, 2)
    other = config(3, 3, 2)
    other["ks"] = [k for _ in range(5) for k in (3, 3, 7, 5)]
    other["e"] = [e for _ in range(5) for e in (3, 3, None, 6)]
    assert SPACE.parse(json.dumps(shallow)) == SPACE.parse(json.dumps(other))
    active = SPACE.active(np.array([SPACE.parse(json.dumps(shallow)).choices]))
    assert active.sum() == 5 * (2 + 2 * 2)


def test_squeeze_and_excitation_is_that_of_mobilenet_v3_where_nothing_is_said() -> None:
    plain = SPACE.parse(json.dumps(config(3, 3, 2, wid=None)))
    named = config(3, 3, 2, se=[False, True, False, True, True])
    assert plain == SPACE.parse(json.dumps(named))
    assert json.loads(SPACE.format(plain)) == named


def test_graph_has_the_layers_that_count() -> None:
    text = json.dumps(config(5, 4, 3, se=[True, False, False, False, False]))
    graphs = SPACE.graphs(np.array([SPACE.parse(text).choices]))
    layers = graphs.attributes[graphs.op == OPERATION_IDS["inverted_residual"]]
    assert len(layers) == 5 * 3
    assert (graphs.op == OPERATION_IDS["squeeze_excitation"]).sum() == 3
    values = {name: 2 ** layers[:, i] for i, name in enumerate(ATTRIBUTES)}
    np.testing.assert_allclose(values["kernel"], 5)
    np.testing.assert_allclose(values["expansion"], 4)
    np.testing.assert_allclose(values["channels_out"][::3], [24, 40, 80, 112, 160])
    np.testing.assert_allclose(values["channels_in"][::3], [16, 24, 40, 80, 112])
    np.testing.assert_allclose(values["stride"][::3], [2, 2, 2, 1, 2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ks": [3] * 19}, "ks must be a list of 20"),
        ({"d": 2}, "d must be a list of 5"),
        ({"d": [2, 3, 4, 5, 2]}, "depth option"),
        ({"e": [5] * 20}, "expansion1 option"),
        ({"se": [0.5] * 4}, "se must be a list of 5"),
        ({"wid": 2}, "wid must be"),
        ({"width": 1}, "no configuration"),
    ],
)
def test_what_is_no_configuration(change: dict[str, object], said: str) -> None:
    with pytest.raises(ArchitectureError, match=said):
        SPACE.parse(json.dumps({**config(3, 3, 2), **change}))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 1999, "{}" + " " * 5000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ArchitectureError, match="no configuration"):
        SPACE.parse(text)
