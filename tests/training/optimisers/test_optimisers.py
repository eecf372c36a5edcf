"""Learned optimisers: SGD and AdamW as oracles, exact resume, fallback, files and what they saw."""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from surrogate_nas.errors import FormatError, InvalidArgumentError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.seen import SeenDataset
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers.choice import find_optimizer
from surrogate_nas.training.optimisers.files import (
    LearnedRule,
    Provenance,
    read_optimizer,
    write_optimizer,
)
from surrogate_nas.training.optimisers.layout import KINDS, described
from surrogate_nas.training.optimisers.learned import LearnedOptimiser
from surrogate_nas.training.optimisers.rule import adam_numbers, network_start, sgd_numbers
from surrogate_nas.training.optimisers.start import first_numbers
from surrogate_nas.training.plan import plan_training, study_of
from surrogate_nas.training.recorder import TrainingRecorder
from surrogate_nas.training.trainer import train
from surrogate_nas.training_settings import recorded
from tests.training.data import squares

DATA = squares()
SPACE = open_space("dense-cell")
STEPS = 40


def small_network() -> nn.Module:
    """A convolution, a normalisation and a linear layer, for `squares`."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(144, 3),
    )


def _provenance(*datasets: SeenDataset) -> Provenance:
    return Provenance(
        space=SPACE.identity,
        datasets=datasets,
        architectures=("conv3x3-skip-skip-skip",),
        source="random",
        recipe="sgd",
        settings={},
        trainings=1,
        seconds=2.5,
        seed=0,
        created=1,
        program="0",
    )


def _rule(numbers: Tensor, *datasets: SeenDataset) -> LearnedRule:
    return LearnedRule(numbers.numpy(), _provenance(*datasets))


def _after(
    make: Callable[[nn.Module], torch.optim.Optimizer], rate: float | None = None
) -> nn.Module:
    """The network in double precision after STEPS steps, at a rate that falls as a cosine."""
    network = small_network().double()
    optimiser = make(network)
    inputs = torch.from_numpy(DATA.train.inputs / 100.0)
    labels = torch.from_numpy(DATA.train.labels)
    for step in range(STEPS):
        if rate is not None:
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 + math.cos(math.pi * step / STEPS)) / 2
        optimiser.zero_grad()
        cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network


@pytest.mark.parametrize("form", ["schedule", "network"])
@pytest.mark.parametrize(
    ("numbers", "rate", "make"),
    [
        (
            sgd_numbers(0.1),
            0.1,
            lambda n: torch.optim.SGD(n.parameters(), 0.1, momentum=0.9, nesterov=True),
        ),
        (
            adam_numbers(0.01, weight_decay=0.1),
            0.01,
            lambda n: torch.optim.AdamW(n.parameters(), 0.01, weight_decay=0.1),
        ),
    ],
)
def test_with_their_numbers_it_is_sgd_and_adamw(
    numbers: Tensor,
    rate: float,
    make: Callable[[nn.Module], torch.optim.Optimizer],
    form: str,
) -> None:
    if form == "network":  # which changes nothing before it has learnt
        numbers = network_start(numbers, torch.Generator().manual_seed(0))
    theirs = _after(make, rate)
    own = _after(lambda n: LearnedOptimiser(n, numbers.double(), steps=STEPS))
    for ours, expected in zip(own.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def test_kinds_and_depths_of_a_network() -> None:
    network = nn.Sequential(
        nn.Sequential(*list(small_network().children())[:4]),
        nn.Linear(144, 5),
        nn.LayerNorm(5),
        nn.Linear(5, 3),
    )
    found = {name: (KINDS[kind], depth) for name, _, kind, depth in described(network)}
    assert found == {
        "0.0.weight": ("weight", 0.0),
        "0.1.weight": ("scale", 0.25),
        "0.1.bias": ("bias", 0.25),
        "1.weight": ("weight", 0.5),
        "1.bias": ("bias", 0.5),
        "2.weight": ("scale", 0.75),
        "2.bias": ("bias", 0.75),
        "3.weight": ("head", 1.0),
        "3.bias": ("bias", 1.0),
    }


def test_a_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    rule = _rule(torch.from_numpy(first_numbers("network")))
    whole, stopped = small_network(), small_network()
    curve = train(whole, DATA, epochs=4, optimizer=rule, device="cpu")
    for watch in (lambda point: point.epoch == 2, None):
        again = train(
            stopped,
            DATA,
            epochs=4,
            optimizer=rule,
            device="cpu",
            checkpoint=tmp_path / "c",
            watch=watch,
        )
        stopped = stopped if watch is None else small_network()
    assert [p.loss for p in again] == [p.loss for p in curve]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, stopped.state_dict()[name])
    other = _rule(adam_numbers(0.01))
    for optimizer in (other, None):  # never mixed
        with pytest.raises(InvalidArgumentError, match="belongs to another training"):
            train(
                small_network(),
                DATA,
                epochs=4,
                optimizer=optimizer,
                device="cpu",
                checkpoint=tmp_path / "c",
            )


def test_a_training_that_diverges_starts_again_with_the_recipe(tmp_path: Path) -> None:
    rule = _rule(sgd_numbers(1e12))
    told: list[str] = []
    own, fallen = small_network(), small_network()
    expected = train(own, DATA, epochs=3, device="cpu")
    found = train(fallen, DATA, epochs=3, optimizer=rule, device="cpu", on_fallback=told.append)
    assert [p.loss for p in found] == [p.loss for p in expected]
    assert len(told) == 1
    assert "diverged in epoch 1 with the learned optimizer" in told[0]
    for watch in (lambda point: point.epoch == 2, None):  # and goes on with that
        curve = train(
            small_network(),
            DATA,
            epochs=3,
            optimizer=rule,
            device="cpu",
            checkpoint=tmp_path / "c",
            watch=watch,
            on_fallback=told.append,
        )
    assert [p.loss for p in curve] == [p.loss for p in expected]
    assert len(told) == 2


def test_an_objective_says_that_it_fell_back() -> None:
    arch = SPACE.parse("conv3x3-skip-skip-skip")
    objective = TrainingObjective(
        SPACE, DATA, epochs=2, device="cpu", settings={"channels": 2}, optimizer=None
    )
    plain = objective.evaluate(arch)
    assert "fell_back" not in plain.metrics
    objective.optimizer = _rule(sgd_numbers(1e12))
    with pytest.warns(UserWarning, match=r"conv3x3-skip-skip-skip, seed 0: .* diverged"):
        evaluation = objective.evaluate(arch)
    with pytest.warns(UserWarning, match="diverged"):
        record = TrainingRecorder(objective).record(arch, 0, "cpu")
    assert (evaluation.metrics["fell_back"], record.fell_back) == (1, 1)
    assert evaluation.curve == plain.curve
    objective.optimizer = _rule(adam_numbers(0.01))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert objective.evaluate(arch).metrics["fell_back"] == 0


# Files ------------------------------------------------------------------------------------------


def test_a_file_holds_numbers_and_provenance(tmp_path: Path) -> None:
    path = tmp_path / "o.safetensors"
    rule = _rule(torch.from_numpy(first_numbers("network")), SeenDataset("digits", "f"))
    write_optimizer(path, rule)
    found = read_optimizer(path)
    assert np.array_equal(found.numbers, rule.numbers)
    assert found.provenance == rule.provenance
    assert found.identity == rule.identity
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match="checksum"):
        read_optimizer(path)
    write_optimizer(path, replace(rule, numbers=rule.numbers[:-1].copy()))
    with pytest.raises(FormatError, match="no numbers of a rule"):
        read_optimizer(path)
    with pytest.raises(InvalidArgumentError, match="no provenance"):
        write_optimizer(path, LearnedRule(rule.numbers))


@pytest.mark.parametrize(
    "seen",
    [SeenDataset("another name", DATA.fingerprint), SeenDataset(DATA.name, "other examples")],
)
def test_what_saw_the_data_set_is_refused(tmp_path: Path, seen: SeenDataset) -> None:
    path = tmp_path / "o.safetensors"
    write_optimizer(path, _rule(adam_numbers(0.01), seen))
    with pytest.raises(InvalidArgumentError, match=r"was learnt on the data set .* --allow-seen"):
        find_optimizer(path, DATA)
    assert find_optimizer(path, DATA, allow_seen=True).saw(DATA)


def test_a_plan_notes_its_optimizer_and_repeats_it(tmp_path: Path) -> None:
    path = tmp_path / "o.safetensors"
    rule = _rule(adam_numbers(0.01), SeenDataset("digits", "x"))
    write_optimizer(path, rule)
    source = "tests.training.data:source"
    options = {"dataset": source, "epochs": 1, "device": "cpu"}
    plain, without = plan_training(SPACE, None, **options)  # type: ignore[arg-type]
    assert plain.optimizer is None
    assert "optimizer" not in without
    training, plan = plan_training(SPACE, None, optimizer=path, **options)  # type: ignore[arg-type]
    assert training.optimizer is not None
    assert plan["optimizer"] == {"file": str(path), "identity": rule.identity}
    assert study_of(SPACE, plan)[0] == f"{study_of(SPACE, without)[0]}/{rule.identity}"
    again, noted = plan_training(SPACE, recorded(plan), device="cpu")
    assert again.optimizer is not None
    assert again.optimizer.identity == rule.identity
    assert noted["optimizer"] == plan["optimizer"]
    assert plan_training(SPACE, recorded(plan), optimizer="none")[0].optimizer is None
    write_optimizer(path, _rule(adam_numbers(0.02)))
    with pytest.raises(InvalidArgumentError, match="not the one of the recorded trainings"):
        plan_training(SPACE, recorded(plan), device="cpu")
