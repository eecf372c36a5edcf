"""The command `build`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

import surrogate_nas.workflows.build
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.cli import main
from surrogate_nas.records import BuildRecord, FailedTraining
from tests.answers import answered

SMALL = ["--epochs", "1", "--settings", "channels=2", "--device", "cpu", "--workers", "1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of really trained networks."""
    path = tmp_path_factory.mktemp("built") / "mine.h5"
    assert main(["build", *SMALL, "--count", "3", "--out", str(path)]) == 0
    return path


def test_prints_one_json_object(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(capsys, "build", *SMALL, "--count", "2", "--out", out)
    assert list(answer) == [
        *("path", "log", "space", "tasks", "architectures", "seeds", "epochs", "trainings"),
        *("trained", "failed", "seconds"),
    ]
    assert (answer["architectures"], answer["trainings"], answer["trained"]) == (2, 2, 0)
    assert answer["tasks"] == ["digits"]
    assert answer["failed"] == []


def test_the_table_is_what_train_finds(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = HDF5Benchmark(out).task("digits")
    arch = task.space.architecture(task.choices[0])
    text = task.space.format(arch)
    assert main(["train", text, *SMALL[:-2], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = task.evaluate(arch, seed=0)
    assert found.value == answer["validation_accuracy"]
    assert found.hidden["accuracy"] == answer["test_accuracy"]
    assert found.metrics["flops"] == answer["flops"]


def test_other_settings_are_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [*SMALL[:3], "channels=3", *SMALL[4:]]
    assert main(["build", *small, "--count", "3", "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert "settings={'channels': 2} of digits, and {'channels': 3}" in message
    assert "Traceback" not in message


def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(surrogate_nas.workflows.build, "build", interrupted)
    path = tmp_path / "t.h5"
    assert main(["build", *SMALL, "--count", "3", "--out", str(path)]) == 130
    assert f"{path}.log: the same command goes on from there" in capsys.readouterr().err


def test_gpus_need_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", *SMALL, "--gpus-per-trial", "1", "--out", "t.h5"]) == 2
    assert "name --ray, too" in capsys.readouterr().err


def test_failures_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from surrogate_nas.cli.build import _show

    failure = FailedTraining("digits", "a", 1, "TrainingError: diverged")
    record = BuildRecord(
        path=Path("t.h5"), log=Path("t.h5.log"), space="dense-cell", tasks=("digits",),
        architectures=5, seeds=2, epochs=1, trainings=10, trained=10, failed=(failure,) * 6,
        seconds=1.0,
    )  # fmt: skip
    _show(record)
    shown = capsys.readouterr().out
    assert "5 architectures of dense-cell on digits, 2 seeds; 10 trainings in" in shown
    assert "6 of 10 trainings failed" in shown
    assert "digits a seed 1: TrainingError: diverged" in shown
    assert "surrogate-nas retry t.h5" in shown
    assert "and 1 more" in shown
    _show(replace(record, architectures=1, seeds=1, trained=1, failed=()))
    assert "1 architecture of dense-cell on digits, 1 seed; 1 training in" in (
        capsys.readouterr().out
    )
