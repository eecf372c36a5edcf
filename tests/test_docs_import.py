"""Everything in docs/import.md runs, one after another, with the files that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.cli import main

TEXT = (Path(__file__).parents[1] / "docs" / "import.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`([\w.]+)`[^`\n]*[:,]\n\n```\w+\n(.*?)```", TEXT, re.DOTALL))
STUDY = re.search(r"```python\n(import optuna.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^surrogate-nas (.*)$", TEXT, re.MULTILINE)


@pytest.mark.filterwarnings("ignore:.*the operation of")
def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert sorted(FILES) == [
        "cells.csv", "formats.py", "log.txt", "own.toml", "runs.csv", "short.csv", "sweep.csv",
        "tasks.csv",
    ]  # fmt: skip
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    assert STUDY
    exec(STUDY[1], {})
    assert len(COMMANDS) == 8
    values: dict[str, list[float]] = {}
    for command in COMMANDS:
        arguments = shlex.split(command)
        assert main(arguments) == 0, (command, capsys.readouterr().err)
        name = arguments[arguments.index("--name") + 1]
        table = open_benchmark(name)
        found = sorted(table.task(table.tasks[0]).values.tolist())
        assert values.setdefault(name, found) == found  # two notations, one table
    assert values.pop("study")
    assert values == {
        "sweep": [91.25, 93.4],
        "log": pytest.approx([0.90, 0.92]),
        "runs": [0.90, 0.91],
        "short": [0.90, 0.91],
        "cells": [91.2, 93.9],
    }
    own = open_benchmark("sweep").task("own")
    assert own.costs == ((3723 + 3550) / 2,)
    assert own.descriptor == {"images": 12000, "classes": 10, "side": 32}
