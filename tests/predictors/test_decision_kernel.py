from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.decision_kernel import DecisionHyperparameters, DecisionKernel
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.kernels import FamilyKernel, negative_log_posterior
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.predictors.structure.decision_columns import DecisionColumns
from surrogate_nas.spaces.base import Decision
from surrogate_nas.spaces.custom import CustomSpace, define_space

RNG = np.random.default_rng(0)
SPACE = define_space(
    "kinds",
    [
        Decision("colour", ("red", "green", "blue")),
        Decision("size", ("1", "2", "4"), kind="number", values=(1.0, 2.0, 4.0)),
        Decision("grade", ("low", "high"), kind="ordinal"),
    ],
)
CHOICES = SPACE.sample_choices(RNG, 12)
REST = RNG.normal(size=(12, 4))


def example() -> tuple[DecisionKernel, np.ndarray, np.ndarray]:
    states = DecisionColumns.of(SPACE).states
    assert states is not None
    rest = FamilyKernel(np.array([0, 0, 1, 1]), decisions=(1,))
    kernel = DecisionKernel(rest, states)
    theta = kernel.prior_mean + 0.4 * kernel.prior_std * RNG.normal(size=len(kernel.prior_mean))
    return kernel, theta, np.concatenate([REST, states(CHOICES)], axis=1)


def test_kernel_is_its_formula_and_likelihood_that_of_scipy() -> None:
    kernel, theta, x = example()
    hyper = kernel.unpack(theta)
    losses = 1 / (1 + np.exp(-theta[:3]))
    options = np.split(np.exp(theta[3:14]), [4, 8])  # each decision has a state more: inactive
    slopes, variance = np.exp(theta[14:16]), math.exp(2 * theta[16])
    # Standardised over the space, in which all options are as frequent.
    numbers = [None, (np.array([1.0, 2.0, 4.0]) - 7 / 3) / np.std([1.0, 2.0, 4.0]), [-1.0, 1.0]]
    expected = np.empty((12, 12))
    for i, a in enumerate(CHOICES):
        for j, b in enumerate(CHOICES):
            product = variance
            for d, number in enumerate(numbers):
                far = (a[d] != b[d]) * (options[d][a[d]] + options[d][b[d]])
                if number is not None:
                    far += slopes[d - 1] * (number[a[d]] - number[b[d]]) ** 2
                product *= 1 - losses[d] * (1 - math.exp(-far))
            expected[i, j] = product
    rest = FamilyKernel(np.array([0, 0, 1, 1]), decisions=(1,))
    expected += rest(REST, REST, hyper.rest)
    np.testing.assert_allclose(kernel(x, x, hyper), expected, rtol=1e-9)
    np.testing.assert_allclose(kernel.diagonal(x, hyper), np.diag(expected), rtol=1e-9)

    y = RNG.normal(size=12)
    covariance = expected + hyper.noise * np.eye(12)
    likelihood = multivariate_normal(np.zeros(12), covariance).logpdf(y)
    z = (theta - kernel.prior_mean) / kernel.prior_std
    constant = 6 * np.log(2 * np.pi)
    value, gradient = negative_log_posterior(kernel, theta, x, y)
    assert value == pytest.approx(-likelihood - constant + 0.5 * z @ z, rel=1e-8)
    numeric = approx_fprime(theta, lambda t: negative_log_posterior(kernel, t, x, y)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)


def test_hyperparameters_are_restored_and_others_refused() -> None:
    kernel, theta, x = example()
    hyper = kernel.unpack(theta)
    arrays = kernel.arrays(hyper)
    restored = kernel.restored(arrays)
    assert isinstance(restored, DecisionHyperparameters)
    np.testing.assert_array_equal(kernel(x, x, restored), kernel(x, x, hyper))
    for name, bad in (
        ("decisions", arrays["decisions"][1:]),
        ("decisions", arrays["decisions"] + 1.0),  # a factor above 1
        ("decisions", arrays["decisions"] * np.nan),
        ("product", np.zeros(2)),
        ("parts", -arrays["parts"]),
    ):
        assert kernel.restored(arrays | {name: bad}) is None
    assert kernel.restored({k: v for k, v in arrays.items() if k != "decisions"}) is None


def test_levels_of_a_long_range_are_merged_and_stay_in_order() -> None:
    values = tuple(float(v) for v in range(1, 101))
    space = define_space(
        "range", [Decision("n", tuple(map(str, range(1, 101))), kind="number", values=values)]
    )
    states = DecisionColumns.of(space).states
    assert states is not None
    known = states.values[0]
    assert known is not None
    found = states(np.arange(100)[:, None])[:, 0]
    assert (np.diff(found) >= 0).all()
    assert len(np.unique(found)) == len(known) - 1 == 32
    standardised = (np.array(values) - np.mean(values)) / np.std(values)
    assert np.abs(known[found] - standardised).max() < 0.06


def _chain(operations: list[str]) -> CustomSpace:
    nodes = "".join(
        f'[[nodes]]\nname = "n{d}"\noperation = ["a{d}", "b{d}", "c{d}", "e{d}"]\n'
        for d in range(5)
    )
    names = [f"{option}{d}" for d in range(5) for option in "abce"]
    known = "".join(f"{n} = {o}\n" for n, o in zip(names, operations, strict=True))
    return CustomSpace(f'name = "chain"\ngraph = "chain"\n{nodes}[operations]\n{known}')


def test_operations_that_say_nothing_cost_little() -> None:
    known = [
        '{ operation = "conv", kernel = 3 }',
        '{ operation = "conv", kernel = 5 }',
        '{ operation = "max_pool", kernel = 3 }',
        '{ operation = "skip" }',
        '{ operation = "separable_conv", kernel = 3 }',
    ]
    lost = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        effects, pairs = rng.normal(size=(5, 4)), rng.normal(size=(4, 4))
        operations = [known[i] for i in rng.integers(len(known), size=20)]
        taus = []
        for space in (_chain(['{ operation = "unknown" }'] * 20), _chain(operations)):
            choices = space.sample_choices(np.random.default_rng(seed), 400)
            values = effects[np.arange(5), choices].sum(axis=1)
            values += pairs[choices[:, 0], choices[:, 1]] + pairs[choices[:, 2], choices[:, 3]]
            process = GaussianProcess().fit(TaskData("t", space, choices[:50], values[:50]))
            taus.append(kendall_tau(process.predict(choices[50:]).mean, values[50:]))
        lost.append(taus[0] - taus[1])
    assert abs(np.mean(lost)) < 0.02
