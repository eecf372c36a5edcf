from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.cli import main
from surrogate_nas.registry import SEARCHERS
from tests.answers import answered


def test_search_is_right_by_the_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "cora.png"
    found = answered(
        capsys, "search", "--task", "cora", "--predictor", "gp", "--trials", "40",
        "--plot", str(picture),
    )  # fmt: skip
    task = open_benchmark("nas-bench-graph").task("cora")
    values = np.sort(task.values)
    shown = [trial["value"] for trial in found["trials"]]
    best = max(shown)
    assert len(shown) == len({trial["arch"] for trial in found["trials"]}) == 40
    assert found["best"]["value"] == best
    assert found["rank"] == 1 + int((values > best).sum())
    assert found["regret"] == pytest.approx(values[-1] - best)
    assert found["optimum"] == values[-1]
    row = task.rows(np.array([task.space.parse(found["best"]["arch"]).choices]))
    assert task.values[row] == [best]
    assert task.test_values is not None
    assert task.test_values[row] == [found["best"]["test"]]
    assert (found["searcher"], found["predictor"], found["source_evaluations"]) == (
        "evolution", "gp", 0,
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("extra", [(), ("--verify", "1", "--dataset", "digits", "--epochs", "1")])
def test_a_search_whose_trials_all_failed_exits_with_1(
    extra: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the file\nis gone")

    monkeypatch.setattr("surrogate_nas.benchmarks.base.TabularTask.evaluate", fail)
    command = ["search", "--benchmark", "cell-bench", "--task", "digits", "--predictor", "none"]
    assert main([*command, "--trials", "2", "--json", *extra]) == 1
    shown = capsys.readouterr()
    found = json.loads(shown.out, parse_constant=pytest.fail)
    assert [trial["error"] for trial in found["trials"]] == ["OSError: the file\nis gone"] * 2
    assert found["best"] is found["rank"] is None
    reason = "every trial failed; the first reason was: OSError: the file is gone"
    assert shown.err.splitlines()[-1] == reason
    assert main([*command, "--trials", "1"]) == 1
    shown = capsys.readouterr()
    assert "1 trial, 1 failed; seconds" in shown.out
    assert reason in shown.err


def test_one_of_each_is_singular(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "a.journal"))
    search = ["search", "--task", "cora", "--searcher", "random", "--predictor", "none", *store]
    assert main([*search, "--trials", "1"]) == 0
    assert "1 trial; seconds" in capsys.readouterr().out
    assert main([*search, "--trials", "2"]) == 0
    shown = capsys.readouterr()
    assert "2 trials; seconds" in shown.out
    assert "1 trial of this search is in " in shown.err
    assert (
        main(
            [
                *("compare", "--task", "cora", "--searcher", "random,evolution", "--trials", "1"),
                *("--seeds", "1", "--workers", "1", "--out", str(tmp_path / "compared")),
            ]
        )
        == 0
    )
    assert "1 run of each method on 1 task\n" in capsys.readouterr().out


def test_proteins_stays_inside(capsys: pytest.CaptureFixture[str]) -> None:
    found = answered(
        capsys, "search", "--task", "proteins", "--predictor", "none", "--trials", "60"
    )
    assert not any(trial["error"] for trial in found["trials"])
    for trial in found["trials"]:
        assert not {"gat", "gin", "cheb", "graph"} & set(trial["arch"].split("-"))


def test_compare_resumes_and_agrees_with_its_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = (
        "compare", "--task", "cora,arxiv", "--searcher", "random,evolution", "--trials", "30",
        "--out", str(tmp_path), "--workers", "1",
    )  # fmt: skip
    first = answered(capsys, *command, "--seeds", "2")
    made = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "runs").iterdir()}
    found = answered(capsys, *command, "--seeds", "3")
    assert {
        n: t for n, t in made.items() if (tmp_path / "runs" / n).stat().st_mtime_ns == t
    } == made
    assert len(found["runs"]) == 12
    assert [r for r in found["runs"] if r["seed"] < 2] == first["runs"]
    benchmark = open_benchmark("nas-bench-graph")
    for run in found["runs"]:
        table = benchmark.task(run["task"]).values
        assert len(run["values"]) == len(run["ranks"]) == len(run["costs"]) == 30
        assert run["ranks"] == [1 + int((table > v).sum()) for v in run["values"]]
        assert run["values"] == sorted(run["values"])
    with open(tmp_path / "runs.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 12 * 30
    assert list(tmp_path.glob("*.png"))


def test_evaluate_uses_one_support_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    keys = {
        "task", "train_size", "seed", "kendall_tau", "spearman", "precision_at_10",
        "regret_at_10", "nll", "coverage_90", "fit_seconds", "predict_seconds",
        "predictor", "weights",
    }  # fmt: skip
    found = answered(
        capsys, "evaluate", "--predictor", "gp", "--task", "arxiv", "--train-sizes", "30,100",
        "--seeds", "2", "--workers", "1",
    )  # fmt: skip
    assert [set(result) for result in found["results"]] == [keys] * 4
    tau = {
        size: np.mean([r["kendall_tau"] for r in found["results"] if r["train_size"] == size])
        for size in (30, 100)
    }
    assert 0.3 < tau[30] < tau[100]


def test_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = (
        b for b in answered(capsys, "benchmarks")["benchmarks"] if b["name"] == "nas-bench-graph"
    )
    assert listed["available"]
    assert len(listed["tasks"]) == 9
    assert listed["architectures"] == 26_206


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("search --benchmark nasbench-graph", "did you mean 'nas-bench-graph'"),
        ("search --task corra", "did you mean 'cora'"),
        ("search --searcher evolutoin", "did you mean 'evolution'"),
        ("search --predictor xgbost", "did you mean 'xgboost'"),
        ("search --task proteins --predictor none --trials 2022", "at most 2021"),
        ("search --plot nowhere/a.png", "--plot"),
        ("search --store nowhere/a.journal", "trial store"),
        ("search --store a.txt", ".journal"),
        ("search --budget 3", "recorded"),
        ("search --benchmark empty.h5", "damaged"),
        ("search --benchmark cell-bench", "name one with --task: digits, "),
        ("evaluate --predictor gp --train-sizes 0", "at least 1"),
        ("evaluate --predictor gp --task cora --train-sizes 30000", "below 26206"),
        ("compare --searcher random+nope --out a", "unknown predictor"),
    ],
)
def test_mistakes_are_one_line(
    arguments: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.h5").touch()
    assert main(arguments.split()) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert not shown.out
    assert [path.name for path in tmp_path.iterdir()] == ["empty.h5"]


@pytest.mark.parametrize("trials", ["0", "-3", "many"])
def test_numbers_out_of_range(trials: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["search", "--trials", trials])
    assert error.value.code == 2
    assert "at least 1" in capsys.readouterr().err


def test_an_option_of_other_commands_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--out", "x", "--ray", "auto"])
    assert "--ray auto; --ray is an option of search, verify, build" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "search", "compare", "evaluate", "benchmarks"])
def test_help_has_an_example(command: str) -> None:
    shown = subprocess.check_output(
        [sys.executable, "-m", "surrogate_nas", *command.split(), "--help"], text=True
    )
    assert "surrogate-nas search" in shown or "example" in shown


def test_bayesian_search_is_guided_by_its_own_predictor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["search", "--task", "cora", "--trials", "8", "--searcher"]
    found = [
        answered(capsys, *command, *method)
        for method in (["bayesian"], ["bayesian:ucb"], ["bayesian+gp"])
    ]
    assert [answer["guide"] for answer in found] == ["gp"] * 3
    assert [answer["trials"] for answer in found] == [found[0]["trials"]] * 3
    assert answered(capsys, *command, "random")["guide"] == "meta-gnn"


@pytest.mark.parametrize(("name", "meant"), [("aut", "auto"), ("non", "none")])
def test_auto_and_none_are_suggested(
    name: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "--predictor", name]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_the_help_says_what_searchers_there_are() -> None:
    command = [sys.executable, "-m", "surrogate_nas", "search", "--help"]
    shown = " ".join(subprocess.check_output(command, text=True).split())
    for text in (*SEARCHERS, "at most --trials", "matters only with mlp", "gp for bayesian"):
        assert text in shown
