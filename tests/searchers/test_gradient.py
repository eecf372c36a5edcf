from __future__ import annotations

from typing import Self

import numpy as np
import pytest
import torch
from torch import Tensor

from surrogate_nas._types import IntArray
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import DifferentiablePredictor, Predictor
from surrogate_nas.searchers.gradient import GradientSearch, ascend
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.random import RandomSearch
from tests.searchers.toys import Linear, ToySpace, additive, run

SPACE = ToySpace((3, 4, 2, 5, 3))
LARGE = ToySpace((8,) * 6)
UNEVEN = ToySpace((8, 3, 9, 8, 2, 8, 7, 6))  # too large to be listed


class Relaxed(Linear):
    """The linear toy, differentiable in the probabilities of the options."""

    relaxed_calls = 0

    def relaxed(self, p: Tensor) -> Tensor:
        self.relaxed_calls += 1
        assert p.shape[1:] == (len(self._sizes), max(self._sizes))
        flat = torch.cat([p[:, i, :n] for i, n in enumerate(self._sizes)], dim=1)
        weights = torch.from_numpy(self._weights).float()
        mean: Tensor = self._mean + self._scale * (flat @ weights)
        return mean


class Pairs(Predictor):
    """A sum over pairs of neighbouring decisions, whose relaxation has local optima."""

    def __init__(self, space: ToySpace) -> None:
        rng = np.random.default_rng(0)
        largest = max(space.sizes)
        self.effects = rng.normal(size=(len(space.sizes) - 1, largest, largest))

    def fit(self, data: TaskData) -> Self:
        return self

    def predict(self, choices: IntArray) -> Prediction:
        places = np.arange(len(self.effects))
        mean = self.effects[places, choices[:, :-1], choices[:, 1:]].sum(axis=1)
        return Prediction(mean, np.ones(len(mean)))

    def relaxed(self, p: Tensor) -> Tensor:
        effects = torch.from_numpy(self.effects).float()
        return torch.einsum("nda,ndb,dab->n", p[:, :-1], p[:, 1:], effects)


def fitted(space: ToySpace) -> Relaxed:
    choices = space.sample_choices(np.random.default_rng(0), 300)
    function = additive(space, 2, pairs=0)
    values = np.array([function(space.architecture(row)) for row in choices])
    return Relaxed().fit(TaskData("t", space, choices, values))


def test_a_relaxed_prediction_is_the_mean_at_the_corners() -> None:
    predictor = fitted(UNEVEN)
    assert isinstance(predictor, DifferentiablePredictor)
    assert not isinstance(Linear(), DifferentiablePredictor)
    choices = UNEVEN.sample_choices(np.random.default_rng(1), 50)
    corners = torch.zeros((50, 8, 9))
    corners.scatter_(2, torch.from_numpy(choices.astype(np.int64))[..., None], 1.0)
    expected = predictor.predict(choices).mean
    np.testing.assert_allclose(predictor.relaxed(corners), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gumbel", [False, True])
def test_an_ascent_finds_the_optimum(gumbel: bool) -> None:
    predictor = fitted(UNEVEN)
    weights = np.split(predictor._weights, np.cumsum(UNEVEN.sizes)[:-1])
    optimum = tuple(int(part.argmax()) for part in weights)
    rng = np.random.default_rng(3)
    options = np.arange(9) < np.array(UNEVEN.sizes)[:, None]
    start = rng.normal(size=(4, 8, 9))
    found = ascend(predictor.relaxed, start, options, 100, rng if gumbel else None)
    assert UNEVEN.valid(found).all()
    assert optimum in {tuple(row) for row in found.tolist()}
    assert (found < np.array(UNEVEN.sizes)).all()


@pytest.mark.parametrize("relaxation", ["softmax", "gumbel"])
def test_restarts_escape_local_optima(relaxation: str) -> None:
    predictor = Pairs(LARGE)
    best = predictor.effects[0]
    for effect in predictor.effects[1:]:  # dynamic programming over the chain
        best = best.max(axis=0)[:, None] + effect
    searcher = GradientSearch(LARGE, seed=1, relaxation=relaxation, restarts=64)
    found = searcher.visit(PredictedObjective(LARGE, predictor), 400)
    chance = LARGE.sample_choices(np.random.default_rng(0), len(found))
    assert predictor.predict(found).mean.max() > 0.85 * best.max()
    assert predictor.predict(found).mean.max() > predictor.predict(chance).mean.max()


@pytest.mark.parametrize("relaxation", ["softmax", "gumbel", "score"])
def test_guided_by_gradients_or_by_scores(relaxation: str) -> None:
    function = additive(LARGE, 5)
    predictor = Relaxed()
    inner = GradientSearch(LARGE, seed=0, relaxation=relaxation)
    values = list(map(function, run(Guided(inner, predictor, seed=0), function, 60)))
    chance = max(map(function, run(RandomSearch(LARGE, seed=0), function, 600)))
    assert max(values) > chance
    assert (predictor.relaxed_calls > 0) == (relaxation != "score")


def test_a_visit_leaves_no_trace() -> None:
    function = additive(LARGE, 5)
    used, unused = (GradientSearch(LARGE, seed=4) for _ in range(2))
    for searcher in (used, unused):
        run(searcher, function, 30)
    used.visit(PredictedObjective(LARGE, fitted(LARGE)), 100)
    assert run(used, function, 20) == run(unused, function, 20)


def test_the_distribution_stays_one_and_moves_uphill() -> None:
    function = additive(SPACE, 1, pairs=0)
    effects = [
        [function(SPACE.architecture(np.array([1 if j != i else k for j in range(5)])))
         for k in range(n)]
        for i, n in enumerate(SPACE.sizes)
    ]  # fmt: skip
    searcher = GradientSearch(SPACE, seed=0)
    for _ in range(20):
        run(searcher, function, 5)
        p = searcher.probabilities
        np.testing.assert_allclose(p.sum(axis=1), 1)
        for row, size in zip(p, SPACE.sizes, strict=True):
            assert (row[:size] > 0).all()
            assert (row[size:] == 0).all()
    assert [int(i) for i in p.argmax(axis=1)] == [int(np.argmax(e)) for e in effects]
    assert p.max(axis=1).mean() > 0.8


def test_a_step_is_the_natural_gradient_of_the_expected_reward() -> None:
    """Against inverse Fisher information times the gradient of the log-probability."""
    space = ToySpace((4, 3))
    searcher = GradientSearch(space, seed=0, rate=0.01)
    p = np.array([[0.4, 0.3, 0.2, 0.1], [0.5, 0.25, 0.25, 0.0]])
    searcher._p = p.copy()
    choices = np.array([[0, 2], [3, 1], [1, 0]])
    rewards = np.array([0.7, -0.4, 0.1])
    searcher._improve(choices, rewards)
    for i, size in enumerate(space.sizes):
        free = size - 1  # the last probability follows from the others
        q = p[i, :free]
        fisher = np.diag(1 / q) + 1 / p[i, free]
        slope = np.zeros(free)
        for c, reward in zip(choices[:, i], rewards, strict=True):
            score = np.full(free, -1 / p[i, free]) if c == free else np.eye(free)[c] / q[c]
            slope += reward * score / len(rewards)
        expected = q + 0.01 * np.linalg.solve(fisher, slope)
        np.testing.assert_allclose(searcher.probabilities[i, :free], expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["restarts", "rate", "batch"])
def test_bad_settings(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{name} must be .*got 0"):
        GradientSearch(SPACE, **{name: 0})  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown relaxation 'gumble'; did you mean"):
        GradientSearch(SPACE, relaxation="gumble")


def test_a_guide_without_gradients_has_those_of_the_process_on_decisions() -> None:
    asked: list[PredictedObjective] = []

    class Spy(GradientSearch):
        def visit(self, objective: PredictedObjective, steps: int) -> IntArray:
            asked.append(objective)
            return super().visit(objective, steps)

    run(Guided(Spy(UNEVEN, seed=0), Linear(), seed=0), additive(UNEVEN, 5), 20)
    relaxed = asked[-1].relaxed
    assert relaxed is not None
    p = torch.full((1, 8, 9), 1 / 9)
    assert torch.isfinite(relaxed(p)).all()
    asked.clear()
    inner = Spy(SPACE, seed=0)
    run(Guided(inner, Linear(), candidates="visited"), additive(SPACE, 5), 30)
    assert all(objective.relaxed is None for objective in asked)
