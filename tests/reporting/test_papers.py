"""Comparisons for papers: LaTeX, CSV and pictures as vectors."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import sem, wilcoxon

from surrogate_nas.cli import main
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.records.comparison import Run
from surrogate_nas.reporting.latex import escaped, latex_table
from surrogate_nas.reporting.statistics import summarise
from surrogate_nas.reporting.summaries import summary_csv
from tests.tables import TABLE

SEEDS = 12
SIZES = {"a_1": 100, "b": 100}


@pytest.fixture(scope="module")
def record() -> ComparisonRecord:
    """Three methods, the second of which is far better, and one run that is missing."""
    rng = np.random.default_rng(0)
    runs = []
    for task in SIZES:
        for m, method in enumerate(("random", "local", "genetic")):
            for seed in range(SEEDS):
                if (task, method, seed) == ("b", "genetic", 3):
                    continue
                value = float(0.5 + 0.2 * (m == 1) + rng.normal(scale=0.02))
                rank = 50 - 40 * (m == 1) + int(rng.integers(10))
                pair = (value - 0.1, value), (rank + 5, rank)
                runs.append(
                    Run(task, method, None, None, seed, 0, *pair, (1.0, 2.0), (value, value - 0.01))
                )
    return ComparisonRecord("some_table", tuple(runs), summarise(runs, SIZES), sizes=SIZES)


def finals(record: ComparisonRecord, task: str, method: str) -> list[float]:
    found = [r.test[-1] for r in record.runs if (r.task, r.searcher) == (task, method)]
    return [value for value in found if value is not None]


def test_the_latex_table(record: ComparisonRecord) -> None:
    text = latex_table(record, dict.fromkeys(SIZES, True))
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1
    assert text.count("{") == text.count("}")
    assert r"some\_table" in text
    rows = {row.split(" & ")[0].strip(): row.split(" & ")[1:] for row in text.splitlines()}
    for task in SIZES:
        cells = rows[escaped(task)]
        for cell, method in zip(cells, ("random", "local", "genetic"), strict=True):
            mean, error = re.findall(r"\d\.\d+", cell)
            values = finals(record, task, method)
            assert float(mean) == pytest.approx(np.mean(values), abs=0.0006)
            assert float(error) == pytest.approx(sem(values), abs=0.0006)
        assert [r"\mathbf" in cell for cell in cells] == [False, True, False]
        assert [r"\dagger" in cell for cell in cells] == [True, False, True]
        worse = wilcoxon(finals(record, task, "random"), finals(record, task, "local")).pvalue
        assert 2 * worse < 0.05
    assert r"\mathbf{1.00}" in rows["average rank"][1]


def test_a_loss_is_best_where_it_is_smallest(record: ComparisonRecord) -> None:
    text = latex_table(record, dict.fromkeys(SIZES, False))
    line = next(row for row in text.splitlines() if row.strip().startswith("b &"))
    assert r"\mathbf" not in line.split(" & ")[2]


def test_what_latex_would_read_as_commands() -> None:
    assert escaped(r"a_b\input{x}$%#&~^") == (
        r"a\_b\textbackslash{}input\{x\}\$\%\#\&\textasciitilde{}\textasciicircum{}"
    )
    # At the beginning of a row, LaTeX takes these for arguments of the end of the row before.
    assert escaped("[a]") == "{[}a{]}"
    assert escaped("*a") == "{*}a"
    # What its fonts join or replace.
    assert escaped("--a---b-c|`") == r"-{}-a-{}-{}-b-c\textbar{}\textasciigrave{}"
    # What no font shows.
    assert escaped("a\tb\x00\u200b\nc e\u0301") == "a b c \u00e9"


def renamed(record: ComparisonRecord, methods: dict[str, str], task: str) -> ComparisonRecord:
    runs = [
        replace(run, searcher=methods[run.searcher], task=task if run.task == "b" else run.task)
        for run in record.runs
    ]
    sizes = {"a_1": 100, task: 100}
    return ComparisonRecord("t", tuple(runs), summarise(runs, sizes), sizes=sizes)


def test_names_that_pdflatex_does_not_know_and_long_ones(record: ComparisonRecord) -> None:
    text = latex_table(record, dict.fromkeys(SIZES, True))
    assert "XeLaTeX" not in text
    long = "evolution+/home/me/weights/without-b.safetensors"
    named = {"random": "random", "local": long, "genetic": "genetic"}
    text = latex_table(renamed(record, named, "größe"), {"a_1": True, "größe": True})
    assert "XeLaTeX" not in text  # which shows ö and ß
    assert "random & evolution+without-b & genetic" in text
    text = latex_table(renamed(record, named, "задача"), {"a_1": True, "задача": True})
    assert "XeLaTeX" in text.splitlines()[1]
    # Two files of one name keep their folders.
    named |= {"random": "evolution+/home/you/without-b.safetensors"}
    text = latex_table(renamed(record, named, "b"), dict.fromkeys(SIZES, True))
    assert "/home/me/weights/without-b.safetensors" in text


def test_many_methods_are_rows(record: ComparisonRecord) -> None:
    """A page has no room for so many columns."""
    runs = [
        replace(run, searcher=f"{run.searcher}{copy}") for run in record.runs for copy in range(2)
    ]
    many = ComparisonRecord("t", tuple(runs), summarise(runs, SIZES), sizes=SIZES)
    text = latex_table(many, dict.fromkeys(SIZES, True))
    assert r"\begin{tabular}{lrrr}" in text
    rows = {row.split(" & ")[0].strip(): row.split(" & ")[1:] for row in text.splitlines()}
    assert rows[""] == [r"a\_1", "b", r"average rank \\"]
    as_columns = latex_table(record, dict.fromkeys(SIZES, True)).splitlines()
    (line,) = [row for row in as_columns if row.strip().startswith("b & ")]
    for method, cell in zip(("random", "local", "genetic"), line.split(" & ")[1:], strict=True):
        assert rows[f"{method}0"][1] == cell.removesuffix(r" \\")


def test_the_summary(record: ComparisonRecord) -> None:
    rows = list(csv.DictReader(io.StringIO(summary_csv(record))))
    assert len(rows) == 3 * 2 * 3  # methods, numbers of trials, tasks and all together
    last = {(r["method"], r["task"]): r for r in rows if r["trials"] == "2"}
    for method in ("random", "local", "genetic"):
        for task in SIZES:
            row, values = last[method, task], finals(record, task, method)
            assert float(row["test"]) == pytest.approx(np.mean(values), rel=1e-5)
            assert float(row["test_se"]) == pytest.approx(sem(values), rel=1e-5)
            assert int(row["runs"]) == SEEDS
            assert int(row["failed"]) == ((method, task) == ("genetic", "b"))
        assert last[method, "all"]["test"] == ""
        assert not math.isnan(float(last[method, "all"]["average_rank"]))


def test_pictures_and_tables_of_the_command(tmp_path: Path) -> None:
    table = tmp_path / "table.tex"
    command = ["compare", "--benchmark", TABLE, "--task", "easy", "--seeds", "2", "--workers", "1"]
    command += ["--searcher", "random,local", "--trials", "4", "--latex", str(table)]
    kept = []
    for name in ("one", "two"):
        out = tmp_path / name
        assert main([*command, "--plot-format", "svg", "--out", str(out)]) == 0
        assert {path.suffix for path in out.iterdir() if path.is_file()} == {
            ".csv",
            ".json",
            ".svg",
        }
        kept.append((out / "by_trials.svg").read_text())
    assert kept[0].lstrip().startswith("<?xml")
    assert kept[0] == kept[1]
    assert "random" in table.read_text()
    assert main([*command, "--plot-format", "pdf", "--out", str(tmp_path / "three")]) == 0
    assert (tmp_path / "three" / "ranks.pdf").read_bytes().startswith(b"%PDF")
    refused = ["compare", "--latex", str(tmp_path / "no" / "t.tex"), "--out", str(tmp_path / "x")]
    assert main(refused) == 2
