"""A full disk is one line and exit 2, leaves no part of a file, and loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from surrogate_nas.store import open_storage, read_study

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="devices of Linux")

# Each command runs in a fork of one process that has loaded everything.
RUN = """
import json, os, resource, sys
import surrogate_nas.cli, surrogate_nas.workflows.setups, surrogate_nas.reporting.plots
from surrogate_nas.workflows import compare, search
found = []
for number, (limit, output, *command) in enumerate(json.loads(sys.argv[1])):
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if output == "pipe":
            reading, writing = os.pipe()
            os.close(reading)
        else:
            writing = os.open(output, os.O_WRONLY)
        os.dup2(writing, 1)
        os.dup2(os.open(f"{number}.err", os.O_WRONLY | os.O_CREAT), 2)
        code = 99
        try:
            code = surrogate_nas.cli.main(command)
            sys.stdout.flush()
        except SystemExit as error:
            code = error.code
        finally:
            os._exit(code)
    found.append(os.waitstatus_to_exitcode(os.wait()[1]))
print(json.dumps(found))
"""
SEARCH = ["search", "--benchmark", "cell-bench", "--task", "mnist", "--searcher", "random"]
SEARCH += ["--predictor", "none", "--trials"]
LARGE, NULL = 10**9, "/dev/null"


def test_every_command(tmp_path: Path) -> None:
    from surrogate_nas.benchmarks.catalog import open_benchmark

    SEARCH[4] = open_benchmark("cell-bench").tasks[0]
    store = ["--store", "run.journal"]
    compare = ["compare", "--benchmark", "cell-bench", "--task", SEARCH[4], "--searcher", "random"]
    compare += ["--seeds", "1", "--trials", "9", "--workers", "1", "--out", "folder"]
    commands: list[tuple[str, list[object]]] = [
        ("No space left", [LARGE, "/dev/full", "benchmarks", "--json"]),
        ("No space left", [LARGE, "/dev/full", "benchmarks"]),
        ("No space left", [LARGE, "/dev/full", *SEARCH, "2"]),
        ("No space left", [LARGE, "/dev/full", *SEARCH, "2", "--json"]),
        ("No space left", [LARGE, "/dev/full", "search", "--help"]),
        ("File too large", [900, NULL, *SEARCH, "2", "--plot", "picture.png"]),
        ("File too large", [900, NULL, *compare]),
        ("File too large", [9000, NULL, *SEARCH, "60", *store]),
        ("", [LARGE, "pipe", "benchmarks"]),
        ("", [LARGE, "pipe", "benchmarks", "--json"]),
        ("", [LARGE, "pipe", "search", "--help"]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([command for _, command in commands])],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
    )
    for number, ((told, command), code) in enumerate(
        zip(commands, json.loads(done.stdout), strict=True)
    ):
        lines = (tmp_path / f"{number}.err").read_text().splitlines()
        if not told:
            assert (code, lines) == (141, []), command
            continue
        assert code == 2, (command, lines)
        assert told in lines[-1], (command, lines)
        assert sum("error" in line for line in lines) == 1, (command, lines)
        assert not any("Traceback" in line for line in lines)
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "picture.png").exists()
    kept = read_study(open_storage(tmp_path / "run.journal")).trials
    assert 1 < len(kept) < 60
    assert (tmp_path / "run.journal").read_bytes().endswith(b"}\n")
