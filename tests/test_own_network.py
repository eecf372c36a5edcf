"""A space declared in a TOML file, with a network of the user's own, from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_nas.cli import main
from tests.answers import answered

SPACE = """
name = "tiny-nets"
graph = "chain"
decisions = 2
options = ["none", "conv3", "conv5"]

[operations]
conv3 = { operation = "conv", kernel = 3 }
conv5 = { operation = "conv", kernel = 5 }
"""
NETWORK = """
import ctypes

from torch import nn

KERNELS = {1: 3, 2: 5}


def build(architecture, task, *, channels=4):
    width, layers = task.shape[0], []
    for choice in architecture.choices:
        if choice in KERNELS:
            size = KERNELS[choice]
            layers += [nn.Conv2d(width, channels, size, padding=size // 2), nn.ReLU()]
            width = channels
    pixels = task.shape[1] * task.shape[2]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * pixels, task.classes))


def broken(architecture, task):
    raise KeyError("no such option")


def narrow(architecture, task):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def fixed(architecture, task):
    return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(task.classes))


class Crash(nn.Module):
    def forward(self, inputs):
        if len(inputs) > 2:
            ctypes.string_at(0)
        return inputs


def crashing(architecture, task):
    network = build(architecture, task)
    return nn.Sequential(Crash(), network) if architecture.choices[0] == 1 else network
"""
COMMON = ["--space", "nets.toml", "--dataset", "digits", "--network", "own_nets:build"]
COMMON += ["--device", "cpu", "--epochs", "1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.toml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "own_nets.py").write_text(NETWORK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    return tmp_path


def test_is_trained_counted_and_exported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "conv3:none", *COMMON, "--settings", "channels=2"]
    answer = answered(capsys, *train, "--export", "model.pt")
    assert answer["parameters"] == (9 * 2 + 2) + (2 * 64 * 10 + 10)
    assert answer["flops"] == 9 * 2 * 64 + 2 * 64 * 10
    assert answer["validation_accuracy"] > 30
    from surrogate_nas.training.export import load_network

    assert sum(p.numel() for p in load_network(folder / "model.pt").parameters()) == 1310


def test_is_searched_and_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", *COMMON, "--predictor", "none", "--store", "own.journal"]
    first = answered(capsys, *search, "--trials", "2")
    assert all(trial["error"] is None for trial in first["trials"])
    longer = answered(capsys, *search, "--trials", "3")
    assert longer["trials"][:2] == first["trials"]
    made = {trial["arch"] for trial in longer["trials"]}
    assert len(made) == 3
    assert longer["space"] == "nets.toml"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("own_nets:broken", "KeyError: 'no such option'"),
        ("own_nets:missing", "cannot load the network 'own_nets:missing'"),
        ("absent_nets:build", "cannot load the network 'absent_nets:build'"),
        (None, "'tiny-nets' has no network of its own"),
    ],
)
def test_mistakes_are_one_line(
    network: str | None, reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--network", network] if network else []
    command = ["train", "conv3:none", "--space", "nets.toml", "--dataset", "digits", *named]
    assert main([*command, "--epochs", "0"]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("own_nets:narrow", "a logit for each of 10 classes, (32, 10), and gives (32, 3)"),
        ("own_nets:fixed", "cannot be trained: ValueError: optimizer got an empty parameter list"),
    ],
)
def test_what_no_training_can_do_is_one_line_or_a_failed_trial(
    network: str, reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [*COMMON[:4], "--network", network, *COMMON[6:]]
    assert main(["train", "conv3:none", *common]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert main(["search", *common, "--predictor", "none", "--trials", "2"]) == 1
    shown = capsys.readouterr()
    assert "2 trials, 2 failed" in shown.out
    assert "every trial failed; the first reason was: InvalidArgumentError: " in shown.err
    assert reason in shown.err


def test_its_crash_is_a_failed_trial(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word.replace("own_nets:build", "own_nets:crashing") for word in COMMON]
    answer = answered(capsys, "search", *words, "--predictor", "none", "--trials", "4")
    crashed = [trial for trial in answer["trials"] if trial["arch"].startswith("conv3")]
    assert 0 < len(crashed) < 4
    for trial in answer["trials"]:
        if trial in crashed:
            assert "was ended by SIGSEGV" in trial["error"]
        else:
            assert trial["error"] is None


def test_a_checkpoint_is_of_one_builder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["--checkpoint", "state.pt", *COMMON]
    assert main(["train", "conv3:none", *own]) == 0
    capsys.readouterr()
    other = [word.replace("own_nets:build", "own_nets:narrow") for word in own]
    assert main(["train", "conv3:none", *other]) == 2
    assert "belongs to another training" in capsys.readouterr().err


def test_the_installed_command_looks_into_the_working_folder(folder: Path) -> None:
    """The path of a console script begins with the script's own folder."""
    script = folder / "elsewhere" / "surrogate-nas"
    script.parent.mkdir()
    script.write_text("import sys\nfrom surrogate_nas.cli import main\nsys.exit(main())\n")
    command = [sys.executable, str(script), "train", "conv3:conv5", *COMMON[:-1], "0", "--json"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arch"] == "conv3:conv5"


def test_a_search_by_proxies_builds_them_all(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(folder))
    search = ["search", *COMMON, "--searcher", "proxy:parameters", "--predictor", "gp"]
    search += ["--trials", "3", "--batch", "1", "--store", "a.journal"]
    answer = answered(capsys, *search)
    assert answer["trials"][0]["arch"] == "conv5:conv5"
    assert answer["proxies"] == ["parameters"]
    files = list((folder / "proxies").iterdir())
    assert answered(capsys, *search)["trials"] == answer["trials"]
    assert list((folder / "proxies").iterdir()) == files
    assert main([*search, "--proxies", "flops"]) == 2
    assert "other settings: proxies 'parameters-" in capsys.readouterr().err
