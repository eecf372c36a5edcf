import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.surrogates.trees import Trees

X = np.zeros((3, 2), np.float32)


def fitted() -> tuple[Trees, list[XGBoost], np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] + np.sin(3 * x[:, 1])
    made = [XGBoost(seed=seed, trees=20, members=4).learn(x, y, x) for seed in (0, 1)]
    return Trees.of(made), made, rng.normal(size=(300, 5)).astype(np.float32)


def test_the_arrays_predict_what_xgboost_predicts() -> None:
    trees, made, x = fitted()
    expected = np.mean([one.infer(x).mean for one in made], axis=0)
    np.testing.assert_allclose(trees.predict(x), expected, atol=1e-3)  # leaves are of 16 bits
    again = Trees.restored(trees.arrays(), columns=5)
    np.testing.assert_array_equal(again.predict(x), trees.predict(x))
    alone = [again.predict(row[None])[0] for row in x]  # few rows take another path
    np.testing.assert_allclose(alone, trees.predict(x), rtol=1e-6)
    assert len(trees.predict(x[:0])) == 0


def test_trees_of_one_leaf() -> None:
    made = XGBoost(trees=4, members=2).learn(np.zeros((60, 2), np.float32), np.arange(60.0), X)
    trees = Trees.of([made])
    assert trees.leaf.shape == (4, 1)
    for rows in (X, np.tile(X, (20, 1))):
        np.testing.assert_allclose(trees.predict(rows), made.infer(rows).mean, atol=0.05)


def test_each_row_is_held_out_once() -> None:
    _, (one, _), _ = fitted()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] + np.sin(3 * x[:, 1])
    seen = np.abs(one.infer(x).mean - y).mean()
    assert seen < np.abs(one.held_out - y).mean() < y.std()


@pytest.mark.parametrize("damage", ["column", "value", "leaf", "shape", "width"])
def test_damaged_trees_are_refused(damage: str) -> None:
    arrays = {name: array.copy() for name, array in fitted()[0].arrays().items()}
    if damage == "column":
        arrays["feature"][0, 0] = 5
    elif damage == "value":
        arrays["threshold"][0, 0] = np.nan
    elif damage == "leaf":
        arrays["leaf"][0, 0] = np.inf
    elif damage == "shape":
        arrays["leaf"] = arrays["leaf"][:, :-1]
    else:  # no complete trees
        arrays = {**arrays, "feature": arrays["feature"][:, :5]}
        arrays |= {"threshold": arrays["threshold"][:, :5], "leaf": arrays["leaf"][:, :6]}
    with pytest.raises(FormatError, match="damaged"):
        Trees.restored(arrays, columns=5)
