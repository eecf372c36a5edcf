"""A meta-learner that predicts each task of a weighted mean."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.base import Adapted
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.predictors.meta.several_tasks import SeveralTasks
from surrogate_nas.predictors.metrics import spearman
from surrogate_nas.spaces import open_space

SPACE = open_space("transnas-macro")
POOL = SPACE.all_choices()
_WIDTHS = POOL.sum(axis=1).astype(np.float64)
_FIRST = (POOL == 1).sum(axis=1).astype(np.float64)
SOURCES = [
    TaskData("wide", SPACE, POOL[::7], _WIDTHS[::7]),
    TaskData("first", SPACE, POOL[::5], _FIRST[::5]),
]
LEARNER = TransferRidge().meta_fit(SOURCES)
SUPPORT = np.arange(3, len(POOL), 300)


def _data(weights: tuple[float, float]) -> TaskData:
    """A few rows of the weighted mean of two tasks, each of which is like one source."""
    parts = np.stack([_WIDTHS * 2 + 5, _FIRST * 10], axis=1)[SUPPORT]
    return TaskData("mean", SPACE, POOL[SUPPORT], parts @ np.array(weights), parts=parts)


def _several(*weights: float) -> SeveralTasks:
    return SeveralTasks(LEARNER, SPACE, ("a:accuracy", "b:accuracy"), weights)


@pytest.mark.parametrize("weights", [(0.7, 0.3), (1.0, 0.0), (0.5, -0.5)])
def test_the_mean_is_the_sum_of_what_is_predicted_of_each_task(
    weights: tuple[float, float],
) -> None:
    data = _data(weights)
    assert data.parts is not None
    found = _several(*weights).fit(data).predict(POOL)
    total: FloatArray = np.zeros(len(POOL))
    for weight, values in zip(weights, data.parts.T, strict=True):
        sign = -1.0 if weight < 0 else 1.0
        alone = Adapted(LEARNER, SPACE).fit(replace(data, values=sign * values, parts=None))
        total += abs(weight) * alone.predict(POOL).mean
    # Inside and beyond the known sums alike, as the values are the sums themselves.
    np.testing.assert_allclose(found.mean, total, rtol=1e-6, atol=1e-6)
    assert found.epistemic is not None
    assert (found.std >= found.epistemic).all()


def test_values_in_another_scale_keep_the_order() -> None:
    data = _data((0.7, 0.3))
    plain = _several(0.7, 0.3).fit(data).predict(POOL)
    scaled = _several(0.7, 0.3).fit(replace(data, values=np.exp(data.values / 10))).predict(POOL)
    assert spearman(plain.mean, scaled.mean) == pytest.approx(1.0)


def test_rows_without_values_of_the_tasks_count_as_predicted() -> None:
    data = _data((0.7, 0.3))
    assert data.parts is not None
    parts = data.parts.copy()
    parts[-2:] = np.nan
    known = _several(0.7, 0.3).fit(data.take(np.arange(len(SUPPORT) - 2)))
    both = _several(0.7, 0.3).fit(replace(data, parts=parts))
    pending = data.choices[-2:]
    assert np.isfinite(both.predict(POOL).mean).all()
    np.testing.assert_allclose(
        both.predict(pending).mean, known.predict(pending).mean, rtol=0.1, atol=0.5
    )
    with pytest.raises(InvalidArgumentError, match=r"a column for each of the 2 tasks, got 1"):
        _several(0.7, 0.3).fit(replace(data, parts=parts[:, :1]))


def test_without_values_of_the_tasks_the_mean_is_a_task() -> None:
    data = replace(_data((0.7, 0.3)), parts=None)
    alone = Adapted(LEARNER, SPACE).fit(data).predict(POOL)
    np.testing.assert_array_equal(_several(0.7, 0.3).fit(data).predict(POOL).mean, alone.mean)
    untold = _several(0.7, 0.3)
    prior = Adapted(LEARNER, SPACE).predict(POOL)
    np.testing.assert_array_equal(untold.predict(POOL).mean, prior.mean)


def test_a_copy_is_independent_and_an_update_adds_rows() -> None:
    data = _data((0.7, 0.3))
    one = _several(0.7, 0.3).fit(data.take(np.arange(5)))
    before = one.predict(POOL).mean
    other = copy.copy(one).update(data)
    np.testing.assert_array_equal(one.predict(POOL).mean, before)
    anew = _several(0.7, 0.3).fit(data)
    assert spearman(other.predict(POOL).mean, anew.predict(POOL).mean) > 0.95
