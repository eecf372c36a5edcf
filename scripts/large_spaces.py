"""The gain by guidance in a space of 8**20 architectures; run by ``scripts/large-spaces``.

The space is a chain of 20 layers with 8 operations each. The functions are made up from their
seeds, see `Landscape`. Each method searches each function with several seeds. The value of a search
is that of its incumbent, without noise. Methods with a guide are compared with evolution
alone by a one-sided Wilcoxon test over all pairs of function and seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.evaluation import FunctionObjective
from surrogate_nas.parallel import one_thread
from surrogate_nas.reporting.statistics import signed_rank
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.custom import CustomSpace

LAYERS = 20
AT = (50, 100, 200)
PLAIN = "evolution"
GUIDED = ("evolution+gp", "evolution+xgboost")

_NOISE = 0.3  # noise of a measurement, in standard deviations of the function

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


class Landscape:
    """A function of the chain whose optimum is 0.

    The value is a sum of effects. An operation has an effect that is the same in all layers, one
    that grows along the chain, and one of its layer. Two consecutive operations have a pairwise
    effect. All are Gaussian, with standard deviations 0.5, 0.5, 1 and 1. Values are divided by
    their standard deviation over the space, and measured with noise of standard deviation 0.3.
    The optimum is found by dynamic programming.
    """

    def __init__(self, space: CustomSpace, seed: int) -> None:
        """Draw the effects and the noise from ``seed``."""
        rng = np.random.default_rng(seed)
        options = space.sizes[0]
        depth = np.linspace(-1, 1, LAYERS)[:, None]
        shared, slope = 0.5 * rng.normal(size=(2, options))
        self._single = shared + depth * slope + rng.normal(size=(LAYERS, options))
        self._pairs = rng.normal(size=(LAYERS - 1, options, options))
        best = self._single[0]
        for single, pairs in zip(self._single[1:], self._pairs, strict=True):
            best = (best[:, None] + pairs).max(axis=0) + single
        self._best = float(best.max())
        self._scale = float(self._worth(space.sample_choices(rng, 10_000)).std())
        self._rng = rng

    def _worth(self, choices: IntArray) -> FloatArray:
        layers = np.arange(LAYERS)
        alone = self._single[layers, choices].sum(axis=1)
        pairs = self._pairs[layers[:-1], choices[:, :-1], choices[:, 1:]].sum(axis=1)
        return np.asarray(alone + pairs)

    def values(self, choices: IntArray) -> FloatArray:
        """Values without noise, 0 for the optimum and less for all others: (n,)."""
        return (self._worth(np.asarray(choices)) - self._best) / self._scale

    def measure(self, arch: Architecture) -> float:
        """A value with noise."""
        return float(self.values(np.array([arch.choices]))[0] + self._rng.normal(scale=_NOISE))


def run(method: str, function: int, seed: int, trials: int) -> tuple[FloatArray, float]:
    """Values of the incumbent after each trial, without noise: (trials,), and the seconds."""
    space = CustomSpace(DEFINITION)
    landscape = Landscape(space, function)
    objective = FunctionObjective(space, landscape.measure)
    start = time.perf_counter()
    result = search(make_searcher(method, space, seed=seed), objective, trials=trials)
    seconds = time.perf_counter() - start
    measured = np.array([-np.inf if t.value is None else t.value for t in result.trials])
    true = landscape.values(np.array([trial.arch.choices for trial in result.trials]))
    first = np.maximum.accumulate(measured)
    incumbent = [int(np.flatnonzero(measured == best)[0]) for best in first.tolist()]
    return true[incumbent], seconds


def report(found: dict[str, FloatArray], at: Sequence[int]) -> None:
    """Print means, and whether guides are better than `PLAIN`."""
    for method, values in found.items():
        for trials in at:
            reached = values[:, trials - 1]
            line = f"{method}, {trials} trials: mean {reached.mean():.2f}"
            if method != PLAIN and PLAIN in found:
                alone = found[PLAIN][:, trials - 1]
                line += f", p = {signed_rank(reached, alone, 'greater'):.1g} against {PLAIN}"
            print(line, flush=True)


def main() -> None:
    """Run all methods on all functions with all seeds."""
    parser = argparse.ArgumentParser(
        prog="scripts/large-spaces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--functions", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=max(AT))
    parser.add_argument("--method", action="append", help="default: evolution, alone and guided")
    arguments = parser.parse_args()
    at = [trials for trials in AT if trials <= arguments.trials] or [arguments.trials]
    found: dict[str, FloatArray] = {}
    for method in arguments.method or (PLAIN, *GUIDED):
        pairs = [(f, s) for f in range(arguments.functions) for s in range(arguments.seeds)]
        with one_thread():
            runs = [run(method, function, seed, arguments.trials) for function, seed in pairs]
        found[method] = np.stack([values for values, _ in runs])
        step = 1000 * sum(seconds for _, seconds in runs) / len(runs) / arguments.trials
        print(f"{method}: {step:.0f} ms a trial", flush=True)
    report(found, at)


if __name__ == "__main__":
    main()
