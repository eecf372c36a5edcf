"""``search --export-best``: the best network as a file, from a table and from real trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from surrogate_nas.cli import main
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.export import load_network
from surrogate_nas.training.objective import TrainingObjective
from tests.answers import answered

TABLE = ["search", "--benchmark", "cell-bench", "--task", "digits", "--searcher", "random"]
TABLE += ["--predictor", "none", "--trials", "4"]
TRAINED = ["search", "--dataset", "digits", "--settings", "channels=2", "--epochs", "1"]
TRAINED += ["--predictor", "none", "--trials", "2"]


def accuracies(path: Path) -> tuple[float, float]:
    """Validation and test accuracy in % of an exported network."""
    data, network = open_dataset("digits"), load_network(path)
    found = []
    for part in (data.validation, data.test):
        with torch.no_grad():
            right = network(torch.from_numpy(part.inputs)).argmax(1).numpy() == part.labels
        found.append(100 * float(right.mean()))
    return found[0], found[1]


def test_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "best.pt"
    answer = answered(capsys, *TABLE, "--export-best", str(path), "--epochs", "1")
    told = answer["export"]
    assert told["arch"] == answer["best"]["arch"]
    assert (told["path"], told["card"]) == (str(path), str(tmp_path / "best.card.md"))
    assert told["error"] is None
    assert (told["epochs"], told["seed"]) == (1, 3)  # the table has the seeds 0 to 2
    expected = told["validation_accuracy"], told["test_accuracy"]
    assert accuracies(path) == pytest.approx(expected)
    card = Path(told["card"]).read_text(encoding="utf-8")
    for part in (
        told["arch"],
        "| found by | random, 4 trials, seed 0 |",
        "| searched | cell-bench/digits |",
        "channels=8",
        f"| test accuracy | {told['test_accuracy']:.2f} % |",
        "load_network('best.pt')",
        "\n## Limits\n",
    ):
        assert part in card


def test_from_a_search_by_training_it_is_the_same_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "best.pt"
    answer = answered(capsys, *TRAINED, "--export-best", str(path))
    assert answer["export"]["validation_accuracy"] == answer["best"]["value"]
    assert answer["export"]["test_accuracy"] == answer["best"]["test"]
    assert accuracies(path)[0] == pytest.approx(answer["best"]["value"])


def test_the_best_that_keeps_a_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*TABLE, "--trials", "12", "--limit", "parameters<=2500", "--epochs", "1"]
    answer = answered(capsys, *command, "--export-best", str(tmp_path / "best.pt"))
    assert answer["export"]["arch"] == answer["best"]["arch"]
    network = load_network(tmp_path / "best.pt")
    assert sum(p.numel() for p in network.parameters()) <= 2500
    several = [*TABLE, "--goal", "accuracy", "--goal", "parameters", "--export-best", "best.pt"]
    assert main(several) == 2
    assert "--export-best serves one goal, got 2" in capsys.readouterr().err


@pytest.mark.extra
def test_as_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = tmp_path / "best.onnx"
    assert main([*TRAINED, "--export-best", str(path)]) == 0
    shown = capsys.readouterr()
    assert f"is in {path}, its card in {tmp_path / 'best.card.md'}" in shown.err
    data = open_dataset("digits")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": data.test.inputs.astype(np.float32)})
    accuracy = 100 * (logits.argmax(1) == data.test.labels).mean()
    assert f"test {accuracy:.2f} %" in shown.err
    assert "ONNX Runtime and of PyTorch differ by" in (tmp_path / "best.card.md").read_text()


def test_a_failed_training_does_not_hide_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from surrogate_nas.errors import TrainingError

    def diverges(*_: object, **__: object) -> None:
        raise TrainingError("it diverged")

    monkeypatch.setattr(TrainingObjective, "train", diverges)
    path = tmp_path / "best.pt"
    assert main([*TABLE, "--export-best", str(path)]) == 1
    shown = capsys.readouterr()
    assert "the best network was not exported: it diverged" in shown.err
    assert "best accuracy" in shown.out
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([*TABLE, "--export-best", "best.h5"], "--export-best must end with .pt, .onnx or .pt2"),
        ([*TABLE, "--export-best", "/nowhere/best.pt"], "--export-best must be in a folder"),
        (
            ["search", "--task", "cora", "--trials", "3", "--export-best", "best.pt"],
            "nothing is recorded of how these architectures were trained",
        ),
    ],
)
def test_mistakes_are_told_before_the_search(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_the_seed_of_the_best_trial_gives_its_network() -> None:
    space = open_space("dense-cell")
    arch = space.sample(np.random.default_rng(0))
    data = open_dataset("digits")
    one, two = (
        TrainingObjective(space, data, epochs=1, device="cpu", settings={"channels": 2})
        .train(arch, seed=5)
        .network.state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
