"""The trainer: seeds, resume, failures, and the numbers of a loop written by hand."""

import dataclasses
import math
import os
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    TrainingError,
    UnknownNameError,
)
from surrogate_nas.training.recipes import RECIPES, Recipe
from surrogate_nas.training.record import Epoch
from surrogate_nas.training.trainer import train
from tests.training.data import squares

DATA = squares()
FULL = Recipe("full", "sgd", 0.05, 5e-4, 32, crop=1, flip=True)


def _network(dropout: float = 0.2) -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(216, 3),
    )


def _scores(curve: tuple[Epoch, ...]) -> list[tuple[float, ...]]:
    return [(p.epoch, p.loss, p.validation_accuracy, p.test_accuracy) for p in curve]


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([tensor.flatten().float() for tensor in network.state_dict().values()])


@pytest.mark.parametrize("recipe", ["sgd", "adamw", FULL])
def test_learns(recipe: str | Recipe) -> None:
    curve = train(_network(), DATA, epochs=12, recipe=recipe, device="cpu")
    assert [point.epoch for point in curve] == list(range(1, 13))
    assert curve[-1].loss < curve[0].loss
    assert curve[-1].validation_accuracy > 90
    assert curve[-1].test_accuracy > 90
    seconds = [point.seconds for point in curve]
    assert seconds == sorted(seconds)


def test_the_same_seed_gives_the_same_training() -> None:
    def run(seed: int) -> tuple[list[tuple[float, ...]], Tensor]:
        network = _network()
        torch.rand(seed + 40)  # what the caller did with torch's generator is no matter
        curve = train(network, DATA, epochs=3, recipe=FULL, seed=seed, device="cpu")
        return _scores(curve), _weights(network)

    (first, weights), (again, same), (other, different) = run(1), run(1), run(2)
    assert first == again
    assert torch.equal(weights, same)
    assert first != other
    assert not torch.equal(weights, different)


def test_leaves_the_global_generator_alone() -> None:
    network = _network()
    before = torch.get_rng_state()
    train(network, DATA, epochs=1, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_are_those_of_a_loop_written_by_hand() -> None:
    recipe = Recipe("plain", "sgd", 0.1, 1e-2, 96)  # all examples in a step: no order matters
    network, expected = _network(dropout=0.0), _network(dropout=0.0)
    curve = train(network, DATA, epochs=4, recipe=recipe, device="cpu")

    inputs = torch.from_numpy(DATA.train.inputs).float()
    inputs = (inputs - inputs.mean()) / inputs.std(correction=0)
    labels = torch.from_numpy(DATA.train.labels)
    optimiser = torch.optim.SGD(
        expected.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=4)
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(expected(inputs), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    torch.testing.assert_close([p.loss for p in curve], losses, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(_weights(network), _weights(expected), rtol=1e-3, atol=1e-4)
    expected.eval()
    right = expected(
        (torch.from_numpy(DATA.test.inputs).float() - DATA.moments[0][0]) / DATA.moments[1][0]
    )
    accuracy = (right.argmax(1) == torch.from_numpy(DATA.test.labels)).float().mean().item()
    assert curve[-1].test_accuracy == pytest.approx(100 * accuracy)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_resumed_training_is_the_uninterrupted_one(
    tmp_path: Path, optimizer: Literal["sgd", "adamw"]
) -> None:
    recipe = dataclasses.replace(FULL, optimizer=optimizer, learning_rate=0.01)
    whole = _network()
    expected = train(whole, DATA, epochs=5, recipe=recipe, seed=7, device="cpu")
    path = tmp_path / "state.pt"

    def kill(point: Epoch) -> None:
        if point.epoch in (2, 3):
            raise _Killed

    for _ in range(2):
        with pytest.raises(_Killed):
            train(
                _network(),
                DATA,
                epochs=5,
                recipe=recipe,
                seed=7,
                device="cpu",
                checkpoint=path,
                watch=kill,
            )
    network = _network()
    curve = train(network, DATA, epochs=5, recipe=recipe, seed=7, device="cpu", checkpoint=path)
    assert _scores(curve) == _scores(expected)
    assert torch.equal(_weights(network), _weights(whole))
    # A finished one is only read.
    finished = _network()
    again = train(finished, DATA, epochs=5, recipe=recipe, seed=7, device="cpu", checkpoint=path)
    assert again == curve
    assert torch.equal(_weights(finished), _weights(whole))
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    train(_network(), DATA, epochs=1, device="cpu", checkpoint=path, identity="one")
    for change in ({"seed": 1}, {"epochs": 2}, {"recipe": "adamw"}, {"identity": "two"}):
        options = {"epochs": 1, "device": "cpu", "checkpoint": path, "identity": "one"} | change
        with pytest.raises(InvalidArgumentError, match="belongs to another training"):
            train(_network(), DATA, **options)  # type: ignore[arg-type]
    other = dataclasses.replace(DATA, train=DATA.train.take(np.arange(64)))
    with pytest.raises(InvalidArgumentError, match="belongs to another training"):
        train(_network(), other, epochs=1, device="cpu", checkpoint=path, identity="one")
    wider = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    with pytest.raises(InvalidArgumentError, match="of a network with other weights"):
        train(wider, DATA, epochs=1, device="cpu", checkpoint=path, identity="one")
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    train(_network(), DATA, epochs=1, device="cpu", checkpoint=path)
    content = path.read_bytes()
    for damaged in (b"", b"hello", content[: len(content) // 2], content[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"state\.pt is not a whole checkpoint"):
            train(_network(), DATA, epochs=1, device="cpu", checkpoint=path)
    with pytest.raises(InvalidArgumentError, match="cannot write"):
        train(_network(), DATA, epochs=1, device="cpu", checkpoint=tmp_path / "no" / "state.pt")


def test_a_watcher_ends_the_training() -> None:
    curve = train(_network(), DATA, epochs=9, device="cpu", watch=lambda p: p.epoch == 2)
    assert len(curve) == 2


@pytest.mark.parametrize("size", [97, 65])
def test_a_last_batch_of_one_example_is_left_out(size: int) -> None:
    """Batch normalisation of one value has no variance, and torch refuses it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    train(network, squares(size), epochs=1, device="cpu")


def test_divergence_is_a_failure_with_its_reason() -> None:
    recipe = dataclasses.replace(RECIPES["sgd"], learning_rate=1e30)
    with pytest.raises(TrainingError, match="diverged in epoch 1: loss"):
        train(_network(), DATA, epochs=2, recipe=recipe, device="cpu")


class _Overflowing(nn.Module):
    """Sound while it is trained, and not finite afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] * self.weight + (0.0 if self.training else torch.inf)


def test_outputs_that_are_not_finite_are_a_failure() -> None:
    with pytest.raises(TrainingError, match="outputs that are not finite"):
        train(_Overflowing(), DATA, epochs=1, device="cpu")


class _Hungry(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(2**48, device=x.device) * self.weight


def test_want_of_memory_is_a_failure_with_its_reason() -> None:
    with pytest.raises(TrainingError, match="out of memory on cpu"):
        train(_Hungry(), DATA, epochs=1, device="cpu")


class _Broken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("a mistake in the network")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="a mistake in the network"):
        train(_Broken(), DATA, epochs=1, device="cpu")


def test_mistakes_of_the_call_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="epochs must be at least 1, got 0"):
        train(_network(), DATA, epochs=0)
    with pytest.raises(InvalidArgumentError, match="seed must be at least 0, got -1"):
        train(_network(), DATA, epochs=1, seed=-1)
    with pytest.raises(UnknownNameError, match="nasbench201"):
        train(_network(), DATA, epochs=1, recipe="nasbench20")
    with pytest.raises(InvalidArgumentError, match="optimizer must be 'sgd' or 'adamw'"):
        Recipe("mine", "adam", 0.1, 0.0, 32)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="learning_rate must be positive"):
        Recipe("mine", "sgd", math.nan, 0.0, 32)


def test_the_recipe_of_nasbench201_is_the_published_one() -> None:
    recipe = RECIPES["nasbench201"]
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (0.1, 0.9, 5e-4)
    assert (recipe.batch_size, recipe.crop, recipe.flip) == (256, 4, True)
    (group,) = recipe.optimiser([nn.Parameter(torch.zeros(1))], fused=False).param_groups
    assert group["nesterov"]


@pytest.mark.gpu
def test_a_gpu_trains_in_bfloat16_with_channels_last(tmp_path: Path) -> None:
    seen = []
    network = _network()
    network[0].register_forward_hook(  # type: ignore[index]
        lambda _m, args, out: seen.append(
            (args[0].is_contiguous(memory_format=torch.channels_last), out.dtype)
        )
    )
    path = tmp_path / "state.pt"
    curve = train(network, DATA, epochs=12, recipe=FULL, device="cuda", checkpoint=path)
    assert curve[-1].validation_accuracy > 90
    half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    assert set(seen) == {(True, half)}
    assert train(_network(), DATA, epochs=12, recipe=FULL, device="cuda", checkpoint=path) == curve
    with pytest.raises(TrainingError, match="out of memory on cuda"):
        train(_Hungry(), DATA, epochs=1, device="cuda")
