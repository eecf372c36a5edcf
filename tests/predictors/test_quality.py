"""How well few labels of a published table predict all the others."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.blend import Blend
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.predictors.forest import Forest
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.spaces.nasbench201 import NASBench201Space


@pytest.fixture(scope="module")
def cifar10() -> TabularTask:
    path = Path(os.environ["SURROGATE_NAS_DATA"]) / "nasbench201.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        header = file.readline().strip().split(",")
        rows = [line.strip().split(",") for line in file]
    space = NASBench201Space()
    choices = np.array([space.parse(row[header.index("arch_str")]).choices for row in rows])
    values = np.array([float(row[header.index("cifar10_val200")] or "nan") for row in rows])
    return TabularTask("cifar10", space, choices, values)


@pytest.mark.data
@pytest.mark.parametrize(
    ("kind", "least"), [(GaussianProcess, 0.8), (Blend, 0.81), (XGBoost, 0.805), (Forest, 0.79)]
)
def test_78_labels_of_nasbench201(
    cifar10: TabularTask, kind: type[Predictor], least: float
) -> None:
    """XGBoost on one-hot encodings has .44."""
    taus, covered = [], []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(cifar10))
        fitted = kind().fit(cifar10.data(order[:78]))
        prediction = fitted.predict(cifar10.choices[order[78:]])
        taus.append(kendall_tau(prediction.mean, cifar10.values[order[78:]]))
        covered.append(coverage_90(prediction, cifar10.values[order[78:]]))
    assert np.mean(taus) > least
    assert 0.84 < np.mean(covered) < 0.97
