"""Everything in the README runs: its Python block by block, its commands one by one."""

from __future__ import annotations

import os
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
# Each block runs alone: with names of its own, and files that no other one has made.
EACH = """
import sys
for number, block in enumerate(sys.argv[1:]):
    exec(compile(block, f"block {number}", "exec"), {"__name__": "__main__"})
"""
OWN = [line for line in CONSOLE if "results.csv" in line or "--benchmark mine" in line]
COMMANDS = [line for line in CONSOLE if line.startswith("surrogate-nas") and line not in OWN]


def test_python(tmp_path: Path) -> None:
    assert len(PYTHON) == 7
    done = subprocess.run(
        [sys.executable, "-c", EACH, *PYTHON], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def run(command: str, folder: Path, home: Path | None = None) -> None:
    """Run a command of the README in a folder."""
    arguments = shlex.split(command, comments=True)[1:]
    environment = os.environ if home is None else os.environ | {"SURROGATE_NAS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "surrogate_nas", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_results_of_ones_own(tmp_path: Path) -> None:
    (results,) = re.findall(r"```csv\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "results.csv").write_text(results)
    assert len(OWN) == 2
    for command in OWN:
        run(command, tmp_path, tmp_path / "home")
    assert (tmp_path / "home" / "tables" / "mine.h5").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, tmp_path: Path) -> None:
    run(command, tmp_path)
    for written in re.findall(r"\S+\.(?:png|journal|h5)\b|(?<=--out )\S+", command):
        assert (tmp_path / written).exists()


def test_each_store_has_a_file_of_its_own() -> None:
    stores = [word for line in CONSOLE for word in line.split() if word.endswith(".journal")]
    searched = [line for line in CONSOLE if "--store" in line]
    assert len(set(re.findall(r"--store (\S+)", "\n".join(searched)))) == len(searched)
    assert stores
    assert (Path(__file__).parents[1] / "docs" / "overview.svg").is_file()


def test_scripts_exist() -> None:
    scripts = [shlex.split(line, comments=True)[0] for line in CONSOLE if "scripts" in line]
    assert scripts == ["./scripts/quickstart", "./scripts/test"]
    for script in [*scripts, *re.findall(r"`(scripts/[\w-]+)`", TEXT)]:
        assert (Path(__file__).parents[1] / script).is_file()
