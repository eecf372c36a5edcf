"""Real training as an objective."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from surrogate_nas.errors import ArchitectureError, InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Objective
from surrogate_nas.run import search
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.training.export import Standardised, export_network, load_network
from surrogate_nas.training.networks.base import NetworkTask
from surrogate_nas.training.objective import TrainingObjective
from tests.training.data import squares

SPACE = open_space("dense-cell")
ARCH = SPACE.parse("conv3x3-skip-skip-maxpool3x3")
DATA = squares()


def _objective(**options: object) -> TrainingObjective:
    chosen = {"epochs": 2, "device": "cpu", "settings": {"channels": 2}} | options
    return TrainingObjective(SPACE, DATA, **chosen)  # type: ignore[arg-type]


def test_an_evaluation_has_all_its_parts() -> None:
    objective = _objective()
    assert isinstance(objective, Objective)
    found = objective.evaluate(ARCH)
    training = objective.train(ARCH)
    last = training.curve[-1]
    assert found.value == last.validation_accuracy
    assert found.hidden == {objective.goals[0].metric: last.test_accuracy}
    assert (found.cost, found.budget, found.seed) == (2.0, 2, 0)
    assert set(found.metrics) == {"parameters", "flops", "seconds"}
    assert found.metrics["parameters"] == sum(p.numel() for p in training.network.parameters())
    assert objective.evaluate(ARCH, budget=1).budget == 1


def test_the_seed_draws_the_weights_too() -> None:
    objective = _objective()
    weights = [
        torch.cat([p.flatten() for p in objective.build(ARCH, seed=seed).parameters()])
        for seed in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    values = [objective.evaluate(ARCH, seed=seed) for seed in (0, 0, 1)]
    assert values[0].value == values[1].value
    assert values[2].seed == 1


def test_isomorphs_are_merged() -> None:
    space = open_space("nasbench201")
    objective = TrainingObjective(space, DATA, epochs=1, device="cpu")
    assert objective.space.isomorphs == "merged"
    assert objective.space.size == 6466


def test_survives_the_way_to_another_process() -> None:
    objective = _objective()
    again = pickle.loads(pickle.dumps(objective))
    assert again.evaluate(ARCH).value == objective.evaluate(ARCH).value


def test_a_search_trains_and_goes_on_after_a_failure() -> None:
    objective = _objective(epochs=1, network=sometimes_broken, settings=None)
    result = search(RandomSearch(SPACE, seed=0), objective, trials=8)
    for trial in result.trials:
        if trial.arch.choices[0] < 3:
            assert trial.error is not None
            assert trial.error.startswith("TrainingError: the training diverged in epoch 1")
        else:
            assert trial.value is not None
    assert len({trial.error is None for trial in result.trials}) == 2


def sometimes_broken(arch: Architecture, task: NetworkTask) -> nn.Module:
    network = own(arch, task)
    if arch.choices[0] < 3:
        nn.init.constant_(next(iter(network.parameters())), torch.inf)
    return network


def test_zero_epochs_count_only() -> None:
    training = _objective().train(ARCH, epochs=0)
    assert training.curve == ()
    assert training.flops > training.parameters > 0
    with pytest.raises(InvalidArgumentError, match="at least 1 epoch"):
        _objective(epochs=0).evaluate(ARCH)


def test_a_watcher_makes_a_smaller_budget() -> None:
    found = _objective(epochs=5, watch=lambda point: point.epoch == 3).evaluate(ARCH)
    assert (found.budget, found.cost) == (3, 3.0)


def test_mistakes_are_found_before_the_first_training() -> None:
    for options, error, reason in (
        ({"recipe": "sdg"}, UnknownNameError, "did you mean 'sgd'"),
        ({"network": "nowhere"}, UnknownNameError, "unknown network"),
        ({"settings": {"chanels": 2}}, InvalidArgumentError, "has no setting 'chanels'"),
        ({"device": "gpu"}, InvalidArgumentError, "device must be"),
        ({"epochs": -1}, InvalidArgumentError, "epochs must be at least 0"),
    ):
        with pytest.raises(error, match=reason):
            _objective(**options)
    with pytest.raises(ArchitectureError):
        _objective().evaluate(Architecture("dense-cell", (9, 0, 0, 0)))


def own(arch: Architecture, task: NetworkTask) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, task.classes))


def test_a_network_of_ones_own_is_trained() -> None:
    objective = _objective(network=f"{__name__}:own", settings=None, epochs=10)
    assert objective.evaluate(ARCH).value > 80


# Export ---------------------------------------------------------------------------------------


def _logits(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = network(torch.from_numpy(DATA.test.inputs))
    return logits


def test_an_exported_network_takes_raw_images(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    objective = _objective(epochs=4)
    training = objective.train(ARCH)
    export_network(
        path,
        training.network,
        DATA,
        space="dense-cell",
        architecture=SPACE.format(ARCH),
        settings={"channels": 2},
    )
    network = load_network(path)
    accuracy = (_logits(network).argmax(1).numpy() == DATA.test.labels).mean()
    assert 100 * accuracy == pytest.approx(training.curve[-1].test_accuracy)
    assert not network.training


@pytest.mark.extra
@pytest.mark.filterwarnings("ignore")
def test_an_onnx_file_gives_the_same_logits(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    network = _objective().build(ARCH).eval()
    export_network(path, network, DATA, space="dense-cell", architecture=SPACE.format(ARCH))
    assert capfd.readouterr().err == ""
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = DATA.test.inputs.astype(np.float32)
    (logits,) = session.run(None, {"images": images})
    expected = _logits(Standardised(network, DATA.moments))
    np.testing.assert_allclose(logits, expected.numpy(), rtol=1e-3, atol=1e-4)
