import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.predictors.boosting import XGBoost
from surrogate_nas.surrogates.trees import Trees


def fitted() -> tuple[Trees, list[XGBoost], np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] + np.sin(3 * x[:, 1])
    made = [XGBoost(seed=seed, trees=20, members=4).learn(x, y, x) for seed in (0, 1)]
    return Trees.of(made), made, rng.normal(size=(300, 5)).astype(np.float32)


def test_the_arrays_predict_what_xgboost_predicts() -> None:
    trees, made, x = fitted()
    expected = np.mean([one.infer(x).mean for one in made], axis=0)
    np.testing.assert_allclose(trees.predict(x), expected, rtol=1e-5)
    again = Trees.restored(trees.arrays(), columns=5)
    np.testing.assert_array_equal(again.predict(x), trees.predict(x))
    assert len(trees.predict(x[:0])) == 0


def test_each_row_is_held_out_once() -> None:
    _, (one, _), _ = fitted()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] + np.sin(3 * x[:, 1])
    seen = np.abs(one.infer(x).mean - y).mean()
    assert seen < np.abs(one.held_out - y).mean() < y.std()


@pytest.mark.parametrize("damage", ["loop", "child", "column", "value", "shape"])
def test_damaged_trees_are_refused(damage: str) -> None:
    arrays = {name: array.copy() for name, array in fitted()[0].arrays().items()}
    if damage == "loop":  # a child that leads back would never end
        arrays["left"][0, 1] = arrays["right"][0, 1] = 0
    elif damage == "child":
        arrays["right"][0, 0] = 60_000
    elif damage == "column":
        arrays["feature"][0, 0] = 5
    elif damage == "value":
        arrays["threshold"][0, 0] = np.nan
    else:
        arrays["left"] = arrays["left"][:, :-1]
    with pytest.raises(FormatError, match="damaged"):
        Trees.restored(arrays, columns=5)
