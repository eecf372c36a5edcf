"""``scripts/repeated-searches``: what is left out, and its report."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.importers.csv import import_csv
from surrogate_nas.spaces import open_space
from surrogate_nas.transfer.choice import PredictorChoice
from tests.scripts import load_script

SIDES = range(8, 65, 8)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with shorter searches, and a table whose test metric is minus the other."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    rows = [f"{a}:{b}:8:8:8,{a + b / 9:.3f},{-a - b / 9:.3f}" for a in SIDES for b in SIDES]
    (tmp_path / "r.csv").write_text("\n".join(["arch,v,t", *rows]))
    import_csv(
        tmp_path / "r.csv",
        name="mine",
        space="nats-size",
        arch="arch",
        tasks={"a": "v"},
        tests={"a": "t"},
    )
    script = load_script("repeated_searches")
    monkeypatch.setattr(script, "TRIALS", (1, 5, 10, 12, 16))
    return script


def test_a_search_finds_the_best_of_what_is_there(script: ModuleType) -> None:
    task = open_benchmark("mine").task("a")
    guide = PredictorChoice("gp")
    run = script.searched(task, guide, "random", None, test=False)
    assert run.ranks[-1] == 100 / 64
    assert 1 <= run.found <= 16
    assert run.test == (pytest.approx(-64 - 64 / 9, abs=1e-3), 100)
    turned = script.searched(task, guide, "random", None, test=True)
    assert turned.test[1] == turned.ranks[-1] == 100 / 64
    part = script.searched(task, guide, "random", 0, test=False)
    assert part.ranks[-1] >= 100 / 48
    assert (np.diff(part.ranks) <= 0).all()


def test_encodings_of_one_network_are_one_row(script: ModuleType) -> None:
    """In NAS-Bench-Graph a searcher proposes encodings that have no record of their own."""
    space = open_space("nas-bench-graph")
    choices = space.unique()[::200]
    task = TabularTask("t", space, choices, choices.sum(axis=1) * 1.0)
    run = script.searched(task, PredictorChoice("gp"), "random", None, test=False)
    assert run.ranks[0] <= 100


def test_the_report_tells_where_the_first_method_is_behind(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def runs(ranks: list[float]) -> list[object]:
        return [script.Run(np.full(5, rank), None) for rank in ranks]

    script.summary({"a": {"x": runs([4, 5, 6]), "y": runs([1, 1, 1])}}, ["x", "y"])
    script.main(["mine", "--predictors", "gp", "--searcher", "random", "--repetitions", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert "behind y after 10: a" in lines
    assert lines[0].split() == ["mean,", "x", *["5.000"] * 5]
    assert any(line.startswith("a, gp") for line in lines)
    with pytest.raises(SystemExit):
        script.main(["mine", "--test", "--nonsense"])
