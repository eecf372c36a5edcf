"""Functions of spaces that cannot be listed, for ``scripts/large-spaces``.

Values of made-up functions are in standard deviations of the function over its space, those of a
surrogate benchmark in its own unit; larger is better. A measurement of a made-up function has noise
of standard deviation 0.3, one of a surrogate benchmark that of a single training.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks import open_benchmark
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.custom import CustomSpace, define_space
from surrogate_nas.spaces.operations import OPERATIONS

LAYERS = 20
NUMBERS = 10

_NOISE = 0.3
_SAMPLE = 10_000  # architectures that give the standard deviation of a function
_WIDTH = 16  # of the state of a node in a random network
_ROUNDS = 3
_GRAPHS = 1_000

DEFINITION = f"""
name = "chain-8-20"
graph = "chain"
decisions = {LAYERS}
options = ["skip", "conv1", "conv3", "conv5", "sep3", "sep5", "avg3", "max3"]

[operations]
conv1 = {{operation = "conv", kernel = 1}}
conv3 = {{operation = "conv", kernel = 3}}
conv5 = {{operation = "conv", kernel = 5}}
sep3 = {{operation = "separable_conv", kernel = 3}}
sep5 = {{operation = "separable_conv", kernel = 5}}
avg3 = {{operation = "avg_pool", kernel = 3}}
max3 = {{operation = "max_pool", kernel = 3}}
"""


class Function(Protocol):
    """A function of architectures."""

    def values(self, choices: IntArray) -> FloatArray:
        """Values of encodings (n, decisions) without noise: (n,)."""
        ...


class Landscape:
    """A sum of effects of decisions and of pairs of consecutive ones, whose optimum is 0.

    The optimum is found by dynamic programming.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        """Draw the effects from ``rng``."""
        self._single, self._pairs = self._effects(space, rng)
        best = self._single[0]
        for single, pairs in zip(self._single[1:], self._pairs, strict=True):
            best = (best[:, None] + pairs).max(axis=0) + single
        self._best = float(best.max())
        self._scale = float(self._worth(space.sample_choices(rng, _SAMPLE)).std())

    def _effects(
        self, space: SearchSpace, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Effects (decisions, options), and (decisions - 1, options, options) of pairs."""
        raise NotImplementedError

    def _worth(self, choices: IntArray) -> FloatArray:
        layers = np.arange(len(self._single))
        alone = self._single[layers, choices].sum(axis=1)
        pairs = self._pairs[layers[:-1], choices[:, :-1], choices[:, 1:]].sum(axis=1)
        return np.asarray(alone + pairs)

    def values(self, choices: IntArray) -> FloatArray:
        """Values without noise, 0 for the optimum and less for all others: (n,)."""
        return (self._worth(np.asarray(choices)) - self._best) / self._scale


class Chain(Landscape):
    """A function of a chain of operations.

    An operation has an effect that is the same in all layers, one that grows along the chain, and
    one of its layer. Two consecutive operations have a pairwise effect. All are Gaussian, with
    standard deviations 0.5, 0.5, 1 and 1.
    """

    def _effects(
        self, space: SearchSpace, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        layers, options = len(space.sizes), space.sizes[0]
        depth = np.linspace(-1, 1, layers)[:, None]
        shared, slope = 0.5 * rng.normal(size=(2, options))
        single = shared + depth * slope + rng.normal(size=(layers, options))
        return single, rng.normal(size=(layers - 1, options, options))


class Surface(Landscape):
    """A function of numbers between -1 and 1, smooth but with several optima.

    A number x has the effect -a (x - m)² + 0.2 sin(5 x + b), with a between 0.5 and 1.5 and m
    between -0.8 and 0.8. Two consecutive numbers have a sum of three waves of random directions.
    """

    def _effects(
        self, space: SearchSpace, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        decisions, options = len(space.sizes), space.sizes[0]
        x = np.linspace(-1, 1, options)
        steep, centre, phase = rng.uniform(
            [[0.5], [-0.8], [0.0]], [[1.5], [0.8], [2 * np.pi]], (3, decisions)
        )[:, :, None]
        single = -steep * (x - centre) ** 2 + 0.2 * np.sin(5 * x + phase)
        along, across = rng.normal(scale=2.0, size=(2, decisions - 1, 3, 1, 1))
        shift = rng.uniform(0, 2 * np.pi, (decisions - 1, 3, 1, 1))
        waves = np.cos(along * x[:, None] + across * x + shift)
        return single, 0.4 * waves.sum(axis=1)


class RandomNetwork:
    """The output of a graph network with random weights, in place of a trained network's accuracy.

    The state of a node is a random vector of its operation and a projection of its attributes.
    In three rounds each node reads its predecessors and its successors. The value is a linear
    function of the mean and of the logarithm of the sum of all states, plus half as much of
    effects of single decisions. Its best value is not known, and the mean over the space is 0.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        """Draw the weights from ``rng``."""
        self._space = space
        self._operations = rng.normal(size=(len(OPERATIONS), _WIDTH))
        self._attributes: FloatArray | None = None
        self._rng = np.random.default_rng(rng.integers(2**31))
        scale = 1.5 / np.sqrt(_WIDTH)
        self._weights = rng.normal(scale=scale, size=(_ROUNDS, 3, _WIDTH, _WIDTH))
        self._read = rng.normal(size=2 * _WIDTH)
        self._effects = [rng.normal(size=size) for size in space.sizes]
        sample = space.sample_choices(rng, _GRAPHS)
        self._moments = [(0.0, 1.0)] * 2
        parts = self._parts(sample)
        self._moments = [(float(part.mean()), float(part.std())) for part in parts]
        self._moments.append((0.0, float(self._sum(sample).std())))

    def _parts(self, choices: IntArray) -> tuple[FloatArray, FloatArray]:
        keys = self._space.keys(np.asarray(choices))
        graphs = self._space.graphs(keys).pruned()
        if self._attributes is None:
            size = (graphs.attributes.shape[1], _WIDTH)
            self._attributes = self._rng.normal(scale=0.3, size=size)
        state = np.tanh(self._operations[graphs.op] + graphs.attributes @ self._attributes)
        source, target = graphs.edges
        for own, forth, back in self._weights:
            passed = state @ own
            np.add.at(passed, target, state[source] @ forth)
            np.add.at(passed, source, state[target] @ back)
            state = np.tanh(passed)
        total = np.zeros((len(graphs), _WIDTH))
        np.add.at(total, graphs.graph, state)
        count = np.bincount(graphs.graph, minlength=len(graphs))[:, None]
        squeezed = np.sign(total) * np.log1p(np.abs(total))
        learnt = np.concatenate([total / count, squeezed], axis=1) @ self._read
        columns = zip(self._effects, keys.T, strict=True)
        active = self._space.active(keys)
        single = np.stack([effect[column] for effect, column in columns], axis=1)
        return learnt, (single * active).sum(axis=1)

    def _sum(self, choices: IntArray) -> FloatArray:
        pairs = zip(self._parts(choices), self._moments, strict=False)
        learnt, single = [(part - mean) / std for part, (mean, std) in pairs]
        return np.asarray(learnt + 0.5 * single)

    def values(self, choices: IntArray) -> FloatArray:
        """Values without noise, 0 for a mean architecture: (n,)."""
        return self._sum(choices) / self._moments[-1][1]


def _numbers() -> CustomSpace:
    decisions = [Decision.real(f"x{i}", -1, 1, levels=10) for i in range(NUMBERS)]
    return define_space("numbers-10-10", decisions)


Setting = tuple[Callable[[], SearchSpace], Callable[[SearchSpace, np.random.Generator], Function]]

SETTINGS: dict[str, Setting] = {
    "chain": (lambda: CustomSpace(DEFINITION), Chain),
    "numbers": (_numbers, Surface),
    "nasbench101": (lambda: open_space("nasbench101"), RandomNetwork),
    "hierarchical": (lambda: open_space("hierarchical"), RandomNetwork),
}
"""By name: what makes the space, and its functions."""


def made(setting: str, number: int) -> tuple[SearchSpace, Function, FunctionObjective]:
    """A space, its function of a number, and the objective that measures it with noise.

    A setting ``BENCHMARK:TASK`` has one function, and the number is the seed of its trainings.
    """
    if setting not in SETTINGS:
        return _trained(setting, number)
    make_space, make_function = SETTINGS[setting]
    space = make_space()
    rng = np.random.default_rng(number)
    function = make_function(space, rng)

    def measure(arch: Architecture) -> float:
        true = function.values(np.array([arch.choices]))[0]
        return float(true + rng.normal(scale=_NOISE))

    return space, function, FunctionObjective(space, measure)


class _Mean:
    """The mean over trainings by a surrogate benchmark."""

    def __init__(self, task: TabularTask) -> None:
        self._task = task

    def values(self, choices: IntArray) -> FloatArray:
        return self._task.lookup(choices)


def _trained(setting: str, seed: int) -> tuple[SearchSpace, Function, FunctionObjective]:
    task = _task(setting)

    def measure(arch: Architecture) -> float:
        return float(task.lookup(np.array([arch.choices]), seed=seed)[0])

    return task.space, _Mean(task), FunctionObjective(task.space, measure)


@functools.cache
def _task(setting: str) -> TabularTask:
    benchmark, _, name = setting.rpartition(":")
    return open_benchmark(benchmark).task(name)
