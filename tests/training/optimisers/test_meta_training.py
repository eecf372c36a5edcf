"""Meta-training of optimisers: the population, both gradients, resume, and the command."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, TrainingError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.optimisers import gradients
from surrogate_nas.training.optimisers.files import read_optimizer
from surrogate_nas.training.optimisers.gradients import GradientJob, gradient_of
from surrogate_nas.training.optimisers.learned import LearnedOptimiser
from surrogate_nas.training.optimisers.meta_training import MetaTraining, meta_train_optimizer
from surrogate_nas.training.optimisers.population import final_losses
from surrogate_nas.training.optimisers.rule import adam_numbers, place, sgd_numbers
from surrogate_nas.training.optimisers.start import first_numbers, scales
from tests.training.data import squares

SPACE = open_space("dense-cell")
ARCH = SPACE.parse("conv3x3-maxpool3x3-skip-avgpool3x3")
TRAINING = TrainingObjective(SPACE, squares(), epochs=1, device="cpu", settings={"channels": 2})
PLAN = MetaTraining(
    SPACE,
    {"squares": TRAINING, "others": TRAINING},
    estimator="backpropagation",
    generations=3,
    shortest=4,
    longest=6,
)


def _batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(16, 1, 6, 6, generator=generator), torch.arange(16) % 3) for _ in range(count)
    ]


def test_a_population_trains_as_its_members_do() -> None:
    rules = [sgd_numbers(0.05), adam_numbers(0.01), torch.from_numpy(first_numbers("schedule"))]
    *batches, last = _batches(6)
    found = final_losses(TRAINING.build(ARCH, seed=1), torch.stack(rules), batches, last)
    for rule, loss in zip(rules, found, strict=True):
        network = TRAINING.build(ARCH, seed=1)
        optimiser = LearnedOptimiser(network, rule, steps=len(batches))
        for inputs, labels in batches:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        expected = torch.nn.functional.cross_entropy(network(last[0]), last[1])
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["schedule", "network"])
def test_the_gradient_is_that_of_finite_differences(form: Any) -> None:
    start = torch.from_numpy(first_numbers(form)).double()
    start[place("weight_decay")] = 0.01  # a negative one counts as 0, where there is no derivative
    *batches, last = [(inputs.double(), labels) for inputs, labels in _batches(5)]

    def after(numbers: torch.Tensor, *, create_graph: bool = False) -> torch.Tensor:
        network = TRAINING.build(ARCH, seed=1).double()
        return final_losses(network, numbers[None], batches, last, create_graph=create_graph)[0]

    numbers = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(after(numbers, create_graph=True), numbers)
    direction = torch.randn(len(start), generator=torch.Generator().manual_seed(0)).double()
    direction *= torch.from_numpy(scales(form)).double()
    step = 1e-5 * direction
    slope = (after(start + step) - after(start - step)).detach() / 2e-5
    torch.testing.assert_close(gradient @ direction, slope, rtol=1e-3, atol=1e-6)


def test_evolution_finds_the_direction_of_backpropagation() -> None:
    numbers = first_numbers("schedule")
    numbers[place("weight_decay")] = 0.05
    job = GradientJob(
        "squares",
        ARCH,
        6,
        0,
        numbers,
        scales("schedule"),
        "backpropagation",
        pairs=200,
        width=0.05,
        smoothing=0.0,
    )
    exact = gradient_of({"squares": TRAINING}, job, "cpu")
    found = gradient_of({"squares": TRAINING}, replace(job, estimator="evolution"), "cpu")
    assert (exact.trainings, found.trainings) == (1, 400)
    assert exact.gradient is not None
    assert found.gradient is not None
    lengths = np.linalg.norm(exact.gradient) * np.linalg.norm(found.gradient)
    assert exact.gradient @ found.gradient / lengths > 0.7


@pytest.mark.parametrize("space", ["transformer", "nats-size"])
@pytest.mark.parametrize("estimator", ["evolution", "backpropagation"])
def test_networks_of_other_spaces(space: str, estimator: Any) -> None:
    other = open_space(space)
    training = TrainingObjective(other, squares(40, 8), epochs=1, device="cpu")
    arch = other.sample(np.random.default_rng(0))
    numbers, units = first_numbers("schedule"), scales("schedule")
    job = GradientJob("squares", arch, 2, 0, numbers, units, estimator, pairs=1)
    found = gradient_of({"squares": training}, job, "cpu")
    assert found.gradient is not None
    assert 0 < np.linalg.norm(found.gradient) < 1.001


def test_what_torch_cannot_do_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("derivative for x is not implemented\nmore")

    monkeypatch.setattr(gradients, "final_losses", fail)
    job = PLAN.jobs(0, first_numbers("schedule"), scales("schedule"))[0]
    with pytest.raises(TrainingError, match=r"\(derivative for x is not .*; try 'evolution'"):
        gradient_of({"squares": TRAINING}, job, "cpu")


def test_a_stopped_meta_training_goes_on_exactly(tmp_path: Path) -> None:
    whole, generations = meta_train_optimizer(PLAN, workers=1)
    path = tmp_path / "checkpoint"
    told: list[str] = []

    def stop(text: str) -> None:
        told.append(text)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meta_train_optimizer(PLAN, workers=1, checkpoint=path, on_step=stop)
    again, _ = meta_train_optimizer(PLAN, workers=1, checkpoint=path, on_step=told.append)
    assert np.array_equal(again.numbers, whole.numbers)
    assert not np.array_equal(again.numbers, first_numbers("schedule"))
    kinds = ["was there" if text == "was there" else text[:8] for text in told]
    assert kinds == ["loss on "] * 2 + ["was there"] * 2 + ["loss on "]
    assert again.provenance is not None
    assert [seen.name for seen in again.provenance.datasets] == ["squares", "others"]
    assert again.provenance.trainings == 6
    seen = {text for generation in generations for text in generation.architectures}
    assert set(again.provenance.architectures) == seen
    with pytest.raises(InvalidArgumentError, match="belongs to another training"):
        meta_train_optimizer(replace(PLAN, seed=1), workers=1, checkpoint=path)


def _meta_train(out: Path, *options: str) -> Sequence[str]:
    return [
        "meta-train",
        "--learn",
        "optimizer",
        "--dataset",
        "tests.training.data:source",
        "--settings",
        "channels=2",
        "--generations",
        "1",
        "--workers",
        "1",
        "--device",
        "cpu",
        "--out",
        str(out),
        *options,
    ]


def test_the_command_learns_and_trainings_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = tmp_path / "run.journal", tmp_path / "o.safetensors"
    search = ["search", "--dataset", "digits", "--settings", "channels=2", "--epochs", "1"]
    search += ["--trials", "2", "--searcher", "random", "--predictor", "none"]
    search += ["--device", "cpu", "--store", str(store)]
    assert main(search) == 0
    assert main(_meta_train(out, "--architectures", str(store), "--json")) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert record["tasks"] == ["tests.training.data:source"]
    provenance = read_optimizer(out).provenance
    assert provenance is not None
    assert provenance.source == str(store)
    capsys.readouterr()
    assert main([*search, "--optimizer", str(out)]) == 2  # not the trainings of this store
    assert "has other settings: optimizer None, now" in capsys.readouterr().err
    seen = ["train", "conv3x3-skip-skip-skip", "--dataset", "tests.training.data:source"]
    seen += ["--epochs", "1", "--settings", "channels=2", "--device", "cpu"]
    capsys.readouterr()
    assert main([*seen, "--optimizer", str(out)]) == 2
    assert "--allow-seen" in capsys.readouterr().err
    assert main([*seen, "--optimizer", str(out), "--allow-seen"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--architectures", "random,x.journal"], "architectures must be 'random' or stores"),
        (["--data-dir", "digits=/"], "which --dataset does not name"),
        (["--start", "nowhere.safetensors"], "there is no file"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(_meta_train(tmp_path / "o.safetensors", *options)) == 2
    assert message in capsys.readouterr().err
