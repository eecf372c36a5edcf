"""Kinds of decisions: their options, and the scale on which ordered ones lie."""

import math
from collections import Counter

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.spaces.decisions import Decision, Scale, option_name


def test_integers_are_all_or_in_steps_or_levels() -> None:
    assert Decision.integer("n", 2, 5).options == ("2", "3", "4", "5")
    assert Decision.integer("n", 2, 9, step=3).options == ("2", "5", "8")
    assert Decision.integer("n", 0, 100, levels=5).options == ("0", "25", "50", "75", "100")
    assert Decision.integer("n", 16, 256, levels=5, log=True).options == (
        "16", "32", "64", "128", "256",
    )  # fmt: skip
    assert Decision.integer("n", 1, 3, levels=9).options == ("1", "2", "3")  # no number twice
    assert Decision.integer("n", 2, 5).values == (2, 3, 4, 5)


def test_reals_are_a_grid_of_short_numbers() -> None:
    assert Decision.real("x", 0, 0.5, step=0.1).options == ("0", "0.1", "0.2", "0.3", "0.4", "0.5")
    assert Decision.real("x", 0, 1).options == tuple(option_name(i / 10) for i in range(11))
    lr = Decision.real("x", 1e-4, 1e-1, log=True, levels=4)
    assert lr.options == ("0.0001", "0.001", "0.01", "0.1")
    assert Decision.real("x", 0.123456, 0.2).options[0] == "0.123456"


@pytest.mark.parametrize("log", [False, True])
def test_equal_steps_of_values_mean_equally_much(log: bool) -> None:
    for levels in (2, 3, 17, 10_000):
        decision = Decision.real("x", 0.003, 7, log=log, levels=levels)
        assert decision.values is not None
        assert len(set(decision.options)) == levels
        steps = np.diff(decision.values)
        assert steps.max() / steps.min() < 1.05
        numbers = [math.exp(v) if log else v for v in decision.values]
        np.testing.assert_allclose([float(x) for x in decision.options], numbers, rtol=1e-12)


def test_numbers_booleans_and_orders() -> None:
    numbers = Decision.numbers("layers", [2, 4.0, 0.5])
    assert (numbers.options, numbers.kind, numbers.values) == (
        ("2", "4", "0.5"),
        "number",
        (2, 4, 0.5),
    )
    assert Decision.boolean("b").options == ("false", "true")
    assert Decision.ordinal("size", ["s", "m"]).kind == "ordinal"
    conditional = Decision.categorical("c", ["a"], when={"layers": [2, 4.0], "b": [True]})
    assert conditional.when == (("layers", ("2", "4")), ("b", ("true",)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Decision.integer("n", 5, 2), "'n': the range must go from less to more"),
        (lambda: Decision.integer("n", 0, 9, log=True), "log must be above 0, got"),
        (lambda: Decision.integer("n", 0.5, 9), "must be whole numbers"),  # type: ignore[arg-type]
        (lambda: Decision.integer("n", 1, 10**9), "1000000000 options are too many"),
        (lambda: Decision.integer("n", 1, 10**9, levels=10**8), "options are too many"),
        (lambda: Decision.real("n", 0, math.inf), "must be finite"),
        (lambda: Decision.real("n", 0, 1, step=0), "step must be above 0"),
        (lambda: Decision.real("n", 0, 1, step=1e-9), "options are too many"),
        (lambda: Decision.real("n", 0, 1, step=0.1, levels=3), "neither levels nor|goes with"),
        (lambda: Decision.real("n", 0, 1, levels=1), "levels must be at least 2"),
        (lambda: Decision.numbers("n", [1, math.nan]), "must be finite numbers"),
        (lambda: Decision.numbers("n", [1, 0], log=True), "above 0 with log"),
        (lambda: Decision.categorical("n", []), "needs at least one option"),
        (lambda: Decision("n", ("a",), "real"), "kind must be one of"),  # type: ignore[arg-type]
        (lambda: Decision("n", ("a",), "number"), "values must be a number for each"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidArgumentError, match=message):
        make()


def test_moves_are_likelier_the_nearer() -> None:
    """The probabilities are 1 / distance; the order is that of the values, not of the options."""
    scale = Scale(Decision.numbers("n", [8, 1, 2, 4, 16]))  # 1 2 4 8 16 is 1 2 3 0 4
    n = 40_000
    draws = (np.arange(n) + 0.5) / n
    found = Counter(scale.move(2, u) for u in draws.tolist())
    weights = {1: 1.0, 3: 1.0, 0: 1 / 2, 4: 1 / 3}
    assert found.keys() == weights.keys()
    for option, weight in weights.items():
        assert found[option] / n == pytest.approx(weight / sum(weights.values()), abs=1e-3)
    ends = {scale.move(option, u) for option in (1, 4) for u in (0.0, np.nextafter(1, 0))}
    assert ends == {2, 4, 0, 1}


def test_neighbours_are_all_of_few_options_and_the_near_of_many() -> None:
    assert Scale(Decision.integer("n", 0, 3)).near().tolist() == [
        [0, 1, 0, 2, 0, 3],
        [0, 2, 1, 3, 1, 1],
        [1, 3, 0, 2, 2, 2],
        [2, 3, 1, 3, 0, 3],
    ]
    near = Scale(Decision.integer("n", 0, 99)).near()
    assert set(near[50].tolist()) == {50 + sign * 2**i for i in range(6) for sign in (1, -1)} | {
        50,
        82,
        18,
    }
    assert near[0].tolist()[:6] == [0, 1, 0, 2, 0, 4]
