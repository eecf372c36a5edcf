"""How long a meta-trained predictor takes to adapt; part of ``scripts/bench``."""

from __future__ import annotations

import time

import numpy as np
import xgboost
from timing import alternate


def adapting() -> dict[str, float]:
    """Fit 50 labels and predict 26,206 architectures, against XGBoost with 200 trees.

    Describing all architectures by structure, which all predictors share, and encoding them, both
    once a process, may take 1 s each; the ratio may be 1 / 3.
    """
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.parallel import one_thread
    from surrogate_nas.predictors.structure.features import StructuralFeatures
    from surrogate_nas.transfer import choose_predictor

    with one_thread():
        task = open_benchmark("nas-bench-graph").task("cora")
        predictor = choose_predictor("meta-gnn", task).make(task.space, 0)
        start = time.perf_counter()
        features = StructuralFeatures.of(task.space).transform(task.choices)
        described = time.perf_counter()
        predictor.predict(task.choices)
        encoded = time.perf_counter()
        rows = np.random.default_rng(0).permutation(len(task))[:50]
        support = task.data(rows)

        def adapt() -> object:
            return predictor.fit(support).predict(task.choices)

        def boost() -> object:
            model = xgboost.XGBRegressor(n_estimators=200, n_jobs=1)
            return model.fit(features[rows], support.values).predict(features)

        ours, baseline = alternate(adapt, boost)
    return {
        "features_seconds": described - start,
        "encoding_seconds": encoded - described,
        "seconds": ours,
        "ratio": ours / baseline,
    }
