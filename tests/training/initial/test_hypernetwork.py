"""The graph hypernetwork that writes starting weights."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from surrogate_nas.errors import FormatError
from surrogate_nas.spaces import open_space
from surrogate_nas.tensor_files import SUFFIX
from surrogate_nas.training.initial.files import KIND, read_weights, write_weights
from surrogate_nas.training.initial.hypernetwork import HyperNetwork, Vocabulary
from surrogate_nas.training.initial.learners import HyperNetworkLearner
from surrogate_nas.training.initial.learning import Reptile, learn_weights
from surrogate_nas.training.initial.sources import Draws, SourceData
from surrogate_nas.training.initial.units import units_of
from tests.training.data import squares
from tests.training.initial.banks import SETTINGS, SPACE

DATA = squares()
SOURCE = SourceData(DATA, SETTINGS)
SHORT = Reptile(trainings=2, batches=1, form="hypernetwork")


def _vocabulary(*cells: str) -> Vocabulary:
    networks = [SOURCE.build(SPACE.parse(cell)) for cell in cells]
    return Vocabulary.of(unit for network in networks for unit in units_of(*network))


def _written(writer: HyperNetwork, cell: str) -> dict[str, Tensor]:
    network, keys = SOURCE.build(SPACE.parse(cell))
    return {
        name: tensor
        for name, key in keys.shared.items()
        if (tensor := writer(network, keys).get(key)) is not None
    }


@pytest.mark.parametrize("name", ["dense-cell", "layerwise", "hierarchical", "nasbench201"])
def test_units_hold_each_parameter_once_but_the_head(name: str) -> None:
    space = open_space(name)
    network, keys = SourceData(DATA).build(space.sample(np.random.default_rng(0)))
    units = units_of(network, keys)
    names = [f"{unit.position}.{each}" for unit in units for each in unit.parameters]
    assert sorted(names) == sorted(keys.shared)
    assert len({unit.position for unit in units}) == len(units)


def test_operations_without_parameters_are_units_and_data_sets_do_not_matter() -> None:
    arch = SPACE.parse("conv3x3-skip-avgpool3x3-conv5x5")
    units = units_of(*SOURCE.build(arch))
    assert [unit.kind.split()[0] for unit in units[1:5]] == [
        "Conv2d",
        "Identity",
        "AvgPool2d",
        "Conv2d",
    ]
    coloured = replace(
        DATA,
        train=replace(DATA.train, inputs=np.repeat(DATA.train.inputs, 3, axis=1)),
        classes=DATA.classes + 4,
    )
    assert units_of(*SourceData(coloured, SETTINGS).build(arch)) == units


def test_weights_depend_on_the_operations_before_and_behind() -> None:
    cells = ("conv3x3-conv3x3-conv3x3-skip", "conv3x3-conv3x3-conv3x3-avgpool3x3")
    writer = HyperNetwork(_vocabulary(*cells))
    first, second = (_written(writer, cell) for cell in cells)
    assert first.keys() == second.keys()
    assert not torch.equal(first["1.nodes.0.0.weight"], second["1.nodes.0.0.weight"])
    again = _written(writer, cells[0])
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_operations_are_served_at_positions_where_they_were_not_met() -> None:
    writer = HyperNetwork(_vocabulary("conv5x5-skip-skip-conv3x3"))
    assert "1.nodes.3.0.weight" in _written(writer, "skip-skip-skip-conv5x5")
    assert "1.nodes.2.0.weight" in _written(writer, "skip-skip-conv5x5-skip")
    none = HyperNetwork(_vocabulary("skip-skip-skip-conv3x3"))
    assert "1.nodes.3.0.weight" not in _written(none, "skip-skip-skip-conv5x5")


def test_small_kernels_are_the_middle_of_large_ones() -> None:
    vocabulary = _vocabulary("conv5x5-conv3x3-skip-skip")
    assert "2x2x5x5" in vocabulary.shapes
    assert "2x2x3x3" not in vocabulary.shapes
    writer = HyperNetwork(vocabulary)
    state = torch.randn(32)
    large, small = (writer._write(state, (2, 2, k, k), scale=False) for k in (5, 3))
    torch.testing.assert_close(small, large[:, :, 1:4, 1:4] * 5 / 3)  # of one scale by He et al.
    untrained = [writer._write(state, (2,), scale=scale).tolist() for scale in (True, False)]
    assert untrained == [[1.0, 1.0], [0.0, 0.0]]


def test_it_approaches_what_trainings_end_with() -> None:
    torch.manual_seed(0)
    learner = HyperNetworkLearner(Draws(SPACE, [SOURCE], [], 0, torch.device("cpu")))
    network, keys = SOURCE.build(SPACE.parse("conv3x3-conv5x5-skip-conv3x3"))
    goal = dict(network.named_parameters())["1.nodes.1.0.weight"].detach()
    key = keys.shared["1.nodes.1.0.weight"]
    before = (learner.start(network, keys)[key] - goal).norm()
    for _ in range(30):
        learner.start(network, keys)
        learner.approach(network, keys, 1.0)
    assert (learner.start(network, keys)[key] - goal).norm() < 0.5 * before


def test_files_hold_it_whole(tmp_path: Path) -> None:
    first = learn_weights(SPACE, [SOURCE], SHORT, device="cpu", seed=5)
    path = tmp_path / f"w{SUFFIX}"
    write_weights(path, first)
    again = read_weights(path)
    assert again.identity == first.identity
    assert learn_weights(SPACE, [SOURCE], SHORT, device="cpu", seed=5).identity == first.identity
    network, keys = SOURCE.build(SPACE.parse("conv3x3-skip-conv5x5-maxpool3x3"))
    drawn = torch.get_rng_state()
    mine, theirs = first.shared(network, keys), again.shared(network, keys)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert mine.keys() == set(keys.shared.values())
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_file_without_its_vocabulary_is_refused(tmp_path: Path) -> None:
    found = learn_weights(SPACE, [SOURCE], SHORT, device="cpu")
    provenance = asdict(found.provenance) | {"method": {"name": "hypernetwork"}}
    path = tmp_path / f"w{SUFFIX}"
    KIND.write(path, found.tensors, provenance)
    with pytest.raises(FormatError, match="vocabulary"):
        read_weights(path)
