"""Comparisons tell which methods are one search, and which runs failed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from surrogate_nas import open_benchmark
from surrogate_nas.cli import main
from surrogate_nas.errors import SurrogateNASError
from surrogate_nas.evaluation import Proposal
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.statistics import grid
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.searchers.random import RandomSearch
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.experiment import Experiment
from tests.answers import answered
from tests.displays import Display
from tests.tables import TABLE, toy_task

BROKEN = "tests.workflows.test_compare_equal:Broken"
CELLS = Experiment("cell-bench", ["digits"], seeds=2, workers=1)


class Broken(RandomSearch):
    """Breaks with some seeds, when it is asked."""

    def ask(self, n: int = 1) -> list[Proposal]:
        proposals = super().ask(n)
        if sum(proposals[0].arch.choices) % 2:
            raise ZeroDivisionError("broken")
        return proposals


def test_one_search_of_several_names_runs_once(tmp_path: Path) -> None:
    display = Display()
    methods = ["random", "evolution+gp", "genetic+gp", "bayesian"]
    record = compare(CELLS, searchers=methods, trials=10, out=tmp_path, progress=display)
    assert record.summary.same == (("evolution+gp", "genetic+gp", "bayesian"),)
    assert [row.method for row in record.summary.methods] == ["random", "evolution+gp"]
    assert {(test.better, test.worse) for test in record.summary.tests} <= {
        ("random", "evolution+gp"),
        ("evolution+gp", "random"),
    }
    assert len(list((tmp_path / "runs").iterdir())) == 4  # of two methods
    assert len(display.texts) == 8
    assert sum("same search as evolution+gp" in text for text in display.texts) == 4
    # All methods have their runs, and they are those that each would have made.
    assert [run.method for run in record.runs] == [m for m in methods for _ in range(2)]
    with open(tmp_path / "runs.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    task = open_benchmark("cell-bench").task("digits")
    alone = search(make_searcher("genetic+gp", task.space, seed=1), task, trials=10, batch=5)
    kept = [r["arch"] for r in rows if (r["searcher"], r["seed"]) == ("genetic", "1")]
    assert kept == [task.space.format(trial.arch) for trial in alone.trials]


def test_searches_that_are_told_apart_by_their_guide_are_not_merged(tmp_path: Path) -> None:
    methods = ["evolution+gp", "evolution+xgboost", "local+gp"]
    record = compare(CELLS, searchers=methods, trials=6, out=tmp_path)
    assert record.summary.same == ()
    assert [row.method for row in record.summary.methods] == methods


def test_what_coincides_and_what_does_not_vary_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", "--benchmark", TABLE, "--task", "easy", "--seeds", "2", "--workers", "1"]
    command += ["--searcher", "random,evolution,local", "--trials", "8", "--out", str(tmp_path)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "random and evolution found equally good architectures in every run." in shown
    assert "local found" not in shown


def failed(tmp_path: Path) -> tuple[ComparisonRecord, list[str]]:
    display = Display()
    wanted = Experiment(TABLE, ["easy"], seeds=6, workers=1)
    record = compare(wanted, searchers=["random", BROKEN], trials=5, out=tmp_path, progress=display)
    return record, display.texts


def test_a_failed_run_is_visible_and_tried_again(tmp_path: Path) -> None:
    record, texts = failed(tmp_path)
    assert isinstance(record.failed, tuple)
    assert 0 < len(record.failed) < 6
    assert len(record.runs) == 12 - len(record.failed)
    assert sum("failed: ZeroDivisionError: broken" in text for text in texts) == len(record.failed)
    assert all(run.error == "ZeroDivisionError: broken" for run in record.failed)
    table = grid(record.runs, {"easy": len(toy_task())})
    seeds = {run.seed for run in record.failed}
    for seed in range(6):
        assert (table.ranks[1, 0, seed] == len(toy_task())).all() == (seed in seeds)
    again, texts = failed(tmp_path)
    assert again == record
    assert sum("failed" in text for text in texts) == len(record.failed)


def test_a_failed_run_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", "--benchmark", TABLE, "--task", "easy", "--seeds", "6", "--workers", "1"]
    command += ["--searcher", f"random,{BROKEN}", "--trials", "5", "--out", str(tmp_path / "out")]
    page = tmp_path / "page.html"
    assert main([*command, "--report", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "ZeroDivisionError: broken" in shown
    assert "ZeroDivisionError: broken" in page.read_text()
    found = answered(capsys, *command)
    assert {run["error"] for run in found["failed"]} == {"ZeroDivisionError: broken"}


class Never(RandomSearch):
    """Breaks when it is asked."""

    def ask(self, n: int = 1) -> list[Proposal]:
        raise ZeroDivisionError("broken")


def test_every_run_failed(tmp_path: Path) -> None:
    wanted = Experiment(TABLE, ["easy"], seeds=2, workers=1)
    method = "tests.workflows.test_compare_equal:Never"
    with pytest.raises(SurrogateNASError, match=r"every run failed.*ZeroDivisionError: broken"):
        compare(wanted, searchers=[method], trials=5, out=tmp_path)
