"""The size space of NATS-Bench."""

import re

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.nats_size import NATSSizeSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = NATSSizeSpace()


def test_every_encoding_is_a_network() -> None:
    assert SPACE.size == SPACE.encodings == 32_768
    assert SPACE.parse("8:16:24:32:64").choices == (0, 1, 2, 3, 7)
    widths = np.array([[int(w) for w in SPACE.format(SPACE.architecture(row)).split(":")]
                       for row in SPACE.all_choices()[::97]])  # fmt: skip
    np.testing.assert_array_equal(widths, 8 * (SPACE.all_choices()[::97] + 1))


def test_graph_is_a_chain_with_channels() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse("8:16:24:32:64").choices]))
    assert [OPERATIONS[i] for i in graphs.op] == ["input", *["conv"] * 5, "output"]
    assert graphs.edges.tolist() == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    plain = dict(zip(ATTRIBUTES, 2 ** graphs.attributes[1:-1].T, strict=True))
    np.testing.assert_allclose(plain["channels_in"], [8, 8, 16, 24, 32], rtol=1e-6)
    np.testing.assert_allclose(plain["channels_out"], [8, 16, 24, 32, 64], rtol=1e-6)
    np.testing.assert_allclose(plain["stride"], [1, 2, 1, 2, 1])
    np.testing.assert_allclose(plain["kernel"], 3, rtol=1e-6)
    assert not graphs.attributes[[0, -1]].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8:16:24:32", "5 numbers of channels"),
        ("8:16:24:32:64:8", "5 numbers of channels"),
        ("8:16:24:32:65", "unknown layer5 option '65'"),
        ("8:16:24:32:064", "'064'"),
        ("8-16-24-32-64", "joined by ':'"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(message)):
        SPACE.parse(text)
