"""The space of NAS-Bench-Macro."""

import re

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.nasbench_macro import NASBenchMacroSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS

SPACE = NASBenchMacroSpace()


def _canonical(text: str) -> str:
    """The rule on the text: identities after a stage's first block go to the stage's end."""
    stages = [text[:2], text[2:5], text[5:]]
    return "".join(s[0] + s[1:].replace("0", "").ljust(len(s) - 1, "0") for s in stages)


def test_canonical_moves_identities_to_the_end_of_their_stage() -> None:
    archs = [SPACE.architecture(row) for row in SPACE.all_choices()]
    texts = [SPACE.format(arch) for arch in archs]
    canonical = [SPACE.format(SPACE.canonical(arch)) for arch in archs]
    assert canonical == [_canonical(text) for text in texts]
    assert (len(texts), len(set(canonical))) == (6_561, 3_969)
    assert SPACE.with_isomorphs("merged").size == 3_969
    assert SPACE.format(SPACE.canonical(SPACE.parse("01002001"))) == "01020010"


def test_canonicalise_leaves_its_argument_alone() -> None:
    choices = np.array([SPACE.parse("00001001").choices])
    SPACE.canonicalise(choices)
    assert choices.tolist() == [[0, 0, 0, 0, 1, 0, 0, 1]]


def test_graph_is_a_chain_of_blocks() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse("00120210").choices]))
    names = [OPERATIONS[i] for i in graphs.op]
    assert names == [
        *("input", "conv", "skip", "inverted_residual", "inverted_residual", "skip"),
        *("inverted_residual", "inverted_residual", "skip", "output"),
    ]
    assert graphs.edges.T.tolist() == [[i, i + 1] for i in range(9)]
    plain = dict(zip(ATTRIBUTES, 2 ** graphs.attributes[1:-1].T, strict=True))
    np.testing.assert_allclose(plain["channels_in"], [32, 64, 64, 128, 128, 128, 256, 256])
    np.testing.assert_allclose(plain["channels_out"], [64, 64, 128, 128, 128, 256, 256, 256])
    np.testing.assert_allclose(plain["stride"], [2, 1, 2, 1, 1, 2, 1, 1])
    np.testing.assert_allclose(plain["kernel"], [1, 1, 3, 5, 1, 5, 3, 1], rtol=1e-6)
    np.testing.assert_allclose(plain["expansion"], [1, 1, 3, 6, 1, 6, 3, 1], rtol=1e-6)


@pytest.mark.parametrize("text", ["0000000", "000000000", "00000003", "0000000a", "\u0660" * 8])
def test_parse_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(f"{text!r} is not 8 digits")):
        SPACE.parse(text)
