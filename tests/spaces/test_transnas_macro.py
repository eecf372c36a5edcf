"""The macro space of TransNAS-Bench-101 against its published counts."""

import re
from itertools import product

import numpy as np
import pytest

from surrogate_nas.errors import ArchitectureError
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATIONS
from surrogate_nas.spaces.transnas_macro import TransNASMacroSpace

SPACE = TransNASMacroSpace()


def test_there_is_one_encoding_a_network_and_the_published_number_of_them() -> None:
    texts = [SPACE.format(SPACE.architecture(row)) for row in SPACE.all_choices()]
    assert SPACE.size == len(set(texts)) == len(texts) == 3_256
    lengths = [len(text.split("-")[1]) for text in texts]
    assert [lengths.count(modules) for modules in (4, 5, 6)] == [210, 750, 2_296]


def test_the_rules_decide_which_texts_are_networks() -> None:
    valid = {SPACE.format(SPACE.architecture(row)) for row in SPACE.all_choices()}
    for modules in (3, 4, 5, 7):
        for digits in product("1234", repeat=modules) if modules < 7 else [("1",) * 7]:
            code = "".join(digits)
            doublings = sum(code.count(digit) for digit in "24")
            halvings = sum(code.count(digit) for digit in "34")
            text = f"64-{code}-basic"
            ok = 4 <= modules <= 6 and 1 <= doublings <= 3 and 1 <= halvings <= 4
            assert (text in valid) == ok
            if ok:
                assert SPACE.format(SPACE.parse(text)) == text
            else:
                with pytest.raises(ArchitectureError, match=re.escape(text)):
                    SPACE.parse(text)


def test_only_trailing_modules_are_left_out() -> None:
    none = len(SPACE.decisions[-1].options) - 1
    assert SPACE.decisions[-1].options[none] == "none"
    gap = np.array([[0, 1, 2, 3, none, 0], [0, 1, 2, 3, 0, none], [0, 1, 2, 3, none, none]])
    assert SPACE.valid(gap).tolist() == [False, True, True]


def test_graph_is_a_chain_of_modules() -> None:
    graphs = SPACE.graphs(np.array([SPACE.parse("64-12341-basic").choices]))
    assert [OPERATIONS[i] for i in graphs.op] == ["input", *["residual_block"] * 5, "output"]
    assert graphs.edges.tolist() == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    plain = dict(zip(ATTRIBUTES, 2 ** graphs.attributes[1:-1].T, strict=True))
    np.testing.assert_allclose(plain["channels_in"], [64, 64, 128, 128, 256])
    np.testing.assert_allclose(plain["channels_out"], [64, 128, 128, 256, 256])
    np.testing.assert_allclose(plain["stride"], [1, 1, 2, 2, 1])
    np.testing.assert_allclose(plain["repetitions"], 2)
    lengths = np.diff(SPACE.graphs(SPACE.all_choices()).offsets) - 2
    assert np.bincount(lengths).tolist() == [0, 0, 0, 0, 210, 750, 2_296]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("64-1111-basic", "1 to 3 modules"),
        ("64-444444-basic", "not part of"),
        ("64-12340-basic", "form"),
        ("32-1234-basic", "form"),
        ("64-1234", "form"),
    ],
)
def test_parse_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        SPACE.parse(text)
