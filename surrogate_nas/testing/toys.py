"""A small space, a cheap predictor and a simple search loop, for tests of searchers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from surrogate_nas._types import BoolArray, FloatArray, IntArray
from surrogate_nas.evaluation import Evaluation, Prediction, Proposal, TaskData, Trial
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.searchers.base import Searcher
from surrogate_nas.spaces.base import Architecture, Decision, Isomorphs, SearchSpace
from surrogate_nas.spaces.graphs import ArchGraphs


class ToySpace(SearchSpace):
    """A space of any sizes: all zeros is invalid, and merged ignores the order of choices."""

    def __init__(self, sizes: tuple[int, ...], isomorphs: Isomorphs = "separate") -> None:
        self.name = "toy"
        self.decisions = tuple(
            Decision(f"d{i}", tuple(map(str, range(n)))) for i, n in enumerate(sizes)
        )
        self.isomorphs = isomorphs

    def valid(self, choices: IntArray) -> BoolArray:
        """All encodings but zeros are valid."""
        return np.asarray(np.asarray(choices).any(axis=1))

    def canonicalise(self, choices: IntArray) -> IntArray:
        """Sorted."""
        return np.sort(np.asarray(choices), axis=1)

    def graphs(self, choices: IntArray) -> ArchGraphs:
        """Refuse, because there are no graphs."""
        raise NotImplementedError

    def parse(self, text: str) -> Architecture:
        """Read a digit a decision."""
        return self.architecture(np.array([int(c) for c in text]))

    def format(self, arch: Architecture) -> str:
        """Write a digit a decision."""
        return "".join(map(str, arch.choices))


class Linear(Predictor):
    """Bayesian linear regression on one-hot choices."""

    def __init__(self, *, seed: int = 0, noise: float = 0.1) -> None:
        self.seed = seed
        self.noise = noise
        self.fits = 0

    def _features(self, choices: IntArray) -> FloatArray:
        columns = [
            np.asarray(choices)[:, i : i + 1] == np.arange(n) for i, n in enumerate(self._sizes)
        ]
        return np.concatenate(columns, axis=1).astype(np.float64)

    def fit(self, data: TaskData) -> Self:
        """Solve the normal equations."""
        self.fits += 1
        self._sizes = data.space.sizes
        x = self._features(data.choices)
        self._mean, self._scale = data.values.mean(), data.values.std() or 1.0
        self._cov = np.linalg.inv(x.T @ x / self.noise**2 + np.eye(x.shape[1]))
        y = (data.values - self._mean) / self._scale
        self._weights = self._cov @ x.T @ y / self.noise**2
        return self

    def predict(self, choices: IntArray) -> Prediction:
        """The posterior of the weights, with the noise."""
        x = self._features(choices)
        var = np.einsum("ij,jk,ik->i", x, self._cov, x) + self.noise**2
        return Prediction(
            self._mean + self._scale * (x @ self._weights), self._scale * np.sqrt(var)
        )


class Zeros:
    """Features with many equal values, in place of a zero-cost proxy."""

    names = ("synflow",)

    def __call__(self, choices: IntArray) -> FloatArray:
        """Minus the number of zeros: float64 (n, 1)."""
        zeros = (np.asarray(choices) == 0).sum(axis=1, keepdims=True)
        return np.asarray(zeros - 1.0)


Function = Callable[[Architecture], float]


def succeed(proposal: Proposal, function: Function) -> Trial:
    """A finished trial."""
    return Trial(proposal, Evaluation((function(proposal.arch),)))


def run(
    searcher: Searcher, function: Function, trials: int, *, batch: int = 1
) -> list[Architecture]:
    """A simple search loop: ask, evaluate, tell."""
    found: list[Architecture] = []
    while len(found) < trials:
        asked = searcher.ask(min(batch, trials - len(found)))
        searcher.tell(succeed(proposal, function) for proposal in asked)
        found += [proposal.arch for proposal in asked]
    return found


def additive(space: SearchSpace, seed: int, pairs: float = 0.3) -> Function:
    """A sum of one random effect a decision and, weaker or stronger, effects of pairs."""
    rng = np.random.default_rng(seed)
    single = [rng.normal(size=n) for n in space.sizes]
    pair = [
        rng.normal(size=(m, n)) * pairs
        for m, n in zip(space.sizes[:-1], space.sizes[1:], strict=True)
    ]

    def value(arch: Architecture) -> float:
        c = arch.choices
        return float(
            sum(w[i] for w, i in zip(single, c, strict=True))
            + sum(w[i, j] for w, i, j in zip(pair, c[:-1], c[1:], strict=True))
        )

    return value
