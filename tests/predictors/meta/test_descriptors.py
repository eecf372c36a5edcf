"""Numbers that describe tasks: sources count more that are near."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.meta.descriptors import Descriptors
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces.transnas_micro import TransNASMicroSpace

CELLS = TransNASMicroSpace()
CHOICES = CELLS.all_choices()[::8]


def correlation(groups: list[int], within: float = 0.9) -> np.ndarray:
    """Tasks of one group agree, others do not."""
    same = np.equal.outer(groups, groups)
    return np.where(np.eye(len(groups)) > 0, 1.0, np.where(same, within, 0.0))


def sizes(numbers: list[float]) -> Descriptors:
    found = Descriptors.of([{"size": number} for number in numbers])
    assert found is not None
    return found


def test_near_sources_count_more_where_near_sources_agree() -> None:
    described = sizes([1, 1.1, 1.2, 3, 3.1, 3.2])
    weights = described.weights({"size": 1.05}, correlation([0, 0, 0, 1, 1, 1]))
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert (weights[:3] > 1.5).all()
    assert (weights[3:] < 0.5).all()
    other = described.weights({"size": 3.3}, correlation([0, 0, 0, 1, 1, 1]))
    assert other is not None
    assert (other[3:] > 1.5).all()


@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_say_nothing_change_little(seed: int) -> None:
    """Groups do not follow the sizes, so what weights gain is within its error."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation([0, 0, 0, 0, 1, 1, 1, 1]).tolist()
    weights = sizes(list(range(1, 9))).weights({"size": 4.5}, correlation(groups, 0.5))
    assert weights is None or weights.max() < 3


def test_numbers_of_any_size_give_finite_weights() -> None:
    """The largest numbers, and groups that follow the descriptors without any exception."""
    for numbers in ([-1e308, -1e308, -1e308, 1e308, 1e308, 1e308], [1.0, 1.0, 1.0, 9.0, 9.0, 9.0]):
        weights = sizes(numbers).weights({"size": 1e308}, correlation([0, 0, 0, 1, 1, 1]))
        assert weights is not None
        assert (weights > 0).all()
        assert np.isfinite(weights).all()


def test_sources_that_all_agree_count_the_same() -> None:
    assert sizes([1, 2, 3, 4]).weights({"size": 1}, np.ones((4, 4))) is None


def test_magnitudes_are_compared_by_logarithm() -> None:
    """Of 10, 30 and 100,000 the task with 1,000 is as far from 30 as from 30,000."""
    described = sizes([30, 33, 36, 30_000, 33_000, 36_000])
    weights = described.weights({"size": 1_000}, correlation([0, 0, 0, 1, 1, 1]))
    assert weights is not None
    assert weights[:3].sum() == pytest.approx(3, abs=0.6)


def test_a_task_that_is_not_described_in_full_counts_all_sources_the_same() -> None:
    described = Descriptors.of([{"size": i, "classes": 2, "own": 1.0} for i in range(1, 4)])
    assert described is not None
    for task in (None, {}, {"size": 1.0}):
        assert described.weights(task, correlation([0, 0, 1])) is None


def test_only_numbers_that_all_tasks_have_are_used() -> None:
    found = Descriptors.of([{"a": 1, "b": 2}, {"b": 3, "c": 4}, {"b": 5}])
    assert found is not None
    assert found.names == ("b",)
    assert found.values.ravel().tolist() == [2, 3, 5]
    assert Descriptors.of([{"a": 1}, {"a": 2}, None]) is None
    assert Descriptors.of([{"a": 1}, {"a": 2}]) is None  # too few to learn from


def task(seed: int, sign: int, descriptor: Mapping[str, float] | None) -> TaskData:
    """More of each operation is better, or worse."""
    rng = np.random.default_rng(seed)
    values = sign * CHOICES.sum(axis=1) + 0.5 * rng.normal(size=len(CHOICES))
    return TaskData(f"t{seed}", CELLS, CHOICES, values, descriptor=descriptor)


@functools.cache
def learnt() -> MetaGNN:
    signs = (1, 1, 1, -1, -1, -1)
    sources = [task(i, sign, {"size": sign + 3 + i / 20}) for i, sign in enumerate(signs)]
    return MetaGNN(steps=15).meta_fit(sources)


def prior_tau(learner: MetaGNN, new: TaskData) -> float:
    mean = learner.described(new.descriptor).prior(CELLS).predict(CHOICES).mean
    return kendall_tau(mean, new.values)


def test_a_described_task_is_predicted_by_its_like_without_a_label() -> None:
    again = MetaGNN.restored(learnt().tensors(), learnt().settings())
    for sign in (1, -1):
        new = task(9, sign, {"size": sign + 3.0})
        assert prior_tau(learnt(), new) > 0.4
        assert prior_tau(again, new) == prior_tau(learnt(), new)
        assert abs(prior_tau(learnt(), replace(new, descriptor=None))) < 0.3


def test_few_labels_suffice_for_a_described_task() -> None:
    new = task(9, -1, {"size": 2.0})
    support = new.take(np.arange(0, len(new), 128))
    taus = [
        kendall_tau(learnt().adapt(one).predict(CHOICES).mean, new.values)
        for one in (support, replace(support, descriptor=None))
    ]
    assert taus[0] > 0.4
    assert taus[0] >= taus[1] - 0.02


@pytest.mark.parametrize("wrong", [{"size": np.nan}, {"size": "large"}, {3: 1.0}, [1.0]])
def test_descriptors_that_are_no_finite_numbers_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"a descriptor must .*numbers"):
        task(1, 1, wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"a descriptor must .*numbers"):
        learnt().described(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"size": [1.0, 2.0]}, [1.0], {"size": "large"}, {}])
def test_descriptors_that_do_not_fit_the_tasks_are_refused(wrong: object) -> None:
    settings = dict(learnt().settings())
    settings["descriptors"] = wrong
    with pytest.raises((ValueError, TypeError)):
        MetaGNN.restored(learnt().tensors(), settings)
