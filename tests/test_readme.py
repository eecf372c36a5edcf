"""Everything in the README runs: its Python in one process, its commands one by one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CONSOLE = [
    line
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line
]
COMMANDS = [line for line in CONSOLE if line.startswith("surrogate-nas")]


def test_python(tmp_path: Path) -> None:
    assert len(PYTHON) == 4
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(PYTHON)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, tmp_path: Path) -> None:
    arguments = shlex.split(command, comments=True)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "surrogate_nas", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for written in re.findall(r"\S+\.(?:png|journal)\b|(?<=--out )\S+", command):
        assert (tmp_path / written).exists()


def test_scripts_exist() -> None:
    scripts = [shlex.split(line, comments=True)[0] for line in CONSOLE if line not in COMMANDS]
    assert scripts == ["./scripts/quickstart", "./scripts/test"]
    for script in [*scripts, *re.findall(r"`(scripts/[\w-]+)`", TEXT)]:
        assert (Path(__file__).parents[1] / script).is_file()
