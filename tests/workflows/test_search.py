"""A search with all that belongs to it, from Python and from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas import SearchOptions, TrainingOptions, search_task, table_setup, training_setup
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    InvalidArgumentError,
    StoreError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Evaluation, Goal, Proposal, Trial
from surrogate_nas.records.search import SearchRecord
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.stopping import MedianStopping
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.workflows.search import SearchOutcome
from tests.answers import answered
from tests.training.data import squares

DATA = "tests.training.data:source"
SPACE = open_space("dense-cell")
ACCURACY = Goal("accuracy", unit="%")
RECORDED: dict[str, Any] = {
    "dataset": DATA,
    "data": squares().fingerprint,
    "epochs": 1,
    "settings": {"channels": 2},
    "seeds": 2,
}
CPU = TrainingOptions(device="cpu")
TRAINED = TrainingOptions(DATA, epochs=1, settings={"channels": 2}, device="cpu")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Fifty cells with invented values, of two budgets."""
    rng = np.random.default_rng(0)
    choices = SPACE.all_choices()[rng.choice(625, 50, replace=False)]
    values = rng.uniform(30, 60, (50, 1, 2))
    tasks = [
        TaskSpec("own", ACCURACY, values, budgets=(1, 4), training=RECORDED),
        TaskSpec("loss", Goal("loss", maximise=False), values, budgets=(1, 4)),
    ]
    write_table(tmp_path / "t.h5", TableSpec("t", SPACE, choices, tasks))
    return tmp_path / "t.h5"


def _answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return _without_clock(answered(capsys, "search", *arguments))


def _without_clock(answer: dict[str, Any]) -> dict[str, Any]:
    assert list(answer.pop("seconds")) == ["load", "search", "total"]
    if answer.get("verification"):
        answer["verification"].pop("seconds")
    return answer


def _same(outcome: SearchOutcome, answer: dict[str, Any]) -> None:
    found = outcome.record.to_json()
    assert SearchRecord.from_json(found) == outcome.record
    found = _without_clock(found)
    assert list(found) == list(answer)
    assert found == answer


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("evolution+gp", ["--predictor", "gp"]),
        ("evolution+none", ["--predictor", "none"]),
        ("evolution+auto", []),
        ("evolution+xgboost", ["--predictor", "xgboost"]),
        ("bayesian:ucb", ["--searcher", "bayesian:ucb"]),
        ("hyperband:local+none", ["--searcher", "hyperband:local+none"]),
    ],
)
def test_of_a_table_python_and_the_command_find_the_same(
    method: str, arguments: list[str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = HDF5Benchmark(path).task("loss")
    outcome = search_task(table_setup(task, method, SearchOptions(trials=12, seed=3)))
    common = ["--benchmark", str(path), "--task", "loss", "--trials", "12", "--seed", "3"]
    _same(outcome, _answer(capsys, *common, *arguments))
    values = [trial.value for trial in outcome.record.trials]
    assert outcome.record.best is not None
    whole = [t.value for t in outcome.result.trials if t.evaluation and t.evaluation.budget == 4]
    assert outcome.record.best.value == -max(value for value in whole if value is not None)
    assert len(values) == len(outcome.result.trials) >= 12


def test_store_and_verification_are_part_of_one_call(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(store: str, trials: int) -> SearchOutcome:
        options = SearchOptions(
            trials=trials, batch=2, store=tmp_path / store, verify=1, training=CPU
        )
        setup = table_setup(HDF5Benchmark(path).task("own"), "random+none", options)
        assert setup.known == (4 if trials == 6 else 0)
        return search_task(setup)

    first, whole = run("a.journal", 4), run("a.journal", 6)
    assert whole.result.trials[:4] == first.result.trials
    assert whole.verification is not None
    assert whole.record.verification == whole.verification.record()
    assert whole.verification.winners[0].arch == whole.result.best.arch  # type: ignore[union-attr]
    common = ["--benchmark", str(path), "--task", "own", "--batch", "2", "--verify", "1"]
    common += ["--searcher", "random+none", "--device", "cpu"]
    kept = ["--store", str(tmp_path / "b.journal")]
    assert _answer(capsys, *common, *kept, "--trials", "4")["trials"]
    answer = _answer(capsys, *common, *kept, "--trials", "6")
    _same(whole, answer)
    assert list(answer)[-1] == "verification"


def test_by_training_python_and_the_command_find_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def options(store: str) -> SearchOptions:
        return SearchOptions(
            trials=3, seed=2, store=tmp_path / store, verify=1, training=TRAINED, batch=1
        )

    def run(store: str) -> SearchOutcome:
        setup = training_setup("dense-cell", "evolution", options(store), stop_early=True)
        return search_task(setup)

    first, again = run("a.journal"), run("a.journal")
    assert again.result.trials == first.result.trials
    assert first.record.to_json()["dataset"] == DATA
    common = ["--space", "dense-cell", "--dataset", DATA, "--epochs", "1", "--seed", "2"]
    common += ["--settings", "channels=2", "--device", "cpu", "--verify", "1", "--batch", "1"]
    common += ["--trials", "3", "--predictor", "none", "--stop-early"]
    answer = _answer(capsys, *common, "--store", str(tmp_path / "b.journal"))
    for trial in answer["trials"]:
        assert trial["cost"] == 1
    answer["best"]["metrics"].pop("seconds")
    best = first.record.best
    assert best is not None
    without = {key: value for key, value in best.metrics.items() if key != "seconds"}
    _same(replace(first, record=replace(first.record, best=replace(best, metrics=without))), answer)


def test_early_stopping_learns_from_what_is_kept_and_not_while_verifying(tmp_path: Path) -> None:
    options = SearchOptions(
        trials=1,
        budget=2,
        store=tmp_path / "a.journal",
        verify=1,
        training=replace(TRAINED, epochs=2),
    )

    def stopping() -> tuple[MedianStopping, TrainingObjective]:
        setup = training_setup(SPACE, "random", options, stop_early=True)
        objective = setup.objective
        assert isinstance(objective, Stored)
        assert isinstance(objective.objective, TrainingObjective)
        assert setup.verification is not None
        assert setup.verification.training.stop is None
        assert isinstance(objective.objective.stop, MedianStopping)
        search_task(replace(setup, verification=None))
        return objective.objective.stop, objective.objective

    before, _ = stopping()
    after, _ = stopping()  # replays, and trains nothing
    assert len(before._curves) == len(after._curves) == 1
    assert before._curves == after._curves


def test_what_was_not_asked_for_is_absent_and_what_failed_is_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = HDF5Benchmark(path).task("own")
    plain = search_task(table_setup(task, "random", SearchOptions(trials=2))).record.to_json()
    assert "verification" not in plain
    assert not {"space", "dataset", "epochs"} & set(plain)

    def interrupt(trial: Trial) -> None:
        raise KeyboardInterrupt

    options = SearchOptions(trials=2, verify=1, training=CPU)
    outcome = search_task(table_setup(task, "random", options), callbacks=[interrupt])
    assert outcome.result.stopped == "interrupted"
    assert outcome.record.to_json()["verification"] is None


@pytest.mark.parametrize(
    ("method", "options", "error", "reason"),
    [
        ("optuna:tpo", {}, UnknownNameError, "did you mean 'tpe'"),
        ("evolution+xgbost", {}, UnknownNameError, "did you mean 'xgboost'"),
        ("evolution", {"trials": 51}, InvalidArgumentError, "at most 50"),
        ("evolution", {"budget": 3}, InvalidArgumentError, "budget must be one of"),
        ("evolution+gp", {"proxies": ["naswto"]}, UnknownNameError, "did you mean 'naswot'"),
        ("evolution", {"proxies": ["naswot"]}, InvalidArgumentError, "leave them out"),
        ("evolution", {"candidates": "all"}, InvalidArgumentError, "there is none in evolution"),
        ("evolution+gp", {"candidates": "some"}, InvalidArgumentError, "'all' or 'visited'"),
    ],
)
def test_mistakes_are_found_before_there_is_a_store(
    method: str,
    options: dict[str, Any],
    error: type[SurrogateNASError],
    reason: str,
    path: Path,
    tmp_path: Path,
) -> None:
    store = tmp_path / "a.journal"
    given: dict[str, Any] = {"trials": 5, "store": store, "training": CPU, **options}
    task = HDF5Benchmark(path).task("own")
    with pytest.raises(error, match=reason):
        table_setup(task, method, SearchOptions(**given))
    assert not store.exists()


def test_a_stored_search_goes_on_with_the_same_candidates(path: Path, tmp_path: Path) -> None:
    task, store = HDF5Benchmark(path).task("own"), tmp_path / "a.journal"
    options = SearchOptions(trials=8, store=store, candidates="visited")
    record = search_task(table_setup(task, "evolution+gp", options)).record
    assert record.candidates == "visited"
    with pytest.raises(StoreError, match="candidates 'visited', now 'all'"):
        table_setup(task, "evolution+gp", SearchOptions(trials=9, store=store))


@pytest.mark.parametrize(
    ("method", "options", "reason"),
    [
        ("optuna:tpo", {}, "did you mean 'tpe'"),
        ("evolution", {"trials": 626}, "at most 625"),
        ("evolution", {"budget": 3}, "--epochs 1 and --budget 3 mean the same here"),
        ("evolution+meta-gnn", {}, "name the file of its weights"),
        ("evolution", {"training": TrainingOptions()}, "name --dataset to train"),
    ],
)
def test_mistakes_of_a_search_by_training(
    method: str, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    store = tmp_path / "a.journal"
    given: dict[str, Any] = {"trials": 5, "store": store, "training": TRAINED, **options}
    with pytest.raises(SurrogateNASError, match=reason):
        training_setup(SPACE, method, SearchOptions(**given))
    assert not store.exists()


def test_the_accuracy_of_several_goals_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Two:
        space = SPACE
        goals = (Goal("accuracy"), Goal("latency", maximise=False))

        def evaluate(
            self, arch: Architecture, *, budget: int | None = None, seed: int | None = None
        ) -> Evaluation:
            raise NotImplementedError

    store = tmp_path / "a.journal"
    settings = {"searcher": "random", "training": RECORDED}
    stored = Stored(Two(), open_storage(store), name="two", settings=settings)
    arch = SPACE.architecture(SPACE.all_choices()[1])
    stored.record(Trial(Proposal(0, arch), Evaluation((1.0, -2.0))))
    command = ["verify", str(store), "--device", "cpu", "--seeds", "1", "--json"]
    assert main(command) == 0
    (row,) = json.loads(capsys.readouterr().out)["architectures"]
    assert (row["arch"], row["table"]) == (SPACE.format(arch), 1.0)
    assert row["trained"][0] > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "--share .* a --store keeps"), ({"store": "x.journal", "verify": 1}, "--verify")],
)
def test_what_cannot_be_shared(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        SearchOptions(share=True, **options)


def test_processes_that_share_differ_in_what_they_propose(tmp_path: Path) -> None:
    options = SearchOptions(seed=3, share=True, store=tmp_path / "x.journal")
    assert SearchOptions(seed=3).searcher_seed() == 3
    assert options.searcher_seed() != options.searcher_seed()
