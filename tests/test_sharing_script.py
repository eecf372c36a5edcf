"""scripts/sharing, with one small run; the numbers of the project are those of many large ones."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_run_with_kills() -> None:
    words = ["kills", "--stores", "journal", "--runs", "1", "--trials", "16", "--longest", "1"]
    words += ["--methods", "random"]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "sharing.py", *words, "--at-once", "1"],
        cwd=ROOT / "docs",  # from any folder
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    run, total = map(json.loads, done.stdout.splitlines())
    assert run["done"] == run["trials"] == 16
    assert run["killed"] >= 1
    assert total["exact"] == 1
    assert total["twice"] == total["lost"] == 0
