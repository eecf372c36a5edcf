"""The vocabulary grows; weights of older editions stay valid and say the same."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.gnn import GNN
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.weights import read_weights
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.operations import (
    ATTRIBUTES,
    EDITIONS,
    OPERATIONS,
    STRUCTURAL_OPERATIONS,
    WEIGHTLESS,
)

PRIOR = [0.46669436, -1.1037169, 0.34655309, 0.34655309]

LAYERS = """
name = "layers"
graph = "chain"
decisions = 4
options = ["none", "attention2", "attention8", "feed_forward"]
operations.attention2 = {operation = "attention", heads = 2, width = 64}
operations.attention8 = {operation = "attention", heads = 8, width = 64}
"""


def shipped(name: str) -> MetaGNN:
    path = Path(str(files("surrogate_nas.predictors"))) / "shipped" / f"{name}.safetensors"
    tensors, settings = read_weights(path)
    return MetaGNN.restored(tensors, settings.learner)


def tasks(space: CustomSpace) -> list[TaskData]:
    choices = space.all_choices()[:200]
    worth = np.random.default_rng(0).normal(size=(2, 4, 4))
    values = worth[:, np.arange(4), choices].sum(axis=2)
    return [TaskData(name, space, choices, v) for name, v in zip("ab", values, strict=True)]


def test_editions_only_grow() -> None:
    assert tuple(sorted(EDITIONS)) == EDITIONS
    assert EDITIONS[-1] == (len(OPERATIONS), len(ATTRIBUTES))
    assert OPERATIONS[EDITIONS[0][0] - 1 : EDITIONS[0][0] + 1] == ("residual_block", "attention")
    assert ATTRIBUTES[EDITIONS[0][1] - 1 : EDITIONS[0][1] + 1] == ("repetitions", "heads")
    assert len(set(OPERATIONS)) == len(OPERATIONS)
    assert not STRUCTURAL_OPERATIONS & set(WEIGHTLESS)


def test_shipped_weights_predict_what_they_did() -> None:
    """A later edition of the vocabulary changes nothing."""
    space = open_space("transnas-micro")
    choices = space.sample_choices(np.random.default_rng(1), 40)
    learner = shipped("cells-transnas")
    found = learner.prior(space).predict(choices).mean
    np.testing.assert_allclose(found[:4], PRIOR, rtol=1e-5)
    restored = MetaGNN.restored(learner.tensors(), learner.settings())
    np.testing.assert_array_equal(restored.prior(space).predict(choices).mean, found)
    assert learner.tensors()["terms.operations"].shape[1] == 1 + EDITIONS[0][1]


def test_older_weights_read_spaces_of_newer_words() -> None:
    space = CustomSpace(LAYERS)
    data = tasks(space)[0]
    some = TaskData("some", space, data.choices[:30], data.values[:30])
    predicted = shipped("cells-transnas").adapt(some).predict(data.choices)
    assert np.isfinite(predicted.mean).all()
    assert np.ptp(predicted.mean) > 0


def test_newer_words_are_learned_and_kept() -> None:
    space = CustomSpace(LAYERS)
    data = tasks(space)
    learner = MetaGNN(steps=5, workers=1).meta_fit(data)
    tensors = learner.tensors()
    assert tensors["encoder0.encoder.operation.weight"].shape[0] == EDITIONS[1][0]
    assert tensors["encoder0.encoder.attributes.weight"].shape[1] == EDITIONS[1][1]
    restored = MetaGNN.restored(tensors, learner.settings())
    found, again = (m.prior(space).predict(data[0].choices).mean for m in (learner, restored))
    np.testing.assert_array_equal(found, again)
    assert any("heads=8" in name for name in StructuralFeatures.of(space).names)


def test_a_new_encoder_knows_the_words_of_its_space() -> None:
    space = CustomSpace(LAYERS)
    data = tasks(space)[0]
    gnn = GNN(members=2, steps=30).fit(data)
    heads = np.array([[1, 0, 0, 0], [2, 0, 0, 0]])
    few, many = gnn.predict(heads).mean
    assert few != many
    assert gnn._networks[0][0].attributes.in_features == EDITIONS[1][1]


@pytest.mark.parametrize("name", ["terms.operations", "encoder0.encoder.attributes.weight"])
def test_parts_of_unknown_width_are_refused(name: str) -> None:
    learner = shipped("cells-transnas")
    tensors = learner.tensors()
    tensors[name] = tensors[name][:, :-1]
    with pytest.raises((ValueError, RuntimeError)):
        MetaGNN.restored(tensors, learner.settings())
