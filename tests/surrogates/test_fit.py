import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces import open_space
from surrogate_nas.surrogates.fit import LEAST, FitRows, Fitted, check_rows, fit_model
from surrogate_nas.surrogates.model import Model, SpaceColumns

SPACE = open_space("dense-cell")
COLUMNS = SpaceColumns(SPACE, SPACE.all_choices())
EPOCHS = np.array([1, 2, 4])


def truth(choices: IntArray) -> FloatArray:
    """Values in % after each epoch: (n, epochs)."""
    size = (choices <= 1).sum(axis=1) + 0.5 * (choices[:, -1] == 0)
    return np.asarray(90 - 40 * np.exp(-(0.4 + size)[:, None] * EPOCHS / 4))


def noise(values: FloatArray) -> FloatArray:
    """Large where values are small."""
    return 0.1 + (90 - values) / 40


def rows(n: int, seeds: int) -> FitRows:
    rng = np.random.default_rng(0)
    choices = rng.permutation(SPACE.all_choices())[:n]
    values = truth(choices)[:, None, :]
    cells = values + noise(values) * rng.normal(size=(n, seeds, len(EPOCHS)))
    return FitRows(choices, cells, np.ones(n, np.bool_), "%")


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit_model(rows(150, 3), COLUMNS, goal=True)


def test_values_curves_and_uncertainty_of_the_rest_are_right(fitted: Fitted) -> None:
    known = rows(150, 3)
    every = SPACE.all_choices()
    fresh = ~(every[:, None] == known.choices).all(axis=2).any(axis=1)
    rest = every[fresh]
    said = fitted.model.predict(COLUMNS, rest).values
    assert kendall_tau(said[:, -1], truth(rest)[:, -1]) > 0.85
    for epoch in range(len(EPOCHS)):
        error = np.abs(said[:, epoch] - truth(rest)[:, epoch])
        assert error.mean() < 0.25 * truth(rest)[:, epoch].std()
    # Measured means of three seeds, as the model was fitted to.
    measured = truth(rest)[:, -1]
    measured = measured + noise(measured) / 3**0.5 * np.random.default_rng(1).normal(size=len(rest))
    inside = np.abs(measured - said[:, -1]) < 1.645 * fitted.model.std(COLUMNS, rest, said[:, -1])
    assert 0.82 < inside.mean() < 0.97


def test_noise_is_that_between_seeds_and_depends_on_the_value(fitted: Fitted) -> None:
    for value in (72.0, 86.0):
        found = fitted.model.noise_std(np.array([value]))[0]
        assert found == pytest.approx(noise(np.array([value]))[0], rel=0.5)
    spread = noise(truth(rows(150, 3).choices))
    ratio = np.sqrt((spread**2).mean(axis=0))
    np.testing.assert_allclose(fitted.model.ratio, ratio / ratio[-1], rtol=0.3)


def test_weights_sum_to_one_and_errors_are_of_held_out_rows(fitted: Fitted) -> None:
    assert set(fitted.weights) == {"gp", "xgboost"}
    assert sum(fitted.weights.values()) == pytest.approx(1)
    assert 0.7 < fitted.errors.tau < 1
    assert 0.85 < fitted.errors.coverage < 0.95


def test_arrays_restore_the_model(fitted: Fitted) -> None:
    known, every = rows(150, 3).choices, SPACE.all_choices()
    again = Model.restored(fitted.model.arrays(), COLUMNS, known)
    expected = fitted.model.predict(COLUMNS, every)
    np.testing.assert_array_equal(again.predict(COLUMNS, every).values, expected.values)
    for name, damaged in (
        ("weights", fitted.model.process.weights[:-1]),
        ("relevance", -fitted.model.process.arrays()["relevance"]),
        ("curves", fitted.model.curves[:, :-1]),
        ("spread", np.zeros(0)),
    ):
        with pytest.raises(FormatError):
            Model.restored({**fitted.model.arrays(), name: damaged}, COLUMNS, known)


def test_values_in_percent_stay_between_0_and_100() -> None:
    choices = SPACE.all_choices()[::8]
    cells = np.where(truth(choices) > 85, 100.0, truth(choices))[:, None, :]
    known = FitRows(choices, cells, np.ones(len(choices), np.bool_), "%")
    said = fit_model(known, COLUMNS, goal=True).model.predict(COLUMNS, SPACE.all_choices())
    assert said.values.max() <= 100


def test_costs_are_never_below_all_measured_ones() -> None:
    """Outside of what was measured the models go on, down to negative sizes."""
    choices = SPACE.all_choices()
    size = 10.0 * (choices <= 1).sum(axis=1) + choices.sum(axis=1)
    large = np.flatnonzero(size > np.quantile(size, 0.4))[::3]
    known = FitRows(
        choices[large], size[large, None, None], np.ones(len(large), np.bool_), "parameters"
    )
    said = {
        goal: fit_model(known, COLUMNS, goal=goal).model.predict(COLUMNS, choices).values
        for goal in (False, True)
    }
    least = size[large].min()
    assert said[False].min() == pytest.approx(least, rel=1e-4)
    assert 0 <= said[True].min() < 0.9 * least  # a goal may be better than all measured ones


def test_too_few_rows_and_constant_values_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=f"at least {LEAST} .* got 49; measure 1 more"):
        check_rows(49, np.arange(49.0))
    with pytest.raises(InvalidArgumentError, match="all 60 are 3"):
        check_rows(60, np.full(60, 3.0))
