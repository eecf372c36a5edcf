"""Goals, limits and several tasks on the command line."""

from __future__ import annotations

from pathlib import Path

import moocore
import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces import open_space
from tests.answers import answered

TABLE = ("--benchmark", "tests.tables:ToyTable")
TWO = ("--goal", "accuracy", "--goal", "size", "--minimise", "size")


def test_search_finds_a_front_that_is_right_by_the_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = tmp_path / "front.png"
    found = answered(
        capsys, "search", *TABLE, "--task", "easy", *TWO, "--searcher", "nsga2",
        "--predictor", "none", "--trials", "60", "--plot", str(picture),
    )  # fmt: skip
    task = open_benchmark(TABLE[1]).task("easy")
    size = task.choices.sum(axis=1)
    assert [goal["metric"] for goal in found["goals"]] == ["accuracy", "size"]
    assert [goal["known"] for goal in found["goals"]] == [False, False]
    losses = np.array([[-t["values"]["accuracy"], t["values"]["size"]] for t in found["trials"]])
    on = losses[moocore.is_nondominated(losses, keep_weakly=False)]
    shown = np.array([[-p["values"]["accuracy"], p["values"]["size"]] for p in found["front"]])
    assert np.array_equal(np.unique(shown, axis=0), np.unique(on, axis=0))
    truth = np.stack([-task.values, size], axis=1)
    truth = truth[moocore.is_nondominated(truth)]
    worst = truth.max(axis=0) + 0.1 * np.ptp(truth, axis=0)
    assert found["reference"] == pytest.approx({"accuracy": -worst[0], "size": worst[1]})
    whole = moocore.hypervolume(truth, ref=worst)
    assert found["hypervolume"] == pytest.approx(moocore.hypervolume(losses, ref=worst) / whole)
    assert found["violations"] == 0
    assert found["rank"] is found["regret"] is found["optimum"] is None
    assert sum(point["knee"] for point in found["front"]) == 1
    for point in found["front"]:
        row = task.rows(np.array([task.space.parse(point["arch"]).choices]))
        assert task.test_values is not None
        assert point["test"] == {"accuracy": task.test_values[row][0]}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_search_keeps_a_limit_and_counts_what_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ("search", *TABLE, "--task", "easy", "--limit", "size<=4", "--predictor", "none")
    found = answered(capsys, *command, "--searcher", "evolution", "--trials", "60")
    task = open_benchmark(TABLE[1]).task("easy")
    allowed = np.sort(task.values[task.choices.sum(axis=1) <= 4])
    kept = [t["value"] for t in found["trials"] if t["values"]["size"] <= 4]
    assert found["best"]["value"] == max(kept)
    assert found["optimum"] == allowed[-1]
    assert found["rank"] == 1 + int((allowed > max(kept)).sum())
    (limit,) = found["limits"]
    assert (limit["at_most"], limit["at_least"]) == (4, None)
    assert limit["violations"] == found["violations"] == 60 - len(kept)
    assert limit["nearest"] == min(t["values"]["size"] for t in found["trials"])


def test_a_limit_that_no_trial_keeps_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["search", *TABLE, "--task", "easy", "--limit", "accuracy>=1e6"]
    command += ["--goal", "size", "--searcher", "random", "--predictor", "none", "--trials", "5"]
    assert main(command) == 1
    shown = capsys.readouterr().err.splitlines()[-1]
    assert "no trial keeps all limits; the largest accuracy seen is" in shown
    assert main([*command, "--known", "accuracy"]) == 2
    assert "no architecture keeps the limit accuracy>=1000000" in capsys.readouterr().err


def test_limits_that_differ_in_late_digits_are_different_searches(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["search", *TABLE, "--task", "easy", "--goal", "accuracy", "--predictor", "none"]
    command += ["--trials", "3", "--store", str(tmp_path / "run.journal"), "--limit"]
    assert main([*command, "size<=12347123"]) == 0
    assert "size<=12347123" in capsys.readouterr().out
    assert main([*command, "size<=12347124"]) == 2
    assert "size<=12347123" in capsys.readouterr().err


def test_a_space_without_a_graph_has_goals_and_limits(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    space = tmp_path / "own.toml"
    space.write_text('name = "own"\n[decisions]\na = [1, 2, 3, 4]\nb = { integer = [1, 5] }\n')
    opened = open_space(space)
    choices = opened.all_choices()
    size = 1e6 * (1 + choices.sum(axis=1).astype(float))
    spec = TaskSpec(
        "t", Goal("score"), size.reshape(-1, 1, 1), metrics=[(Goal("size", maximise=False), size)]
    )
    write_table(tmp_path / "own.h5", TableSpec("own", opened, choices, [spec]))
    command = ("search", "--benchmark", str(tmp_path / "own.h5"), "--searcher", "evolution+gp")
    found = answered(capsys, *command, "--trials", "12", "--goal", "score", "--goal", "size")
    assert found["hypervolume"] > 0.9
    found = answered(capsys, *command, "--trials", "12", "--limit", "size<=4e6")
    assert found["best"]["value"] == 4e6


def test_several_tasks_are_one_or_so_many_goals(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("search", *TABLE, "--task", "easy,loss", "--predictor", "none", "--trials", "10")
    mean = answered(capsys, *command, "--weights", ".7,.3")
    assert "goals" not in mean
    tasks = [open_benchmark(TABLE[1]).task(name) for name in ("easy", "loss")]
    row = tasks[0].rows(np.array([tasks[0].space.parse(mean["best"]["arch"]).choices]))
    values = [task.values[row][0] for task in tasks]
    assert mean["best"]["value"] == pytest.approx(0.7 * values[0] + 0.3 * values[1])
    each = answered(capsys, *command, "--each-task-a-goal")
    assert [goal["metric"] for goal in each["goals"]] == ["easy:accuracy", "loss:loss"]
    assert [goal["maximise"] for goal in each["goals"]] == [True, False]


def test_compare_tells_hypervolumes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["compare", *TABLE, "--task", "easy", *TWO, "--searcher", "random,nsga2"]
    command += ["--trials", "40", "--seeds", "2", "--workers", "1", "--out", str(tmp_path)]
    found = answered(capsys, *command)
    for run in found["runs"]:
        shares = run["hypervolumes"]
        assert len(shares) == 40
        assert shares == sorted(shares)
        assert 0 <= shares[-1] <= 1
    means = [np.mean([run["hypervolumes"][-1] for run in found["runs"][:2]])]
    row = found["summary"]["methods"][0]
    assert means[0] > 0
    assert row["mean_rank"][-1] == pytest.approx(100 * (1 - means[0]))
    assert (tmp_path / "by_trials.png").exists()
    assert answered(capsys, *command) == found  # from the files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--weights 1e308,1e308 --task loss", "weights must have a finite sum"),
        ("--goal nope", "unknown metric of task 'easy' 'nope'"),
        ("--goal size --goal size", "goals must be of different metrics, got 'size' twice"),
        ("--goal size --limit size<=3", "got 'size' twice"),
        ("--limit nope<=3", "unknown metric of task 'easy' 'nope'"),
        ("--limit size", "a limit must be a metric, <= or >=, and a number"),
        ("--limit size<=few", "a limit must be a metric, <= or >=, and a number"),
        ("--limit size<=nan", "a limit must be a metric, <= or >=, and a number"),
        ("--known size", "unknown goal that is known 'size'"),
        ("--minimise nope", "unknown metric of task 'easy' 'nope'"),
        ("--weights 1,2", "name others, too: --task easy,…"),
        ("--weights x", "must be numbers separated by commas"),
        ("--dataset digits --known parameters", "leave one out"),
    ],
)
def test_bad_goals_are_refused(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["search", *TABLE, "--task", "easy", "--trials", "3", "--predictor", "none"]
    try:
        code = main([*command, *options.split()])
    except SystemExit as ended:  # of argparse
        code = int(ended.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err
