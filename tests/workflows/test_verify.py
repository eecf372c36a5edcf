"""Winners of a search, really trained."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy import stats

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, read_table, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, TrainingError
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.limits import TrialLimits
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.plan import plan_training, study_of
from surrogate_nas.workflows.verify import Verification, Winner, trained_goal, verify, winners
from tests.answers import answered
from tests.displays import Display
from tests.training.data import squares
from tests.training.gpus import pretend_gpus

ROOT = Path(__file__).resolve().parents[2]
DATA = "tests.training.data:source"
SPACE = open_space("dense-cell")
ARCHS = [
    SPACE.parse(text)
    for text in (
        "conv3x3-skip-skip-skip",
        "conv5x5-skip-conv3x3-skip",
        "skip-skip-skip-skip",
        "maxpool3x3-conv3x3-skip-skip",
    )
]
RECORDED: dict[str, Any] = {
    "dataset": DATA,
    "data": squares().fingerprint,
    "epochs": 2,
    "settings": {"channels": 2},
    "seeds": 2,
}
ACCURACY = Goal("accuracy", unit="%")
CPU = ("--device", "cpu", "--workers", "1")


def _training(**options: Any) -> TrainingObjective:
    return plan_training(SPACE, RECORDED, device="cpu", **options)[0]


def _trial(arch: Architecture, value: float, budget: int = 2, **info: float) -> Trial:
    return Trial(Proposal(0, arch, info=info), Evaluation((value,), budget=budget))


# The function ---------------------------------------------------------------------------------


def test_winners_are_the_best_networks_of_the_largest_budget() -> None:
    trials = [
        _trial(ARCHS[0], 0.9, budget=1),
        _trial(ARCHS[1], 0.5, predicted=0.7),
        _trial(ARCHS[2], 0.6),
        _trial(ARCHS[3], 0.4),
        Trial(Proposal(0, ARCHS[0]), error="diverged"),
    ]
    assert winners(SPACE, trials, 2) == (Winner(ARCHS[2], 0.6), Winner(ARCHS[1], 0.5, 0.7))
    assert len(winners(SPACE, trials, 9)) == 3
    with pytest.raises(InvalidArgumentError, match="no trial that succeeded"):
        winners(SPACE, trials[4:], 1)


def test_winners_of_several_goals_are_the_front_that_keeps_the_limits() -> None:
    goals = (Goal("accuracy"), Goal("latency", maximise=False), Goal("size", False, limit=5.0))
    rows = [(0.9, -3.0, -9.0), (0.8, -2.0, -4.0), (0.7, -2.5, -4.0), (0.5, -1.0, -4.0)]
    trials = [
        Trial(Proposal(0, arch, info={"predicted": 0.1}), Evaluation(row, budget=2))
        for arch, row in zip(ARCHS, rows, strict=True)
    ]
    found = winners(SPACE, trials, 9, goals)
    # The first is beyond the limit, and the second dominates the third.
    assert {winner.arch for winner in found[:2]} == {ARCHS[1], ARCHS[3]}
    assert [winner.arch for winner in found[2:]] == [ARCHS[2]]
    assert found[2] == Winner(ARCHS[2], 0.7, 0.1)
    latencies = winners(SPACE, trials, 9, goals, compared=1)
    assert latencies[2] == Winner(ARCHS[2], -2.5)
    one = [
        Trial(trial.proposal, Evaluation((row[0], row[2]), budget=2))
        for trial, row in zip(trials, rows, strict=True)
    ]
    limited = winners(SPACE, one, 2, (goals[0], goals[2]))
    assert [winner.value for winner in limited] == [0.8, 0.7]
    with pytest.raises(InvalidArgumentError, match="no trial of the search keeps all limits"):
        winners(SPACE, trials[:1], 1, goals)
    assert trained_goal(goals, "accuracy") == 0
    with pytest.raises(InvalidArgumentError, match="none of the goals"):
        trained_goal(goals[1:], "accuracy")


def test_isomorphic_winners_are_trained_once() -> None:
    space = open_space("nasbench201")
    choices = space.all_choices()
    forms = space.index(space.canonicalise(choices))
    archs = [space.architecture(row) for row in choices[forms == np.bincount(forms).argmax()][:2]]
    assert archs[0] != archs[1]
    found = winners(space, [_trial(arch, v) for arch, v in zip(archs, (1, 2), strict=True)], 2)
    assert [winner.arch for winner in found] == [archs[1]]


def test_each_seed_is_the_training_of_that_seed() -> None:
    training = _training()
    best = [Winner(arch, 1.0 - i / 10) for i, arch in enumerate(ARCHS[:2])]
    checked = verify(best, training, goal=ACCURACY, seeds=(4, 5))
    for winner, values in zip(best, checked.trained, strict=True):
        assert values == tuple(training.evaluate(winner.arch, seed=s).value for s in (4, 5))
    assert not checked.errors


def test_kendall_tau_is_scipys_of_the_means() -> None:
    table = [5.0, 4.0, 4.0, 2.0, 1.0]
    trained = ((70.0, 72.0), (71.0, None), (65.0, 66.0), (68.0, 67.0), (None, None))
    checked = Verification(
        ACCURACY, SPACE, tuple(Winner(ARCHS[0], v) for v in table), trained, (), 0.0
    )
    expected = stats.kendalltau(table[:4], [71.0, 71.0, 65.5, 67.5]).statistic
    assert checked.kendall_tau == pytest.approx(expected)
    for few in (1, 0):
        part = Verification(ACCURACY, SPACE, checked.winners[:few], checked.trained[:few], (), 0.0)
        assert part.kendall_tau is None


def test_a_record_has_the_metrics_own_sign() -> None:
    loss = Goal("loss", maximise=False)
    checked = Verification(
        loss,
        SPACE,
        (Winner(ARCHS[0], -0.3, -0.4), Winner(ARCHS[1], -0.5)),
        ((9.0,), (8.0,)),
        (),
        1.0,
    )
    record = checked.record()
    assert record.best == SPACE.format(ARCHS[0])
    rows = record.architectures
    assert [(row.predicted, row.table) for row in rows] == [(0.4, 0.3), (None, 0.5)]
    assert record.kendall_tau == 1
    assert record.to_json()["architectures"][0]["trained"] == [9.0]


def _counted(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[[int], BaseException | None]
) -> list[int]:
    """Seeds of all trainings; ``fail`` sees the number of each and may give its end."""
    from surrogate_nas.training.trainer import train

    seeds: list[int] = []

    def counted(*arguments: Any, seed: int, **options: Any) -> Any:
        seeds.append(seed)
        error = fail(len(seeds))
        if error is not None:
            raise error
        return train(*arguments, seed=seed, **options)

    monkeypatch.setattr("surrogate_nas.training.objective.train", counted)
    return seeds


def test_failures_are_rows_and_an_interrupt_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {2: TrainingError("diverged"), 4: KeyboardInterrupt()}
    seeds = _counted(monkeypatch, ends.get)
    training, plan = plan_training(SPACE, RECORDED, device="cpu")
    best = [Winner(arch, 1.0) for arch in ARCHS[:2]]

    def run() -> Verification:
        name, settings = study_of(SPACE, plan)
        storage = open_storage(tmp_path / "a.journal")
        memory = Stored(training, storage, name=name, settings=settings)
        return verify(best, training, goal=ACCURACY, seeds=(2, 3), memory=memory)

    stopped = run()
    assert stopped.interrupted
    (first, third), (second, fourth) = stopped.trained
    assert second is fourth is None
    assert first is not None
    assert third is not None
    whole = run()
    assert seeds == [2, 2, 3, 3, 3]  # the interrupted training alone was repeated
    assert not whole.interrupted
    assert whole.trained[0] == (first, third)
    assert whole.trained[1][0] is None
    assert whole.trained[1][1] is not None
    assert (
        whole.errors
        == stopped.errors
        == (f"{SPACE.format(ARCHS[1])}, seed 2: TrainingError: diverged",)
    )


@pytest.mark.parametrize("workers", [2, None])
def test_several_processes_find_the_same(workers: int | None) -> None:
    training, best = _training(), [Winner(arch, 1.0) for arch in ARCHS[:2]]
    display = Display()
    alone = verify(best, training, goal=ACCURACY, seeds=(2, 3))
    several = verify(best, training, goal=ACCURACY, seeds=(2, 3), workers=workers, progress=display)
    assert several.trained == alone.trained
    assert len(display.texts) == 4
    with pytest.raises(InvalidArgumentError, match="workers must be at least 1, got 0"):
        verify(best, training, goal=ACCURACY, seeds=(2,), workers=0)


def test_what_is_kept_is_not_trained_in_other_processes(tmp_path: Path) -> None:
    training, plan = plan_training(SPACE, RECORDED, device="cpu")
    name, settings = study_of(SPACE, plan)
    best = [Winner(arch, 1.0) for arch in ARCHS[:2]]

    def run(seeds: tuple[int, ...]) -> Verification:
        memory = Stored(
            training, open_storage(tmp_path / "a.journal"), name=name, settings=settings
        )
        return verify(best, training, goal=ACCURACY, seeds=seeds, workers=2, memory=memory)

    first, more = run((2,)), run((2, 3))
    assert [row[0] for row in more.trained] == [row[0] for row in first.trained]
    kept = optuna.load_study(study_name=name, storage=open_storage(tmp_path / "a.journal"))
    assert [trial.user_attrs["seed"] for trial in kept.trials] == [2, 2, 3, 3]


def test_winners_are_spread_over_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    best, training = [Winner(arch, 1.0) for arch in ARCHS], _training()
    pretend_gpus(monkeypatch, 2)
    training.device = "auto"
    checked = verify(best, training, goal=ACCURACY, seeds=(2,), workers=None)
    assert [error for error in checked.errors if "'cuda:0' is not available" in error]
    assert [error for error in checked.errors if "'cuda:1' is not available" in error]
    assert len(checked.errors) == 4


# The plan -------------------------------------------------------------------------------------


def test_options_win_over_what_is_recorded() -> None:
    training, plan = plan_training(
        SPACE, RECORDED, epochs=1, recipe="adamw", settings={"channels": 3}, device="cpu"
    )
    assert (training.epochs, training.recipe.name, training.settings) == (
        1,
        "adamw",
        {"channels": 3},
    )
    assert plan["data"] == RECORDED["data"]
    _, other = plan_training(SPACE, RECORDED | {"data": "x"}, dataset="digits", device="cpu")
    assert (other["dataset"], other["epochs"]) == ("digits", 2)


@pytest.mark.parametrize(
    ("recorded", "options", "reason"),
    [
        (None, {}, "name --dataset and --epochs"),
        (None, {"dataset": DATA}, "name --epochs"),
        (RECORDED | {"data": "x"}, {}, "is not the one of the recorded trainings"),
        (RECORDED, {"dataset": "digit"}, "did you mean 'digits'"),
        (RECORDED, {"settings": {"chanels": 2}}, "has no setting 'chanels'"),
    ],
)
def test_a_plan_that_cannot_be(
    recorded: dict[str, Any] | None, options: dict[str, Any], reason: str
) -> None:
    from surrogate_nas.errors import SurrogateNASError

    with pytest.raises(SurrogateNASError, match=reason):
        plan_training(SPACE, recorded, device="cpu", **options)


# The command ----------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve cells with invented values, and a recipe that is over in a moment."""
    rng = np.random.default_rng(0)
    choices = SPACE.all_choices()[rng.choice(625, 12, replace=False)]
    values = rng.uniform(30, 60, (12, 2, 1))
    path = tmp_path / "own.h5"
    known = TaskSpec("known", ACCURACY, values, budgets=(2,), training=RECORDED)
    unknown = TaskSpec("unknown", Goal("loss", maximise=False), values + 1, budgets=(2,))
    write_table(path, TableSpec("own", SPACE, choices, [known, unknown]))
    return path


def _search(table: Path, task: str, *arguments: str) -> list[str]:
    trials = ["--trials", "10", "--predictor", "none"]
    return ["search", "--benchmark", str(table), "--task", task, *trials, *arguments]


def test_a_table_keeps_its_recipe(table: Path) -> None:
    task = HDF5Benchmark(table).task("known", isomorphs="merged")
    assert task.training == RECORDED
    assert HDF5Benchmark(table).task("unknown").training is None
    write_table(table, read_table(HDF5Benchmark(table)))
    assert HDF5Benchmark(table).task("known").training == RECORDED
    HDF5Benchmark(table).check()


def test_search_and_verify_print_the_same_parity(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "a.journal")
    found = answered(capsys, *_search(table, "known", "--store", store, "--verify", "2", *CPU))
    checked = found["verification"]
    assert list(checked) == ["architectures", "kendall_tau", "seconds", "errors", "best"]
    best = sorted(found["trials"], key=lambda trial: -trial["value"])[:2]
    rows = checked["architectures"]
    assert [(row["arch"], row["table"]) for row in rows] == [(t["arch"], t["value"]) for t in best]
    training = _training()
    for row in rows:
        arch = SPACE.parse(row["arch"])
        assert row["trained"] == [training.evaluate(arch, seed=s).value for s in (2, 3, 4)]
    again = answered(capsys, "verify", store, "--top", "2", *CPU)
    assert again["architectures"] == rows
    plain = answered(capsys, *_search(table, "known", "--verify", "2", *CPU))
    assert plain["verification"]["architectures"] == rows
    assert main(["verify", store, "--top", "2", *CPU]) == 0
    out = capsys.readouterr().out
    assert "Kendall tau of table and trained" in out
    assert f"{rows[0]['trained'][2]:.2f}" in out


def test_a_search_of_an_unknown_recipe_needs_options(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "a.journal")
    search = _search(table, "unknown", "--store", store)
    assert main([*search, "--verify", "2"]) == 2
    error = capsys.readouterr().err
    assert "name --dataset and --epochs" in error
    assert error.count("\n") == 1
    how = ["--dataset", DATA, "--epochs", "1", "--settings", "channels=2", *CPU]
    found = answered(capsys, *search, "--verify", "2", *how)
    rows = found["verification"]["architectures"]
    assert rows[0]["table"] == min(trial["value"] for trial in found["trials"])
    assert rows[0]["table"] < rows[1]["table"]
    assert main(["verify", store]) == 2
    assert "name --dataset and --epochs" in capsys.readouterr().err
    assert answered(capsys, "verify", store, "--top", "2", *how)["architectures"] == rows


def test_what_was_predicted_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "a.journal")
    found = answered(
        capsys,
        *("search", "--task", "cora", "--predictor", "gp", "--trials", "30", "--store", store),
    )
    study = optuna.load_study(study_name=None, storage=open_storage(store))
    predicted = {
        trial.user_attrs["arch"]: trial.user_attrs["predicted"]
        for trial in study.trials
        if "predicted" in trial.user_attrs
    }
    asked = [trial for trial in found["trials"] if trial["arch"] in predicted]
    numbers = [trial["number"] for trial in asked]
    assert numbers
    assert min(numbers) >= 2  # nothing is predicted from nothing
    misses = [abs(predicted[trial["arch"]] - trial["value"]) for trial in asked]
    assert 0 < np.median(misses) < 0.05  # in the unit of the values, and no repetition of them


def test_several_searches_are_listed(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "a.journal")
    for seed in "01":
        answered(capsys, *_search(table, "known", "--store", store, "--seed", seed))
    assert main(["verify", store]) == 2
    error = capsys.readouterr().err
    assert "'own/known/evolution/0', 'own/known/evolution/1'" in error
    assert error.count("\n") == 1
    study = ["--study", "own/known/evolution/1", "--top", "1", "--seeds", "1", *CPU]
    assert len(answered(capsys, "verify", store, *study)["architectures"]) == 1


def test_trainings_of_a_search_are_verified_with_other_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "a.journal")
    command = ["search", "--dataset", DATA, "--epochs", "2", "--settings", "channels=2"]
    command += ["--predictor", "none", "--trials", "4", "--seed", "7", "--store", store, *CPU]
    found = answered(capsys, *command, "--verify", "2")
    row = found["verification"]["architectures"][0]
    training, arch = _training(), SPACE.parse(row["arch"])
    assert row["table"] == training.evaluate(arch, seed=7).value
    assert row["trained"] == [training.evaluate(arch, seed=s).value for s in (8, 9, 10)]
    again = answered(capsys, "verify", store, "--top", "2", *CPU)
    assert again["architectures"] == found["verification"]["architectures"]
    for words in (
        ["verify", store, "--top", "2", "--seeds", "1", *CPU],
        [*command, "--verify", "2"],
    ):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert "Kendall tau of search and trained" in shown
        assert "table" not in shown


def test_a_verification_of_failures_alone_exits_with_1(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "a.journal")
    _counted(monkeypatch, lambda number: TrainingError("diverged") if number <= 3 else None)
    assert main(_search(table, "known", "--store", store, "--verify", "1", *CPU)) == 1
    assert capsys.readouterr().err.count("failed: ") == 3
    again = ["verify", store, "--top", "2", *CPU]  # the second one's trainings succeed
    assert main(again) == 0
    assert capsys.readouterr().err.count("failed: ") == 3


def test_an_interrupt_shows_what_was_trained(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "a.journal")
    search = _search(table, "known", "--store", store, "--verify", "2", "--json", *CPU)
    _counted(monkeypatch, {3: KeyboardInterrupt()}.get)
    assert main(search) == 130
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == "surrogate-nas search: interrupted"
    rows = json.loads(shown.out)["verification"]["architectures"]
    assert [[value is None for value in row["trained"]] for row in rows] == [
        [False, True, True]
    ] * 2
    _counted(monkeypatch, {1: KeyboardInterrupt()}.get)
    assert main(["verify", store, "--top", "2", *CPU]) == 130
    assert f"{rows[0]['trained'][0]:.2f}" in capsys.readouterr().out


def test_a_killed_run_repeats_no_training(table: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "a.journal")
    assert main(_search(table, "known", "--store", store)) == 0
    command = ["verify", store, "--top", "2", "--epochs", "9", *CPU]
    process = subprocess.Popen(
        [sys.executable, "-m", "surrogate_nas", *command],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    while "2/6" not in process.stderr.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert main(command) == 0
    kept = optuna.load_study(
        study_name=f"verify dense-cell/{DATA}/sgd 9/channels=2", storage=open_storage(store)
    )
    seeds = [(trial.user_attrs["arch"], trial.user_attrs["seed"]) for trial in kept.trials]
    assert len(seeds) == len(set(seeds)) == 6


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere.journal"], "there is no trial store nowhere.journal"),
        (["pyproject.toml"], "is no trial store"),
        (["sqlite:///nowhere.db"], "there is no trial store"),
        (["a.journal", "--top", "0"], "--top"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(["verify", *arguments])
    except SystemExit as end:
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_training_that_takes_too_long_is_ended() -> None:
    training, limits = _training(epochs=10**6), TrialLimits(seconds=0.5)
    checked = verify([Winner(ARCHS[0], 90.0)], training, goal=ACCURACY, seeds=(2,), limits=limits)
    assert checked.trained == ((None,),)
    assert "TimeoutError: it took more than 0.5 s" in checked.errors[0]
