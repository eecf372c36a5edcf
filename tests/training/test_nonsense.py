"""What users do wrong with real training, each answered by one line and the exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.cli import main

ARCH = "conv3x3-skip-skip-maxpool3x3"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data that are not what they should be."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8)
    (tmp_path / "empty").mkdir()
    for name, images, labels in (("cut", 1000, 60), ("fewer", None, 50)):
        place = tmp_path / name
        place.mkdir()
        for part in ("train", "t10k"):
            head = bytes([0, 0, 8, 3]) + np.array([60, 8, 8], dtype=">u4").tobytes()
            content = head + pixels.tobytes()
            (place / f"{part}-images-idx3-ubyte").write_bytes(content[:images])
            head = bytes([0, 0, 8, 1]) + np.array([labels], dtype=">u4").tobytes()
            numbers = (np.arange(labels) % 10).astype(np.uint8)
            (place / f"{part}-labels-idx1-ubyte").write_bytes(head + numbers.tobytes())
    halves = np.arange(60) % 2
    np.savez(tmp_path / "one.npz", x_train=pixels, y_train=np.zeros(60, dtype=np.int64))
    np.savez(tmp_path / "none.npz", x_train=pixels[:0], y_train=halves[:0])
    np.savez(tmp_path / "half.npz", x_train=pixels, y_train=halves, x_test=pixels)
    np.save(tmp_path / "array.npy", pixels)
    (tmp_path / "broken_nets.py").write_text("def build(:", encoding="utf-8")
    (tmp_path / "raising_nets.py").write_text("raise KeyError('no such file')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [["train", ARCH], ["search", "--predictor", "none"]])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--dataset mnist --data-dir empty", "there is no file train-images-idx3-ubyte"),
        ("--dataset mnist --data-dir nowhere", "data_dir must exist"),
        ("--dataset mnist --data-dir cut", "should hold 3840 bytes"),
        ("--dataset mnist --data-dir fewer", "has 60 inputs with 50 labels"),
        ("--dataset cifar10 --data-dir empty", "there is no file 'data_batch_1'"),
        ("--dataset npz --data-dir one.npz", "at least two classes"),
        ("--dataset npz --data-dir none.npz", "data set 'npz' has no training examples"),
        ("--dataset npz --data-dir half.npz", "must hold both x_test and y_test"),
        ("--dataset npz --data-dir array.npy", "array.npy is not a .npz file"),
        ("--dataset images --data-dir one.npz", "cannot be read: NotADirectoryError"),
        ("--dataset os:getcwd", "cannot be read: TypeError"),
        ("--dataset builtins:print", "must be Examples"),
        ("--dataset digits --settings channels=-3", "integer of at least 1, got -3"),
        ("--dataset digits --settings channels=2.5", "integer of at least 1, got 2.5"),
        ("--dataset digits --settings cells=0", "the setting cells of the network of 'dense-cell'"),
        ("--dataset digits --network broken_nets:build", "SyntaxError: invalid syntax"),
        ("--dataset digits --network raising_nets:build", "KeyError: 'no such file'"),
        ("--dataset digits --network :build", "cannot load the network ':build': ValueError"),
        ("--dataset digits --network ../nets:build", "cannot load the network '../nets:build'"),
        ("--dataset digits --seed 99999999999999999999", "seed must be at least 0 and below"),
    ],
)
def test_one_line(
    command: list[str], arguments: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *arguments.split(), "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    told = [line for line in error.splitlines() if not line.startswith("warning: ")]
    assert len(told) == 1  # torch_geometric warns when it is loaded
