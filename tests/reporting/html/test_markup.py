"""Elements escape what they are given; scales have round ticks and sensible digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import f_oneway

from surrogate_nas.reporting.digits import digits_of, digits_of_error, number, short
from surrogate_nas.reporting.html.decisions import importance
from surrogate_nas.reporting.html.markup import Html, escape, join, tag
from surrogate_nas.reporting.html.scales import AxisScale
from tests.reporting.html.pages import HOSTILE, Page


def test_text_and_attributes_are_escaped() -> None:
    element = tag("p", HOSTILE, title=HOSTILE, data_tip=HOSTILE, class_="a")
    page = Page(element)
    assert page.tags == ["p"]
    assert page.texts == [HOSTILE]
    assert page.values("title") == page.values("data-tip") == [HOSTILE]


def test_only_html_is_not_escaped_twice() -> None:
    inner = tag("b", "a & b")
    assert tag("p", inner, [inner, None, 3]) == ("<p><b>a &amp; b</b><b>a &amp; b</b>3</p>")
    assert join("<", Html("<br>")) == "&lt;<br>"
    assert tag("input", hidden=True, checked=False, value=None) == "<input hidden>"


def test_what_a_file_cannot_hold_is_replaced() -> None:
    assert escape("a\x00b\x1bc\ud800d") == "a�b�c?d"


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (AxisScale(0, 100), ["0", "20", "40", "60", "80", "100"]),
        (AxisScale(0.71, 0.74), ["0.71", "0.72", "0.73", "0.74"]),
        (AxisScale(0, 3, whole=True), ["0", "1", "2", "3"]),
        (AxisScale(0.01, 100, log=True), ["0.01", "0.1", "1", "10", "100"]),
        (AxisScale(2, 40, log=True), ["2", "5", "10", "20"]),
        (AxisScale(-1, 1), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    ],
)
def test_ticks(scale: AxisScale, labels: list[str]) -> None:
    ticks = scale.ticks(6)
    assert [text for _, text in ticks] == labels
    for at, text in ticks:
        assert at == pytest.approx(scale.at(float(text.replace(",", ""))), abs=1e-9)


def test_scales_hold_all_values() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.normal(size=5) * 10 ** rng.uniform(-6, 6)
        scale = AxisScale.of(values, margin=0.1)
        assert ((scale(values) > 0) & (scale(values) < 1)).all()
        assert 2 <= len(scale.ticks(6)) <= 7
        positive = AxisScale.of(np.abs(values), log=True)
        assert (positive(np.abs(values)) >= -1e-9).all()
        assert len(positive.ticks(6)) >= 1
    assert AxisScale.of([math.nan]).ticks()
    assert AxisScale.of([5.0, 5.0]).at(5.0) == pytest.approx(0.5)


def test_digits_distinguish_values() -> None:
    values = [0.736667, 0.735667, 0.7]
    assert [number(v, digits_of(values)) for v in values] == ["0.7367", "0.7357", "0.7000"]
    assert digits_of([1.0, 2.0, 30.0]) == 0
    assert digits_of_error(0.0123) == 3
    assert number(-1e-9, 2) == "0.00"
    assert (short(1234567.0), short(0.000012), short(None)) == ("1,234,567", "1.20e-05", "–")


def test_importance_is_that_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(1)
    choices = rng.integers(0, [3, 4, 2], size=(120, 3))
    values = choices[:, 0] + 0.3 * choices[:, 1] + rng.normal(size=120)
    found = importance(choices, values, np.ones_like(choices, dtype=bool))
    for decision, share in enumerate(found):
        groups = [values[choices[:, decision] == k] for k in np.unique(choices[:, decision])]
        f, between = f_oneway(*groups).statistic, len(groups) - 1
        within = len(values) - len(groups)
        expected = between * (f - 1) / (between * f + within)
        assert share == pytest.approx(max(0.0, expected))
