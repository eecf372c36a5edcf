from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from surrogate_nas.predictors import lifted as module
from surrogate_nas.predictors.lifted import DistinctRows, lifted, turned

RNG = np.random.default_rng(0)


def test_products_are_scaled_squared_distances() -> None:
    a, b = RNG.normal(size=(7, 3)), RNG.normal(size=(4, 3))
    found = lifted(torch.from_numpy(a)) @ turned(lifted(torch.from_numpy(b)), 0.5, 2.0)
    np.testing.assert_allclose(found.numpy(), 0.5 * cdist(a, b, "sqeuclidean") + 2)


@pytest.mark.parametrize("few", [3, 2_000])
@pytest.mark.parametrize("columns", [(2, 9), (9, 12), (1, 2)])
def test_distinct_rows_know_all_distances(
    few: int, columns: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether families have few distinct rows or many, which fall into parts of any size."""
    monkeypatch.setattr(module, "_FEW", few)
    families = [RNG.integers(0, 3, (300, k)).astype(np.float32) for k in columns]
    distinct = DistinctRows.of(families)
    others = [RNG.normal(size=(5, k)).astype(np.float32) for k in columns]
    towards = [turned(lifted(torch.from_numpy(rows)), 0.5, 1.0) for rows in others]
    products = [rows @ matrix for rows, matrix in zip(distinct.families, towards, strict=True)]
    some = slice(10, 200)
    found = torch.stack(list(distinct.inverse(products)(some))).sum(dim=0).numpy()
    expected = np.sum(
        [
            1 / (1 + 0.5 * cdist(rows[some], other, "sqeuclidean"))
            for rows, other in zip(families, others, strict=True)
        ],
        axis=0,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
