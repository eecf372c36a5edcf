from __future__ import annotations

import math

import numpy as np
import pytest

from surrogate_nas.benchmarks.importers.decimals import Cells


def test_plain_decimals_are_those_of_python() -> None:
    rng = np.random.default_rng(0)
    texts = ["0", "-0", "-0.0", ".5", "5.", "007", "-00.10", "999999999999999", "0.000000000000001"]
    for digits in range(1, 19):
        for value in rng.uniform(-1, 1, 300) * 10.0 ** rng.integers(-8, 9, 300):
            texts += [f"{value:.{digits}f}", f"{value:.{digits}g}", repr(float(value))]
        for number in rng.integers(0, 10**digits, 100).tolist():
            place = int(rng.integers(digits + 1))
            text = str(number).zfill(digits)
            texts.append(f"{text[:place]}.{text[place:]}")
    found = Cells.of(texts).numbers()
    expected = np.array([float(text) for text in texts])
    np.testing.assert_array_equal(found.view(np.int64), expected.view(np.int64))  # signs of zeros


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN"])
def test_missing(text: str) -> None:
    assert math.isnan(Cells.of(["1", text, "2"]).numbers()[1])


@pytest.mark.parametrize(
    "text",
    ["-", ".", "-.", "--1", "1-", "1.2.3", "1_0", "1,5", "x", "1x", "1 2", "inf", "-inf", "0x1",
     "1e999", "Ã¼", "1/2", "1:2", "9" * 400],
)  # fmt: skip
def test_what_is_no_finite_number(text: str) -> None:
    found = Cells.of(["1.5", text, "-2"]).numbers()
    assert math.isinf(found[1])
    assert found[[0, 2]].tolist() == [1.5, -2]


@pytest.mark.parametrize("text", ["+1.5", "1e3", " 2 ", "-1.5E-3"])
def test_other_ways_to_write_a_number(text: str) -> None:
    assert Cells.of([text]).numbers().tolist() == [float(text)]


def test_no_cells() -> None:
    assert Cells.of([]).numbers().shape == (0,)
    assert Cells.of([""]).texts() == [""]
