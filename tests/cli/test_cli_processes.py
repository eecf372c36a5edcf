"""The command line as a user starts it: streams, signals, exit codes."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "surrogate_nas")
TOY = ("--benchmark", "tests.tables:ToyTable", "--task", "easy", "--predictor", "none")
SLOW = ("--benchmark", "tests.tables:SlowTable", "--task", "easy", "--predictor", "none")
KEYS = [
    "benchmark", "task", "searcher", "predictor", "guide", "candidates", "proxies", "seed",
    "trials", "best", "optimum", "regret", "rank", "source_evaluations", "weights", "seconds",
]  # fmt: skip


def start(*arguments: str, **streams: Any) -> subprocess.Popen[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    # What is started in the background may ignore Ctrl-C, and would have its children do so, too.
    default = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command = [*PROGRAM, *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, preexec_fn=default, **streams)


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


def answer(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json")[0])
    return found


def interrupt(process: subprocess.Popen[str], after: str) -> tuple[str, str]:
    """Press Ctrl-C, as a terminal does, when the progress has come so far."""
    assert process.stderr is not None
    seen = ""
    while after not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return out, seen + err


def test_one_object_on_standard_output() -> None:
    out, err = run("search", *TOY, "--trials", "40", "--json")
    assert out.endswith("}\n")
    assert out.count("\n") == 1
    found = json.loads(out)
    assert list(found) == KEYS
    assert list(found["seconds"]) == ["load", "search", "total"]
    assert list(found["best"]) == ["arch", "value", "metrics", "test"]
    assert found["trials"][7]["number"] == 7
    assert list(found["trials"][0]) == ["number", "arch", "value", "cost", "error"]
    assert "40/40" in err
    assert len(err.splitlines()) == 10


def test_a_table_for_people() -> None:
    out, _ = run("search", *SLOW, "--trials", "60")
    shown = answer("search", *SLOW, "--trials", "60")
    failed = [trial for trial in shown["trials"] if trial["error"]]
    assert failed
    assert failed[0]["error"] == "FloatingPointError: diverged"
    assert failed[0]["value"] is failed[0]["cost"] is None
    assert f"rank {shown['rank']} of 242" in out
    assert f"{len(failed)} failed" in out
    assert shown["best"]["arch"] in out


def test_ranks_are_those_of_the_largest_budget() -> None:
    found = answer("search", *TOY, "--trials", "10", "--budget", "10")
    assert found["rank"] is found["regret"] is None
    assert found["best"]["test"] is not None
    assert [trial["cost"] for trial in found["trials"]] == [10.0] * 10


def test_merged_isomorphs_are_searched_once() -> None:
    found = answer("search", *TOY, "--trials", "20", "--isomorphs", "merged")
    forms = {"".join(sorted(trial["arch"])) for trial in found["trials"]}
    assert len(forms) == 20  # of the 20 that there are
    _, err = run("search", *TOY, "--trials", "21", "--isomorphs", "merged", code=2)
    assert "at most 20" in err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_loses_nothing(workers: str, tmp_path: Path) -> None:
    store = str(tmp_path / "run.journal")
    command = ("search", *SLOW, "--workers", workers, "--trials", "200", "--store", store)
    process = start(*command, start_new_session=True)
    out, err = interrupt(process, "20/200")
    assert process.returncode == 130
    assert err.splitlines()[-1] == "surrogate-nas search: interrupted"
    assert "Traceback" not in err
    assert " trials" in out  # what is there is reported
    full = ("search", *SLOW, "--trials", "200")
    _, err = run(*full, "--workers", workers, "--store", store)
    known = int(err.split(" trials of this search are in")[0])
    assert 20 <= known < 200
    if workers == "1":
        again, whole = answer(*full, "--store", store), answer(*full)
        assert again | {"seconds": None} == whole | {"seconds": None}


def test_an_interrupted_comparison_goes_on(tmp_path: Path) -> None:
    command = (
        "compare", *SLOW[:4], "--searcher", "random,local", "--trials", "30", "--seeds", "10",
        "--workers", "2", "--out", str(tmp_path),
    )  # fmt: skip
    process = start(*command, start_new_session=True)
    _, err = interrupt(process, "4/20")
    assert process.returncode == 130
    assert err.splitlines()[-1] == "surrogate-nas compare: interrupted"
    assert "Traceback" not in err
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    assert 4 <= len(kept) < 20
    run(*command)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_closed_pipe_is_no_noise(json_wanted: bool) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("benchmarks", *(["--json"] if json_wanted else []), stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode != 0


def test_a_live_bar_on_a_terminal() -> None:
    pty = pytest.importorskip("pty")
    main, terminal = pty.openpty()
    process = start("search", *TOY, "--trials", "30", stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(main)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"30/30" in shown
    assert b"\x1b[" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "--trials", "0"),
        ("search", "--trial", "5"),  # names are exact
        ("search", "--isomorphs", "some"),
        ("compare",),
        ("compare", "--searcher", "random,,local", "--out", "x"),
        ("compare", "--searcher", "local,local", "--out", "x"),
        ("evaluate", "--predictor", "gp", "--train-sizes", "20,-5"),
        ("serch",),
        (),
        ("search", *TOY, "--store", "no/where.journal"),
        ("search", *TOY, "--plot", "picture.gif"),
        ("search", *TOY, "--plot", "no/where.png"),
        ("search", *TOY, "--searcher", "random+gp"),
        ("search", "--benchmark", "tests.tables:NoTable"),
        ("search", "--benchmark", "no/table.h5"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...]) -> None:
    out, err = run(*arguments, code=2)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("surrogate-nas")
    assert "error: " in err


def test_help_loads_no_library() -> None:
    code = """
import sys
from surrogate_nas.cli import main
try:
    main(["search", "--help"])
except SystemExit as end:
    assert end.code == 0
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "surrogate-nas search --task cora" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & {"numpy", "scipy", "rich", "h5py", "optuna", "torch", "matplotlib"}
