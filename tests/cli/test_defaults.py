"""What commands do without options: the best guide that there is, named in text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surrogate_nas.cli import main
from tests.answers import answered

CORA = ("--task", "cora")
WEIGHTS = "nas-bench-graph-without-cora.safetensors"


def test_a_search_takes_weights_that_never_saw_its_task(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answered(capsys, "search", *CORA, "--trials", "8")
    assert (answer["searcher"], answer["predictor"], answer["guide"]) == (
        "evolution",
        "auto",
        "meta-gnn",
    )
    assert Path(answer["weights"]).name == WEIGHTS
    assert answer["source_evaluations"] == 185_463
    assert main(["search", *CORA, "--trials", "8"]) == 0
    shown = capsys.readouterr().out
    assert f"weights: {WEIGHTS}, which learnt from 185,463 values of other tasks" in shown


def test_a_search_without_such_weights_is_guided_by_gp(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("search", "--benchmark", "cell-bench", "--task", "digits", "--trials", "8")
    answer = answered(capsys, *command)
    assert (answer["predictor"], answer["guide"], answer["weights"]) == ("auto", "gp", None)
    assert main(command) == 0
    assert "weights" not in capsys.readouterr().out


def test_a_comparison_has_methods_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", *CORA, "--trials", "4", "--seeds", "1", "--out", str(tmp_path)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert f"cora: evolution+auto with {WEIGHTS}" in shown
    kept = json.loads((tmp_path / "compare.json").read_text())["runs"]
    assert [run["searcher"] for run in kept] == ["random", "evolution", "evolution"]
    assert [run["guide"] for run in kept] == [None, None, "meta-gnn"]
    assert [Path(run["weights"]).name if run["weights"] else None for run in kept] == [
        None,
        None,
        WEIGHTS,
    ]


def test_an_evaluation_measures_auto(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("evaluate", *CORA, "--train-sizes", "10", "--seeds", "1")
    (row,) = answered(capsys, *command)["results"]
    assert row["predictor"] == "meta-gnn"
    assert Path(row["weights"]).name == WEIGHTS
    assert main(command) == 0
    assert f"cora: meta-gnn with {WEIGHTS}" in capsys.readouterr().out
