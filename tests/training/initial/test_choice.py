"""Which starting weights serve a data set, and the trainings that start from them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.datasets.seen import SeenDataset
from surrogate_nas.training.initial.base import FreshTraining, Initial
from surrogate_nas.training.initial.check import helps
from surrogate_nas.training.initial.choice import find_weights, planned_initial
from surrogate_nas.training.initial.files import read_weights, write_weights
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.record import Epoch
from tests.training.data import squares
from tests.training.initial.banks import SETTINGS, SPACE, tiny_bank

DATA = squares()
OTHER = replace(squares(size=7), name="others")
ARCH = SPACE.parse("conv3x3-conv5x5-skip-maxpool3x3")


def _training(initial: Initial | None, epochs: int = 2) -> TrainingObjective:
    return TrainingObjective(
        SPACE, DATA, epochs=epochs, device="cpu", settings=SETTINGS, initial=initial
    )


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    bank = tiny_bank(OTHER)
    write_weights(tmp_path / "w.safetensors", bank)
    again = read_weights(tmp_path / "w.safetensors")
    assert again.provenance == bank.provenance
    assert again.identity == bank.identity
    assert all(np.array_equal(again.tensors[key], bank.tensors[key]) for key in bank.tensors)
    whole = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(whole[:-9] + b"x" + whole[-8:])
    with pytest.raises(FormatError, match="damaged"):
        read_weights(tmp_path / "w.safetensors")


def test_weights_that_saw_the_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, tiny_bank(DATA))
    rows = np.arange(48)
    part = replace(DATA, name="a part", train=DATA.train.take(rows))
    for seen in (DATA, replace(DATA, name="renamed"), part):
        with pytest.raises(InvalidArgumentError, match="--allow-seen"):
            find_weights(path, SPACE, seen)
        assert find_weights(path, SPACE, seen, allow_seen=True)
    assert find_weights(path, SPACE, OTHER)
    with pytest.raises(InvalidArgumentError, match="networks of the space 'dense-cell'"):
        find_weights(path, open_space("nasbench201"), OTHER)
    with pytest.raises(InvalidArgumentError, match="no file of starting weights"):
        find_weights(tmp_path / "none.safetensors", SPACE, OTHER)


def test_data_sets_without_common_images_are_told_apart() -> None:
    assert SeenDataset.of(DATA).same(DATA)
    assert not SeenDataset.of(DATA).same(OTHER)


def test_what_is_noted_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, tiny_bank(OTHER))
    start, note = planned_initial(None, path, SPACE, DATA)
    assert note is not None
    assert start is not None
    again, noted = planned_initial(note, None, SPACE, DATA)
    assert (noted, again and again.identity) == (note, start.identity)
    assert planned_initial(note, "none", SPACE, DATA) == (None, None)
    assert planned_initial(None, None, SPACE, DATA) == (None, None)
    write_weights(path, tiny_bank(OTHER, seed=1))
    with pytest.raises(InvalidArgumentError, match="are not those of the recorded trainings"):
        planned_initial(note, None, SPACE, DATA)


def _points(curve: tuple[Epoch, ...]) -> list[tuple[float, ...]]:
    return [(p.loss, p.validation_accuracy, p.test_accuracy) for p in curve]


def test_a_training_starts_from_them_and_goes_on_exactly(tmp_path: Path) -> None:
    warm, cold = _training(tiny_bank(OTHER)), _training(None)
    whole = warm.train(ARCH)
    assert _points(whole.curve) == _points(warm.train(ARCH).curve)
    assert _points(whole.curve) != _points(cold.train(ARCH).curve)
    path = tmp_path / "training.pt"
    warm.train(ARCH, checkpoint=path, watch=lambda point: point.epoch == 1)
    resumed = warm.train(ARCH, checkpoint=path)
    assert _points(resumed.curve) == _points(whole.curve)
    for other in (cold, _training(tiny_bank(OTHER, seed=1))):
        with pytest.raises(InvalidArgumentError, match="belongs to another training"):
            other.train(ARCH, checkpoint=path)
    assert cold._identity(ARCH).endswith(f"of dense-cell {SETTINGS}")  # as older checkpoints have


def test_weights_for_other_sizes_are_refused() -> None:
    objective = TrainingObjective(
        SPACE, DATA, epochs=1, device="cpu", settings={"channels": 3}, initial=tiny_bank(OTHER)
    )
    with pytest.raises(InvalidArgumentError, match="have none for this network"):
        objective.train(ARCH)


def test_weights_that_do_not_help_are_noticed() -> None:
    better, text = helps(_training(_Perfect(), epochs=1))
    assert better
    assert "from random ones" in text
    worse, _ = helps(_training(tiny_bank(OTHER, scale=0.0), epochs=1))
    assert not worse


def test_two_architectures_decide_by_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int | None]] = []
    gains = iter([50.0, 30.0, 40.0, 41.0])  # from the weights, and then from random ones

    def train(objective: TrainingObjective, arch: Architecture, **options: int) -> SimpleNamespace:
        seen.append((SPACE.format(arch), options["epochs"]))
        return SimpleNamespace(curve=[SimpleNamespace(validation_accuracy=next(gains))])

    monkeypatch.setattr(TrainingObjective, "train", train)
    better, text = helps(_training(tiny_bank(OTHER), epochs=5))
    assert not better
    assert "40.00 %" in text
    assert "40.50 %" in text
    assert seen[:2] == seen[2:]
    assert len({cell for cell, _ in seen}) == 2
    assert {epochs for _, epochs in seen} == {1}


class _Perfect:
    """Starts with weights that were trained on the data."""

    identity = "perfect"

    def begin(self, network: torch.nn.Module, training: FreshTraining) -> None:
        done = _training(None, epochs=4).train(training.arch, seed=1)
        network.load_state_dict(done.network.state_dict())

    def keep(self, arch: object, network: object, value: float) -> None:
        pass
