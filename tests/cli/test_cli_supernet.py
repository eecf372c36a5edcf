"""The command `supernet`."""

import pytest

from surrogate_nas.cli import main
from surrogate_nas.spaces import open_space
from tests.answers import answered

SMALL = ["--settings", "channels=1,stem_stride=2", "--device", "cpu", "--epochs", "1"]


@pytest.mark.parametrize("method", ["darts", "gdas"])
def test_prints_one_json_object(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(capsys, "supernet", "--method", method, *SMALL, "--seed", "3")
    assert list(answer) == [
        *("space", "dataset", "method", "epochs", "seed", "arch", "probabilities", "seconds"),
        "curve",
    ]
    assert (answer["dataset"], answer["method"], answer["seed"]) == ("digits", method, 3)
    best = [max(row, key=row.__getitem__) for row in answer["probabilities"].values()]
    assert answer["arch"] == "-".join(best)
    assert open_space("dense-cell").parse(answer["arch"])
    (point,) = answer["curve"]
    assert list(point) == ["epoch", "loss", "validation_loss", "arch", "seconds"]


def test_shows_how_to_train_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supernet", *SMALL]) == 0
    shown = capsys.readouterr()
    chosen = shown.out.splitlines()[0].rpartition(" ")[2]
    sizes = "--settings channels=1,stem_stride=2"
    assert f"train it: surrogate-nas train {chosen} --dataset digits {sizes}\n" in shown.out
    assert "1/1" in shown.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--method dart", "did you mean 'darts'"),
        ("--dataset digit", "did you mean 'digits'"),
        ("--settings width=3", "has no setting 'width'"),
        ("--recipe adam", "did you mean 'adamw'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["supernet", *arguments.split()]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
