"""The scripts make an environment by pip or uv, show progress, and tell what to type next."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Stands for Python: makes an environment of itself, and notes what pip is asked to install.
PYTHON = """#!/bin/bash
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$FAKES/tool" "$3/bin/surrogate-nas";;
    "-m pip")
        case "$3" in
            install)
                echo "pip $*" >>"$FAKES/log"
                echo "Collecting numpy"; echo "Requirement already satisfied: pip"
                echo "Successfully installed numpy"; exit "${PIP_FAILS:-0}";;
            config) cat "$FAKES/config";;
        esac;;
esac
"""
UV = """#!/bin/bash
echo "uv $*" >>"$FAKES/log"
exit "${UV_FAILS:-0}"
"""
TOOL = """#!/bin/bash
echo "surrogate-nas $*" >>"$FAKES/log"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the scripts, and programs that stand for Python and uv."""
    root = tmp_path / "checkout"
    (root / "scripts").mkdir(parents=True)
    for name in ("env.sh", "quickstart"):
        shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_text("")
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name, text in (("python", PYTHON), ("uv", UV), ("tool", TOOL)):
        (fakes / name).write_text(text)
        (fakes / name).chmod(0o755)
    (fakes / "config").write_text("")
    return root


def quickstart(
    root: Path, *arguments: str, code: int = 0, environment: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """What the script tells, and what was called."""
    fakes = root.parent / "fakes"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    path = f"{fakes}:{kept['PATH']}"
    kept |= {
        "FAKES": str(fakes),
        "PYTHON": str(fakes / "python"),
        "PATH": path,
        **(environment or {}),
    }
    command = [str(root / "scripts" / "quickstart"), *arguments]
    done = subprocess.run(command, cwd=root, env=kept, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    log = fakes / "log"
    return done.stderr, log.read_text() if log.exists() else ""


def test_it_ends_with_what_to_type_next(checkout: Path) -> None:
    told, called = quickstart(checkout)
    assert "source .venv/bin/activate" in told
    assert "surrogate-nas benchmarks" in told
    assert called.splitlines()[-2:] == [
        "surrogate-nas search",
        "surrogate-nas search --benchmark cell-bench --task digits --verify 3",
    ]
    assert "activate" not in quickstart(checkout, "--task", "cora")[0]


def test_uv_installs_where_pip_has_no_settings(checkout: Path) -> None:
    called = quickstart(checkout)[1]
    assert "uv pip install" in called
    assert "pip -m pip install" not in called


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        ("global.find-links='/wheels'", {}),
        ("global.index-url='https://example.org/simple'", {}),
        ("", {"PIP_FIND_LINKS": "/wheels"}),
        ("", {"PIP_EXTRA_INDEX_URL": "https://example.org/simple"}),
    ],
)
def test_pip_installs_where_it_has_settings(
    checkout: Path, config: str, environment: dict[str, str]
) -> None:
    (checkout.parent / "fakes" / "config").write_text(config)
    told, called = quickstart(checkout, environment=environment)
    assert "uv " not in called
    assert "pip -m pip install" in called
    assert "Collecting numpy" in told  # although there is no terminal
    assert "already satisfied" not in told


def test_pip_installs_where_uv_fails(checkout: Path) -> None:
    called = quickstart(checkout, environment={"UV_FAILS": "1"})[1]
    assert called.index("uv pip install") < called.index("pip -m pip install")


def test_a_failed_install_is_told(checkout: Path) -> None:
    told, called = quickstart(checkout, code=1, environment={"UV_FAILS": "1", "PIP_FAILS": "1"})
    assert "the install failed" in told
    assert "surrogate-nas" not in called
    assert "An earlier install was interrupted" in quickstart(checkout)[0]
