from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.meta.cost import MetaCost
from surrogate_nas.predictors.meta.cost_columns import CostColumns, leads_to_output
from surrogate_nas.predictors.meta.cost_regression import (
    _OFFSET,
    _SLOPE,
    CostMixture,
    Smoother,
    _conditioned,
    _Guess,
)
from surrogate_nas.predictors.metrics import spearman
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.nats_size import NATSSizeSpace
from surrogate_nas.spaces.operations import OPERATIONS

SPACE = NASBench201Space()
CELLS = SPACE.unique()
VALIDATION = ("titanx_256", "gold_6240")
TRAINING = (
    *("1080ti_1", "1080ti_32", "1080ti_256", "silver_4114", "silver_4210r", "samsung_a50"),
    *("pixel3", "essential_ph_1", "samsung_s7"),
)


def device(
    costs: tuple[float, ...], *, seed: int = 0, noise: float = 0.02, rows: IntArray = CELLS
) -> TaskData:
    """A device that needs so many milliseconds for each operation, with relative noise."""
    clean = 2 + np.array(costs)[rows].sum(axis=1)
    wrong = 1 + noise * np.random.default_rng(seed).normal(size=len(rows))
    return TaskData(f"device{seed}", SPACE, rows, -clean * wrong)


SOURCES = [device((0, 0.1, 1, 3, 0.8), seed=1), device((0, 0.3, 2, 2.5, 0.2), seed=2)]


def ten(seed: int) -> IntArray:
    return np.random.default_rng(seed).choice(len(CELLS), 10, replace=False)


def test_ten_networks_rank_all_others_on_a_new_device() -> None:
    new = device((0, 0.2, 1.2, 4, 2.0), seed=3)
    learner = MetaCost().meta_fit(SOURCES)
    ranked = [
        spearman(learner.adapt(new.take(ten(seed))).predict(CELLS).mean, new.values)
        for seed in range(3)
    ]
    assert np.mean(ranked) > 0.97
    assert spearman(learner.prior(SPACE).predict(CELLS).mean, new.values) > 0.85


def test_sources_need_not_have_measured_the_same_architectures() -> None:
    order = np.random.default_rng(5).permutation(len(CELLS))
    half, other = CELLS[np.sort(order[:600])], CELLS[np.sort(order[600:1_100])]
    sources = [
        device((0, 0.1, 1, 3, 0.8), seed=1, rows=half),
        device((0, 0.3, 2, 2.5, 0.2), seed=2, rows=other),
    ]
    learner, new = MetaCost().meta_fit(sources), device((0, 0.2, 1.4, 2.8, 0.5), seed=3)
    prediction = learner.adapt(new.take(ten(0))).predict(CELLS)
    assert spearman(prediction.mean, new.values) > 0.97


def test_one_wrong_measurement_among_ten_does_little_harm() -> None:
    new, learner = device((0, 0.12, 1.1, 3, 0.8), seed=3), MetaCost().meta_fit(SOURCES)
    for seed in range(2):
        support = new.take(ten(seed))
        support.values[3] *= 4
        assert spearman(learner.adapt(support).predict(CELLS).mean, new.values) > 0.96


def test_operations_that_lead_nowhere_are_counted_apart() -> None:
    cell = SPACE.parse("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    graphs = SPACE.graphs(np.array([cell.choices]))
    leads = leads_to_output(graphs)
    computing = {OPERATIONS[op]: bool(led) for op, led in zip(graphs.op, leads, strict=True)}
    assert not computing["conv"]
    assert computing["skip"]
    columns = CostColumns.of(SPACE)
    assert set(columns.groups.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(columns.rows.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(columns(CELLS[5:9].copy()), columns.rows[5:9])


def test_other_spaces_are_refused() -> None:
    learner = MetaCost().meta_fit(SOURCES)
    with pytest.raises(InvalidArgumentError, match="take gp, or sources of this space"):
        learner.prior(NATSSizeSpace())
    choices = NATSSizeSpace().all_choices()[:5]
    with pytest.raises(InvalidArgumentError, match="one space, got 2"):
        MetaCost().meta_fit(
            [*SOURCES, TaskData("widths", NATSSizeSpace(), choices, np.arange(5.0))]
        )


def test_the_smoother_is_the_best_of_some_ridge_regressions() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    linear = x @ np.array([1.0, -2, 0.5, 0]) + 3 + 0.3 * rng.normal(size=300)
    product = x[:, 0] * x[:, 1] + 0.1 * rng.normal(size=300)
    found = Smoother(x, np.stack([linear, product], axis=1))(x)
    expected = Ridge(1e-3).fit(x, linear).predict(x)
    np.testing.assert_allclose(found[:, 0], expected, atol=0.05)
    assert np.corrcoef(found[:, 1], x[:, 0] * x[:, 1])[0, 1] > 0.95


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_hypothesis_is_conditioned_as_a_gaussian_process(wrong: int) -> None:
    rng = np.random.default_rng(1)
    expected, x, y = rng.normal(size=(7, 2)), rng.normal(size=(7, 3)), rng.normal(size=7)
    guess = _Guess(source=1, together=0.3, noise=0.2, wrong=wrong)
    coefficients, factor, _ = _conditioned(guess, expected, x, y)
    mean = expected[:, 1]

    def kernel(a: slice, b: slice) -> FloatArray:
        slopes = np.outer(mean[a], mean[b]) * _SLOPE**2
        return np.asarray(_OFFSET**2 + slopes + 0.3**2 * x[a] @ x[b].T)

    every = slice(None)
    inverse = np.linalg.inv(kernel(every, every) + np.diag(guess.noises(7)))
    rows = np.concatenate([np.ones((7, 1)), expected, x], axis=1)
    posterior = mean + kernel(every, every) @ inverse @ (y - mean)
    np.testing.assert_allclose(rows @ coefficients, posterior, atol=1e-9)
    variance = np.diag(kernel(every, every) - kernel(every, every) @ inverse @ kernel(every, every))
    seen = np.concatenate([np.ones((7, 1)), mean[:, None], x], axis=1) @ factor
    ratio = (seen**2).sum(axis=1) / variance  # of the common scale
    np.testing.assert_allclose(ratio, ratio[0])


def test_many_labels_take_no_longer_than_they_must() -> None:
    rng = np.random.default_rng(2)
    expected, x = rng.normal(size=(2_000, 2)), rng.normal(size=(2_000, 5))
    y = expected[:, 0] + x @ np.array([0.3, 0, 0, 0, 0]) + 0.05 * rng.normal(size=2_000)
    mean, variance = CostMixture.of(expected, x, y).predict(expected, x)
    np.testing.assert_allclose(mean, expected[:, 0] + 0.3 * x[:, 0], atol=0.05)
    assert np.sqrt(variance).max() < 0.05


@pytest.mark.data
def test_devices_of_nasbench201() -> None:
    file = Path(os.environ["SURROGATE_NAS_DATA"]) / "nasbench201_devices.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    choices, _ = SPACE.parse_all([row["arch_str"] for row in rows])

    def measured(name: str) -> TaskData:
        return TaskData(name, SPACE, choices, -np.array([float(row[name]) for row in rows]))

    learner = MetaCost().meta_fit([measured(name) for name in TRAINING])
    for name in VALIDATION:
        task = measured(name)
        found = [
            spearman(
                learner.adapt(task.take(ten(seed))).predict(choices).mean,
                task.values,
            )
            for seed in range(2)
        ]
        assert np.mean(found) > 0.94, name
