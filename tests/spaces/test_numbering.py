"""Encodings as numbers, against Python's own integers."""

from functools import reduce

import numpy as np
import pytest

from surrogate_nas.spaces.numbering import Numbering

SIZES = {
    "small": (3, 1, 7, 2),
    "63 bits": (2**15 - 1,) * 4 + (8,),
    "64 bits": (2,) * 64,
    "117 bits": (60, 1, 9) * 13,
    "many options": (300, 2, 2**15 - 1) * 6,
}


def _integers(choices: list[list[int]], sizes: tuple[int, ...]) -> list[int]:
    """Mixed-radix numbers, by Horner's rule."""
    pairs = [list(zip(row, sizes, strict=True)) for row in choices]
    return [reduce(lambda n, pair: n * pair[1] + pair[0], row, 0) for row in pairs]


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_numbers_order_and_find_encodings_like_integers(sizes: tuple[int, ...]) -> None:
    numbering = Numbering(sizes)
    rng = np.random.default_rng(0)
    # Few values of the first decisions, so that the last ones decide the order as well.
    limits = [min(size, 2) if i < len(sizes) // 2 else size for i, size in enumerate(sizes)]
    choices = rng.integers(limits, size=(300, len(sizes)))
    choices[::7] = 0
    expected = _integers(choices.tolist(), sizes)
    numbers = numbering.number(choices)
    assert (numbers.dtype == np.int64) == (numbering.count <= 2**63)
    assert numbering.count == 1 + _integers([[size - 1 for size in sizes]], sizes)[0]
    order = np.argsort(numbers, kind="stable").tolist()
    assert order == sorted(range(300), key=expected.__getitem__)
    _, group = np.unique(numbers, return_inverse=True)
    ranks = {number: i for i, number in enumerate(sorted(set(expected)))}
    assert group.tolist() == [ranks[number] for number in expected]
    np.testing.assert_array_equal(numbering.choices(numbers), choices)
    np.testing.assert_array_equal(numbering.choices(expected), choices)


@pytest.mark.parametrize("sizes", [(3, 2), (3,) * 50])
def test_no_encodings_have_no_numbers(sizes: tuple[int, ...]) -> None:
    numbering = Numbering(sizes)
    numbers = numbering.number(np.zeros((0, len(sizes)), dtype=int))
    assert numbers.shape == (0,)
    assert numbering.choices(numbers).shape == (0, len(sizes))
