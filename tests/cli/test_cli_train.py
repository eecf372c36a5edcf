"""The command `train`."""

from pathlib import Path

import pytest

from surrogate_nas.cli import main
from tests.answers import answered

ARCH = "conv3x3-skip-skip-maxpool3x3"
SMALL = ["--settings", "channels=2", "--device", "cpu"]


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    return answered(capsys, "train", ARCH, *SMALL, *arguments)


def test_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    answer = _json(capsys, "--epochs", "2", "--seed", "3")
    assert list(answer) == [
        *("arch", "dataset", "epochs", "seed", "validation_accuracy", "test_accuracy"),
        *("seconds", "parameters", "flops", "curve"),
    ]
    assert (answer["arch"], answer["dataset"], answer["epochs"], answer["seed"]) == (
        *(ARCH, "digits", 2, 3),
    )
    curve = answer["curve"]
    assert isinstance(curve, list)
    assert [point["epoch"] for point in curve] == [1, 2]
    assert curve[-1]["validation_accuracy"] == answer["validation_accuracy"]
    again = _json(capsys, "--epochs", "2", "--seed", "3")
    assert again["test_accuracy"] == answer["test_accuracy"]


def test_zero_epochs_build_and_count(capsys: pytest.CaptureFixture[str]) -> None:
    answer = _json(capsys, "--epochs", "0")
    assert answer["validation_accuracy"] is answer["test_accuracy"] is None
    assert answer["curve"] == []
    # Stem, one convolution, their normalisations, classifier.
    assert answer["parameters"] == 9 * 2 + 4 + 9 * 4 + 4 + 8 * 10 + 10
    assert answer["flops"] == 64 * (9 * 2 + 9 * 4) + 80


def test_goes_on_from_its_checkpoint_and_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["--checkpoint", str(tmp_path / "state.pt"), "--export", str(tmp_path / "model.pt")]
    first = _json(capsys, "--epochs", "2", *kept)
    again = _json(capsys, "--epochs", "2", *kept)
    assert again == first  # the seconds too: nothing was trained again
    from surrogate_nas.training.export import load_network

    assert load_network(tmp_path / "model.pt") is not None


def test_shows_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", ARCH, *SMALL, "--epochs", "1"]) == 0
    shown = capsys.readouterr()
    assert "152 parameters" in shown.out
    assert "after 1 epoch: validation" in shown.out
    assert "1/1" in shown.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([ARCH, "--dataset", "digit"], "did you mean 'digits'"),
        ([ARCH, "--dataset", "cifar10"], "needs data_dir (--data-dir)"),
        ([ARCH, "--recipe", "adam"], "did you mean 'adamw'"),
        ([ARCH, "--settings", "channel=2"], "has no setting 'channel'"),
        ([ARCH, "--network", "nowhere:build"], "cannot load the network 'nowhere:build'"),
        ([ARCH, "--device", "gpu"], "device must be one of"),
        ([ARCH, "--export", "model.txt"], "--export must end with .pt, .onnx or .pt2"),
        ([ARCH, "--export", "/nowhere/model.pt"], "--export must be in a folder that exists"),
        ([ARCH, "--export", "folder.pt"], "--export must be a file, but 'folder.pt' is a folder"),
        ([ARCH, "--checkpoint", "folder.pt"], "--checkpoint must be a file"),
        (["conv3x3", "--space", "dense-cell"], "is not 4 operations"),
        (["0000-gcn-gcn-gcn-gcn", "--space", "nas-bench-graph"], "nodes of a graph"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.pt").mkdir()
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["channels", "channels=x", "=3", "channels=8,"])
def test_settings_are_numbers_by_name(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", ARCH, "--settings", text])
    assert "must be like channels=8,cells=2" in capsys.readouterr().err


def test_a_setting_has_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", ARCH, "--settings", "channels=8,channels=4"])
    assert "must not name anything twice" in capsys.readouterr().err
