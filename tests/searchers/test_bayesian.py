from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.registry import PREDICTORS
from surrogate_nas.searchers.acquisition import ACQUISITIONS
from surrogate_nas.searchers.bayesian import BayesianSearch
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, SearchSpace
from tests.searchers.toys import Linear, ToySpace, additive, run

SMALL = ToySpace((5,) * 5)
LARGE = ToySpace((8,) * 6)
PREDICTION = Prediction(np.array([0.2, 1.0, 2.5]), np.array([1.0, 0.3, 0.7]))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> SearchSpace:
    path = tmp_path_factory.mktemp("space") / "chain.toml"
    path.write_text(
        'name = "chain"\ngraph = "chain"\ndecisions = 4\n'
        'options = ["skip", "conv1", "conv3", "avg_pool"]\n'
        '[operations]\nconv1 = { operation = "conv", kernel = 1 }\n'
        'conv3 = { operation = "conv", kernel = 3 }\n'
    )
    return open_space(path)


def test_it_brings_a_gaussian_process(chain: SearchSpace) -> None:
    def function(arch: Architecture) -> float:
        kernel = np.array(arch.choices)
        return float((kernel == 2).sum() + 0.5 * (kernel == 1).sum() - 0.7 * (kernel == 3).sum())

    plain = make_searcher("bayesian", chain, seed=3)
    assert isinstance(plain, BayesianSearch)
    assert isinstance(plain.predictor, GaussianProcess)
    found = run(plain, function, 25, batch=2)
    assert found == run(make_searcher("bayesian+gp", chain, seed=3), function, 25, batch=2)
    assert (2, 2, 2, 2) in {arch.choices for arch in found}


@pytest.mark.parametrize(("acquisition", "trials"), [("ucb", 120), ("ei", 120), ("thompson", 40)])
@pytest.mark.parametrize("space", [SMALL, LARGE])
def test_it_beats_chance(acquisition: str, trials: int, space: ToySpace) -> None:
    gains = []
    for seed in range(3):
        function = additive(space, seed)
        searcher = make_searcher(f"bayesian:{acquisition}", space, seed=seed, predictor=Linear())
        plain = run(make_searcher("random", space, seed=seed), function, trials)
        gains.append(max(map(function, run(searcher, function, 40))) - max(map(function, plain)))
    assert np.median(gains) >= 0


def test_it_learns_from_the_sixth_trial_on_from_each_result() -> None:
    predictor = Linear()
    searcher = BayesianSearch(SMALL, predictor=predictor)
    run(searcher, additive(SMALL, 0), 5)
    assert predictor.fits == 0
    run(searcher, additive(SMALL, 0), 12, batch=4)
    assert predictor.fits == 12


def test_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PREDICTORS, "linear", Linear)
    with pytest.raises(UnknownNameError, match=r"unknown acquisition function 'ucp'.*'ucb'"):
        make_searcher("bayesian:ucp+linear", SMALL, seed=0)
    with pytest.raises(InvalidArgumentError, match="'random' has no variants"):
        make_searcher("random:fast", SMALL, seed=0)


# Acquisition functions ------------------------------------------------------------------------


def value(name: str, exploration: float = 2.0) -> Callable[[float], FloatArray]:
    rng = np.random.default_rng(0)
    return lambda best: ACQUISITIONS[name](PREDICTION, best, exploration, rng)


def improvement(y: float, best: float, mean: float, std: float) -> float:
    return float((y - best) * norm.pdf(y, mean, std))


def test_expected_improvement_is_the_integral() -> None:
    for best in (-1.0, 1.2, 3.0):
        expected = [
            quad(improvement, best, m + 12 * s, args=(best, m, s))[0]
            for m, s in zip(PREDICTION.mean, PREDICTION.std, strict=True)
        ]
        np.testing.assert_allclose(np.exp(value("ei")(best)), expected, rtol=1e-6)


def test_expected_improvement_far_below_the_best_is_still_told_apart() -> None:
    z = np.array([-1e4, -60.0, -40.0, -6.0])
    certain = Prediction(z, np.ones(4), np.ones(4))
    found = ACQUISITIONS["ei"](certain, 0.0, 0.0, np.random.default_rng(0))
    # The first two terms of the expansion of Mills' ratio.
    expected = norm.logpdf(z) - 2 * np.log(-z) + np.log1p(-3 / z**2 + 15 / z**4)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_expected_improvement_disregards_the_noise_of_a_measurement() -> None:
    rng = np.random.default_rng(0)
    told = Prediction(PREDICTION.mean, PREDICTION.std * 9, PREDICTION.std)
    np.testing.assert_array_equal(ACQUISITIONS["ei"](told, 1.2, 0.0, rng), value("ei")(1.2))


def test_upper_bounds_and_samples() -> None:
    np.testing.assert_allclose(value("ucb")(0.0), PREDICTION.mean + 2 * PREDICTION.std)
    draw = value("thompson")
    drawn = np.array([draw(0.0) for _ in range(4_000)])
    np.testing.assert_allclose(drawn.mean(axis=0), PREDICTION.mean, atol=0.06)
    np.testing.assert_allclose(drawn.std(axis=0), PREDICTION.std, rtol=0.05)
