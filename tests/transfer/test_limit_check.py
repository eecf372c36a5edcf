"""Networks that are measured in turn under a limit."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.cli import main
from surrogate_nas.transfer.cost_model import CostModel, open_cost_model
from surrogate_nas.transfer.limit_check import SURE, measured_in_turn
from tests.transfer.test_cost_model import CELLS, LATENCY, NEW, costs, write

TRUE = costs(NEW, 0)


class _Fixed:
    """A model that learns nothing, and notes what it is asked."""

    goal = LATENCY

    def __init__(self, expected: FloatArray) -> None:
        self.expected = expected
        self.asked: list[float] = []

    def bound(self, choices: IntArray, confidence: float) -> FloatArray:
        self.asked.append(confidence)
        return self.expected + confidence

    def with_measured(self, choices: IntArray, measured: FloatArray) -> _Fixed:
        return self


def _row(choices: IntArray) -> float:
    return float(TRUE[(choices == CELLS).all(axis=1)][0])


def test_the_best_that_keeps_the_limit_is_found(tmp_path: Path) -> None:
    others = write(tmp_path / "others.h5", 400, one=(0.1, 0.8, 1.5, 0.1, 0.3))
    model = open_cost_model(write(tmp_path / "ten.h5", 10, new=NEW), others)
    some = np.arange(0, len(CELLS), 7)
    values = np.random.default_rng(0).permutation(len(some)).astype(np.float64)
    limit = float(np.quantile(TRUE, 0.3))
    found = measured_in_turn(model, limit, CELLS[some], values, _row, top=6, confidence=0.3)
    assert len(found) == 6
    assert found == {at: TRUE[some[at]] for at in found}
    holding = [values[at] for at, cost in found.items() if cost <= limit]
    assert max(holding) == values[TRUE[some] <= limit].max()


def test_a_model_learns_from_what_was_measured(tmp_path: Path) -> None:
    model = open_cost_model(write(tmp_path / "ten.h5", 10, new=NEW))
    rows, rest = np.split(np.random.default_rng(1).permutation(600), [150])
    learnt = model.with_measured(CELLS[rows], 2 * TRUE[rows])  # the device has become slower
    before, after = (m.predict(CELLS[rest]).mean for m in (model, learnt))
    assert np.abs(before - TRUE[rest]).mean() < 0.1
    assert np.median(after / before) > 1.6
    again = open_cost_model(str(tmp_path / "ten.h5")).predict(CELLS[rest]).mean
    np.testing.assert_array_equal(before, again)  # the model itself is unchanged


@pytest.mark.parametrize("holds", [False, True])
def test_the_later_the_surer_as_long_as_nothing_keeps_the_limit(holds: bool) -> None:
    model = _Fixed(np.array([1.0, 2.0, 3.0, 4.0]))
    found = measured_in_turn(
        cast("CostModel", model),
        3.0,
        CELLS[:4],
        np.array([1.0, 2.0, 3.0, 4.0]),
        lambda row: 0.0 if holds else 9.0,
        top=3,
        confidence=0.2,
    )
    # The best that is expected to keep it comes first, and nothing is measured twice.
    assert list(found) == [1, 0, 2]
    expected = [0.2, 0.2, 0.2] if holds else [0.2, (0.2 + SURE) / 2, SURE]
    assert model.asked == pytest.approx(expected)


def test_a_failed_measurement_is_none() -> None:
    model = _Fixed(np.array([1.0, 2.0]))
    found = measured_in_turn(
        cast("CostModel", model),
        3.0,
        CELLS[:2],
        np.array([1.0, 2.0]),
        lambda row: None if np.array_equal(row, CELLS[1]) else 2.5,
        top=9,
        confidence=0.3,
    )
    assert found == {0: 2.5}


def test_a_low_confidence_needs_measurements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ten = write(tmp_path / "ten.h5", 10, new=NEW)
    command = ["search", "--benchmark", "cell-bench", "--task", "digits", "--cost-model", ten]
    command += ["--limit", "latency_ms<=9", "--confidence", ".3"]
    assert main(command) == 2
    assert "add --verify K" in capsys.readouterr().err
