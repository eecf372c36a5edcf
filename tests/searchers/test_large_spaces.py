"""Searches of spaces that are too large to be listed, whose encodings share canonical forms."""

import json

import numpy as np
import pytest

from surrogate_nas._types import IntArray
from surrogate_nas.cli import main
from surrogate_nas.evaluation import FunctionObjective, Prediction, TaskData
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.run import search
from surrogate_nas.searchers.evolution import RegularizedEvolution
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.guided import Guided
from surrogate_nas.searchers.predicted import PredictedObjective
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, SearchSpace
from surrogate_nas.spaces.operations import ATTRIBUTES, OPERATION_IDS
from tests.searchers.toys import Linear, ToySpace, additive


def _wishes(space: SearchSpace) -> FunctionObjective:
    """Likes about ten convolutions with large kernels, the wider the later."""
    convolutions = [OPERATION_IDS[name] for name in ("conv", "separable_conv")]
    kernel, width = ATTRIBUTES.index("kernel"), ATTRIBUTES.index("channels_out")

    def value(arch: Architecture) -> float:
        graph = space.graphs(np.array([arch.choices]))
        there = np.isin(graph.op, convolutions)
        found = graph.attributes[there]
        if not len(found):
            return -10.0
        rising = (found[:, width] * np.linspace(-1, 1, len(found))).mean()
        return float(found[:, kernel].mean() + rising - abs(len(found) - 10) / 3)

    return FunctionObjective(space, value)


@pytest.mark.parametrize(("name", "guided"), [("layerwise", 12), ("hierarchical", 2)])
def test_a_guide_repeats_nothing(name: str, guided: int) -> None:
    space = open_space(name)
    searcher = make_searcher("evolution+gp", space, seed=0)
    assert isinstance(searcher, Guided)
    searcher.steps = 20  # each predicts some dozens of graphs
    result = search(searcher, _wishes(space), trials=searcher.initial + guided, batch=4)
    keys = {space.key(trial.arch) for trial in result.trials}
    assert len(keys) == len(result.trials) == searcher.initial + guided


class _Logged(Linear):
    """Notes how many candidates it is asked about."""

    conditions = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def predict(self, choices: IntArray) -> Prediction:
        self.asked.append(len(choices))
        return super().predict(choices)


@pytest.mark.parametrize("count", [40, 300])
def test_a_part_of_a_large_space_is_compared_as_a_whole(count: int) -> None:
    whole = open_space("nasbench101")
    drawn = whole.keys(whole.sample_choices(np.random.default_rng(0), count))
    part = whole.restricted(drawn)
    predictor = _Logged()
    searcher = Guided(RegularizedEvolution(part, seed=0), predictor)
    result = search(searcher, _wishes(part), trials=30)
    assert len(result.trials) == 30
    assert set(predictor.asked) == {part.size}
    assert len(predictor.asked) == 30 - searcher.initial


def test_a_climb_finds_the_best_of_a_sum() -> None:
    space = ToySpace((8,) * 8)
    effect = additive(space, 0)
    guided = Guided(RegularizedEvolution(space, seed=0), _Logged(), seed=0)
    result = search(guided, FunctionObjective(space, effect), trials=120)
    values = [trial.value for trial in result.trials]
    best = max(a for a in values if a is not None)
    optimum = np.array([[0] * 8])  # coordinate by coordinate, which is exact for a sum
    for i in range(8):
        options = np.repeat(optimum, 8, axis=0)
        options[:, i] = np.arange(8)
        found = [effect(Architecture(space.name, tuple(row))) for row in options.tolist()]
        optimum = options[[int(np.argmax(found))]]
    assert best >= effect(Architecture(space.name, tuple(optimum[0].tolist()))) - 1e-5


def test_a_fork_that_uses_up_its_space_is_not_the_end() -> None:
    space = ToySpace((4, 4))
    searcher = RandomSearch(space, seed=0)
    asked = {proposal.arch.choices for proposal in searcher.ask(space.size - 5)}
    predictor = Linear().fit(TaskData("t", space, space.unique()[:1], np.zeros(1)))
    met = searcher.visit(PredictedObjective(space, predictor), 400)
    assert asked | set(map(tuple, met.tolist())) == set(map(tuple, space.unique().tolist()))
    searcher.ask(5)
    assert searcher.visit(PredictedObjective(space, predictor), 400).shape == (0, 2)


@pytest.mark.parametrize("name", ["layerwise", "hierarchical"])
def test_a_predictor_learns(name: str) -> None:
    space = open_space(name)
    choices = space.sample_choices(np.random.default_rng(0), 120)
    objective = _wishes(space)
    values = np.array([objective.evaluate(space.architecture(row)).value for row in choices])
    data = TaskData("wishes", space, choices[:60], values[:60])
    predicted = GaussianProcess().fit(data).predict(choices[60:]).mean
    assert kendall_tau(predicted, values[60:]) > 0.3


@pytest.mark.parametrize("name", ["layerwise", "hierarchical"])
def test_real_training_is_an_objective(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["search", "--space", name, "--dataset", "digits", "--settings", "stem_stride=2"]
    options = ["--epochs", "1", "--trials", "2", "--predictor", "none", "--device", "cpu"]
    assert main([*command, *options, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [trial["error"] for trial in answer["trials"]] == [None, None]
    space = open_space(name)
    assert space.format(space.parse(answer["best"]["arch"])) == answer["best"]["arch"]
