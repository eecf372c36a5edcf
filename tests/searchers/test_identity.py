"""Which methods are one and the same search."""

from __future__ import annotations

from surrogate_nas._types import IntArray
from surrogate_nas.errors import NotFittedError
from surrogate_nas.evaluation import Prediction
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.identity import identity
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.custom import CustomSpace
from tests.searchers.toys import additive, run

SMALL = CustomSpace("""
name = "chain-4-4"
graph = "chain"
decisions = 4
options = ["skip", "conv", "avg_pool", "max_pool"]
""")
SAME = [
    ["evolution", "evolution+none"],
    ["optuna", "optuna:tpe"],
    ["hyperband:optuna", "hyperband:optuna:tpe"],
    ["gradient", "gradient:softmax", "gradient:score"],
    ["bayesian", "bayesian+none", "evolution+gp", "genetic+gp"],
]
DIFFERENT = ["genetic", "bayesian:ei", "local+gp"]


class Mean(GaussianProcess):
    """A guide with a prior."""

    has_prior = True

    def predict(self, choices: IntArray) -> Prediction:
        try:
            return super().predict(choices)
        except NotFittedError:
            first = choices[:, 0] * 1.0
            return Prediction(first, first + 1)


def _trials(method: str, predictor: GaussianProcess | None = None) -> tuple[Architecture, ...]:
    searcher = make_searcher(method, SMALL, seed=3, predictor=predictor, budgets=[1])
    return tuple(run(searcher, additive(SMALL, 0), 14, batch=3))


def test_methods_of_one_identity_have_the_same_trials() -> None:
    groups = [*SAME, *([method] for method in DIFFERENT)]
    names = [{identity(method, SMALL, trials=14) for method in group} for group in groups]
    assert all(len(group) == 1 for group in names)
    assert len(set().union(*names)) == len(groups)
    assert all(len({_trials(method) for method in group}) == 1 for group in SAME)
    assert _trials("evolution+gp") != _trials("local+gp")


def test_with_a_prior_the_searcher_does_not_matter_where_all_are_compared() -> None:
    methods = ["evolution", "local", "bayesian"]
    found = {identity(m, SMALL, trials=14, predictor=Mean()) for m in methods}
    assert len(found) == 1
    assert len({_trials(method, Mean()) for method in methods}) == 1
    assert len({identity(m, SMALL, trials=99, predictor=Mean()) for m in methods}) == len(methods)
