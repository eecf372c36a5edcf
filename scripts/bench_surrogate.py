"""How long a surrogate of a large space takes to answer; part of ``scripts/bench``."""

from __future__ import annotations

import numpy as np
import xgboost
from timing import alternate

_QUERIES, _ROWS = 100, 5_000


def surrogate() -> dict[str, float]:
    """One architecture with all metrics, and many at once, each asked for the first time.

    A query may take 1 ms, and a second is to suffice for 50,000. The baseline is a booster of 800
    trees, as one of the two members of such a model, with the same number of columns.
    """
    from surrogate_nas.benchmarks.catalog import open_benchmark
    from surrogate_nas.parallel import one_thread

    with one_thread():
        task = open_benchmark("large-layerwise").task("digits")
        rng = np.random.default_rng(0)
        task.evaluate(task.space.sample(rng))
        task.lookup(task.space.sample_choices(rng, 100))
        x = rng.normal(size=(_ROWS, 400)).astype(np.float32)
        matrix = xgboost.QuantileDMatrix(x, x[:, 0], nthread=1)
        booster = xgboost.train({"max_depth": 6, "nthread": 1}, matrix, 800)

        def one() -> object:
            drawn = task.space.sample_choices(rng, _QUERIES)
            return [task.evaluate(task.space.architecture(row)) for row in drawn]

        def many() -> object:
            return task.lookup(task.space.sample_choices(rng, _ROWS))

        def one_boosted() -> object:
            return [booster.inplace_predict(row[None]) for row in x[:_QUERIES]]

        query, plain = alternate(one, one_boosted)
        batch, boosted = alternate(many, lambda: booster.inplace_predict(x))
    return {
        "query_milliseconds": 1e3 * query / _QUERIES,
        "query_times_a_booster": query / plain,
        "rows_a_second": _ROWS / batch,
        "rows_times_a_booster": batch / boosted,
    }
