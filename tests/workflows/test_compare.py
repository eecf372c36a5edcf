from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.records import ComparisonRecord
from surrogate_nas.reporting.plots import draw_comparison
from surrogate_nas.reporting.terminal import print_comparison, print_evaluation
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from tests.displays import Display
from tests.searchers.toys import Linear
from tests.tables import TABLE, toy_task

ROOT = Path(__file__).resolve().parents[2]
GUIDED = "local+tests.searchers.toys:Linear"
SEARCHERS = ("random", GUIDED)


def run(out: Path, **changes: Any) -> ComparisonRecord:
    shared: dict[str, Any] = {"tasks": ("easy", "loss"), "seeds": 2, "workers": 1}
    own: dict[str, Any] = {"searchers": SEARCHERS, "trials": 20}
    for key, value in changes.items():
        (shared if hasattr(Experiment, key) else own)[key] = value
    return compare(Experiment(TABLE, **shared), out=out, **own)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ComparisonRecord]:
    out = tmp_path_factory.mktemp("compare")
    return out, run(out)


def test_runs_are_those_of_search(done: tuple[Path, ComparisonRecord]) -> None:
    _, result = done
    cells = [(r.task, r.searcher, r.predictor, r.seed) for r in result.runs]
    assert cells == [
        (task, *method, seed)
        for task in ("easy", "loss")
        for method in (("random", None), ("local", "tests.searchers.toys:Linear"))
        for seed in (0, 1)
    ]
    found = result.runs[7]
    task = toy_task("loss", maximise=False)
    again = search(make_searcher(GUIDED, task.space, seed=1), task, trials=20, batch=5)
    values = (-again.curve).tolist()
    assert list(found.values) == values == sorted(values, reverse=True)  # a loss
    assert list(found.ranks) == [1 + int((-task.values < value).sum()) for value in values]
    assert list(found.costs) == [100.0 * (i + 1) for i in range(20)]
    hidden = [t.evaluation.hidden["loss"] for t in again.trials if t.evaluation]
    assert list(found.test) == [hidden[i] for i in again.incumbents if i is not None]
    assert found.source_evaluations == 0


def test_files(done: tuple[Path, ComparisonRecord]) -> None:
    out, result = done
    assert json.loads((out / "compare.json").read_text()) == result.to_json()
    with open(out / "runs.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * 20
    last = rows[-1]
    assert (last["task"], last["predictor"], last["seed"]) == (
        "loss", "tests.searchers.toys:Linear", "1",
    )  # fmt: skip
    assert float(last["best_value"]) == min(float(row["value"]) for row in rows[-20:])
    assert sorted(p.name for p in out.iterdir()) == [
        "compare.json",
        "runs",
        "runs.csv",
        "summary.csv",
    ]


def test_searchers_alone_run_beside_the_guided_ones(
    done: tuple[Path, ComparisonRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(tmp_path, unguided=True)
    assert [r for r in result.runs if r.method != "local"] == list(done[1].runs)
    assert isinstance(result.against_unguided, tuple)
    assert {(t.method, t.alone) for t in result.against_unguided} == {(GUIDED, "local")}
    assert [t.budget for t in result.against_unguided] == [5, 10, 15, 20] * 2
    for test in result.against_unguided:
        for method, mean in ((test.method, test.guided), (test.alone, test.unguided)):
            ranks = [r.ranks for r in result.runs if (r.method, r.task) == (method, test.task)]
            assert mean == np.mean([rank[test.budget - 1] for rank in ranks])
    print_comparison(result)
    assert "guidance makes it worse" in capsys.readouterr().out
    assert "against_unguided" not in done[1].to_json()
    with pytest.raises(InvalidArgumentError, match=r"needs a guided method, such as evolution\+gp"):
        run(tmp_path, searchers=("random",), unguided=True)


def test_processes_change_nothing(done: tuple[Path, ComparisonRecord], tmp_path: Path) -> None:
    assert run(tmp_path, workers=2) == done[1]


def test_finished_runs_are_not_repeated(tmp_path: Path) -> None:
    display = Display()
    first = run(tmp_path, progress=display)
    assert len(display.texts) == 8
    assert "was there" not in display.texts
    files = sorted((tmp_path / "runs").iterdir())
    files[0].unlink()
    files[1].write_text('{"run": {"tas')
    times = {path: path.stat().st_mtime_ns for path in files[2:]}
    display.shown.clear()
    assert run(tmp_path, progress=display) == first
    assert display.texts.count("was there") == 6
    assert {path: path.stat().st_mtime_ns for path in files[2:]} == times
    for changes in ({"trials": 21}, {"batch": 1}, {"isomorphs": "merged"}):
        display.shown.clear()
        run(tmp_path, progress=display, **changes)
        assert "was there" not in display.texts


def test_runs_of_a_program_with_other_digits_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, trials=3)
    monkeypatch.setattr("surrogate_nas.workflows.compare.RESULTS", 0)
    display = Display()
    run(tmp_path, trials=3, progress=display)
    assert "was there" not in display.texts


def test_what_guides_compare_is_a_setting_of_their_runs(tmp_path: Path) -> None:
    display = Display()
    usual = run(tmp_path, progress=display)
    assert {(r.searcher, r.candidates) for r in usual.runs} == {("random", None), ("local", "all")}
    display.shown.clear()
    assert run(tmp_path, progress=display, candidates="all") == usual
    assert display.texts == ["was there"] * 8
    display.shown.clear()
    other = run(tmp_path, progress=display, candidates="visited")
    assert {run.candidates for run in other.runs} == {None, "visited"}
    assert display.texts.count("was there") == 4  # those without a guide
    assert other.runs != usual.runs


def test_a_killed_comparison_goes_on(done: tuple[Path, ComparisonRecord], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.workflows.test_compare import run\n"
        "if __name__ == '__main__': run(Path(sys.argv[1]), workers=2)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    deadline = time.monotonic() + 60
    runs = tmp_path / "runs"
    while child.poll() is None and len(list(runs.glob("*.json"))) < 2:
        assert time.monotonic() < deadline
    child.kill()
    child.wait()
    display = Display()
    assert run(tmp_path, progress=display) == done[1]
    assert display.texts.count("was there") >= 2


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"tasks": ("easy", "eazy")}, UnknownNameError, "did you mean 'easy'"),
        ({"searchers": ("random", "locale")}, UnknownNameError, "did you mean 'local'"),
        ({"searchers": ("random+gpp",)}, UnknownNameError, "did you mean 'gp'"),
        ({"trials": 243}, InvalidArgumentError, "at most 242"),
        ({"trials": 0}, InvalidArgumentError, "trials"),
        ({"seeds": 0}, InvalidArgumentError, "seeds"),
        ({"candidates": "al"}, InvalidArgumentError, "must be 'all' or 'visited'"),
        ({"searchers": ("random",), "candidates": "all"}, InvalidArgumentError, "none in random"),
    ],
)
def test_mistakes(
    changes: dict[str, Any], kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        run(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="Not a directory"):
        run(tmp_path / "file" / "out")


@pytest.mark.parametrize(("methods", "tasks", "seeds"), [(1, 1, 1), (2, 1, 2), (1, 2, 1)])
def test_pictures_and_tables(
    methods: int,
    tasks: int,
    seeds: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("easy", "loss")[:tasks]
    result = run(tmp_path, tasks=names, searchers=SEARCHERS[:methods], seeds=seeds)
    paths = draw_comparison(tmp_path, result, dict.fromkeys(names, 242))
    assert len(paths) == (2 if methods == 1 else 3)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    print_comparison(result)
    shown = capsys.readouterr().out
    assert f"{result.summary.methods[0].mean_rank[-1]:,.1f}" in shown
    assert ("Wilcoxon" in shown) == (methods > 1)


# Predictors -------------------------------------------------------------------------------------


class Recorder(Linear):
    """Keeps what it learns from, and shifts its predictions."""

    supports: ClassVar[list[TaskData]] = []

    def fit(self, data: TaskData) -> Self:
        self.supports.append(data)
        return super().fit(data)


def supports(seeds: int) -> list[tuple[str, list[tuple[int, ...]]]]:
    Recorder.supports.clear()
    evaluate(
        "tests.workflows.test_compare:Recorder",
        Experiment(TABLE, tasks=("easy", "hard"), seeds=seeds, workers=1),
        train_sizes=(10, 40),
    )
    return [(d.name, sorted(map(tuple, d.choices.tolist()))) for d in Recorder.supports]


def test_supports_depend_on_task_size_and_seed_only() -> None:
    two, three = supports(2), supports(3)
    assert [len(rows) for _, rows in two] == [10, 10, 40, 40] * 2
    assert len({str(rows) for _, rows in two[:4]}) == 4
    assert all(part in three for part in two)
    assert all(len(set(rows)) == len(rows) for _, rows in two)


def test_evaluation_is_on_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = Experiment(TABLE, tasks=("easy",), seeds=1)
    record = evaluate("tests.searchers.toys:Linear", experiment, train_sizes=(60,))
    (found,) = record.results
    from scipy import stats

    task = toy_task("easy")
    rows = np.random.default_rng([0, 60]).permutation(242)
    model = Linear(seed=0).fit(task.data(rows[:60]))
    mean = model.predict(task.choices[rows[60:]]).mean
    tau = stats.kendalltau(mean, task.values[rows[60:]]).statistic
    assert found.kendall_tau == pytest.approx(tau)
    assert tau > 0.6
    print_evaluation("Linear", record)
    assert f"{tau:.3g}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "message"), [(0, "at least 1"), (242, "below 242"), (-1, "at least 0, got -1")]
)
def test_sizes_out_of_range(size: int, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        evaluate("gp", Experiment(TABLE, tasks=("easy",), seeds=1), train_sizes=(size,))


def test_searches_over_several_budgets_are_compared_at_equal_cost(tmp_path: Path) -> None:
    result = run(tmp_path, tasks=("easy",), searchers=("random", "hyperband"), seeds=1)
    plain, several = result.runs
    assert list(plain.costs) == [100.0 * (i + 1) for i in range(20)]
    for key in ("values", "ranks", "costs", "test"):
        assert len(getattr(several, key)) == len(getattr(plain, key)) == 20
    assert all(100 * i < cost <= 100 * (i + 1) for i, cost in enumerate(several.costs))
    with open(tmp_path / "runs.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["searcher"] == "hyperband"]
    assert {row["cost"] for row in rows} == {"10.0", "100.0"}
    found = [row["value"] for row in rows if row["cost"] == "100.0"]
    assert several.values[-1] == pytest.approx(max(map(float, found)), rel=1e-9)
