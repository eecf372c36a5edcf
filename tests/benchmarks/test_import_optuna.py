from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from surrogate_nas import registry
from surrogate_nas._types import IntArray
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.importers.base import Imported, Listener
from surrogate_nas.benchmarks.importers.optuna import import_optuna
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import FormatError, InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Evaluation, FunctionObjective, Goal, Proposal, Trial
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture, Decision, SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.graphs import ArchGraphs
from surrogate_nas.store import Stored, open_storage

WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64)
OWN = 'name = "own"\ngraph = "chain"\ndecisions = 3\noptions = ["none", "conv", "linear", "skip"]\n'


class Ear(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of the user's tables."""
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    return tmp_path


def study(**settings: Any) -> optuna.Study:
    return optuna.create_study(storage=InMemoryStorage(), study_name="s", **settings)


def add(
    target: optuna.Study,
    layers: Sequence[object],
    value: float | Sequence[float] | None,
    *,
    reported: Mapping[int, float] | None = None,
    state: TrialState = TrialState.COMPLETE,
    **others: object,
) -> None:
    params = {f"layer{i + 1}": layer for i, layer in enumerate(layers)} | others
    target.add_trial(
        create_trial(
            state=state,
            value=value if isinstance(value, int | float) else None,
            values=None if isinstance(value, int | float) else value,
            params=params,
            distributions={key: CategoricalDistribution([v]) for key, v in params.items()},  # type: ignore[list-item]
            intermediate_values=dict(reported or {}),
        )
    )


def imported(target: optuna.Study, **changes: Any) -> Imported:
    settings: dict[str, Any] = {"name": "mine", "space": "nats-size", "task": "toy"}
    return import_optuna(target._storage, **(settings | changes))


def answer(text: str, **place: int) -> Evaluation:
    task = open_benchmark("mine").task("toy")
    return task.evaluate(task.space.parse(text), **place)


def test_trials_become_rows_and_repetitions_seeds() -> None:
    made = study(direction="minimize")
    add(made, (8, 8, 8, 8, 8), 0.5, lr=0.1)
    add(made, ("8", "8", "8", "8", "16"), 0.75, dropout="x")
    add(made, (8, 8, 8, 8, 8), 0.25)
    add(made, (64, 8, 8, 8, 8), None, state=TrialState.FAIL)
    add(made, (64, 8, 8, 8, 8), 0.1, state=TrialState.PRUNED)
    add(made, (64, 8, 8, 8, 8), None, state=TrialState.RUNNING)
    add(made, (64, 8, 8, 8, 8), None, state=TrialState.FAIL)
    ear = Ear()
    found = imported(made, listener=ear)
    assert (found.architectures, found.tasks, found.skipped) == (2, ("toy",), ())
    assert ear.notes == [
        "left out of 7 trials: 2 failed, 1 pruned, 1 running",
        "parameters that are no decisions of 'nats-size' are ignored: lr, dropout",
    ]
    task = open_benchmark("mine").task("toy")
    assert (task.goal, task.budgets) == (Goal("value", maximise=False), (1,))
    assert answer("8:8:8:8:8").value == -0.375
    assert [answer("8:8:8:8:8", seed=i).value for i in (0, 1)] == [-0.5, -0.25]
    assert answer("8:8:8:8:16").value == -0.75


def test_an_ordinary_study_with_reports() -> None:
    """What Optuna itself writes while it optimises, with steps from 0."""
    made = study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    recorded: dict[tuple[int, ...], list[list[float]]] = {}

    def objective(trial: optuna.Trial) -> float:
        layers = tuple(trial.suggest_categorical(f"layer{i}", WIDTHS) for i in range(1, 6))
        curve = [sum(layers) * (1 - 0.5**epoch) + trial.number / 100 for epoch in (1, 2, 3)]
        for step, value in enumerate(curve):
            trial.report(value, step)
        recorded.setdefault(layers, []).append([*curve[:-1], max(curve) + 1])
        return max(curve) + 1

    made.optimize(objective, n_trials=30)
    imported(made)
    task = open_benchmark("mine").task("toy")
    assert task.budgets == (1, 2, 3)
    assert len(task) == len(recorded)
    for layers, curves in recorded.items():
        text = ":".join(map(str, layers))
        for budget, value in zip(task.budgets, np.mean(curves, axis=0), strict=True):
            assert answer(text, budget=budget).value == pytest.approx(value)


def test_reports_at_different_steps_are_left_out() -> None:
    made = study(direction="maximize")
    add(made, (8,) * 5, 3, reported={1: 1, 2: 2})
    add(made, (16,) * 5, 4, reported={1: 1})
    ear = Ear()
    imported(made, listener=ear)
    assert "different steps" in ear.notes[0]
    assert open_benchmark("mine").task("toy").budgets == (1,)
    assert answer("8:8:8:8:8").value == 3


def test_a_missing_report_is_missing() -> None:
    made = study(direction="maximize")
    add(made, (8,) * 5, 3, reported={5: float("nan"), 10: 2})
    add(made, (16,) * 5, 4, reported={5: 1, 10: 2})
    imported(made)
    task = open_benchmark("mine").task("toy")
    assert task.budgets == (5, 10)
    found = task.lookup(np.array([[0] * 5, [1] * 5]), budget=5)
    np.testing.assert_array_equal(found, [np.nan, 1])
    assert task.values.tolist() == [3, 4]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_further_objectives_are_metrics() -> None:
    made = study(directions=["maximize", "minimize"])
    add(made, (8,) * 5, (0.9, 12))
    imported(made)
    assert answer("8:8:8:8:8").metrics == {"value2": 12}
    made.set_metric_names(["accuracy", "latency"])
    imported(made)
    found = open_benchmark("mine").task("toy")
    assert found.goal == Goal("accuracy")
    assert answer("8:8:8:8:8").metrics == {"latency": 12}


def test_bad_trials_are_named_and_nothing_written(home: Path) -> None:
    made = study(direction="maximize")
    add(made, (8,) * 5, 1)
    add(made, (8, 9, 8, 8, 8), 1)
    add(made, (8,) * 4, 1)
    add(made, (16,) * 5, float("inf"))
    message = (
        r"3 bad trials, nothing was written: trial 1: .*'9'.*; trial 2: .*'layer5' is missing; "
        r"trial 3: the value is not finite"
    )
    with pytest.raises(FormatError, match=message):
        imported(made)
    assert not (home / "home").exists()
    found = imported(made, skip_bad=True)
    assert (found.architectures, len(found.skipped)) == (1, 3)


def test_wrong_arguments(home: Path) -> None:
    made = study(direction="maximize")
    with pytest.raises(FormatError, match="no usable trial"):
        imported(made)
    add(made, (8,) * 5, 1)
    with pytest.raises(InvalidArgumentError, match="name its space with --space"):
        imported(made, space=None)
    with pytest.raises(InvalidArgumentError, match="--task"):
        imported(made, task=None)
    with pytest.raises(InvalidArgumentError, match=r"block1, .* are missing, it has layer1"):
        imported(made, space="nasbench-macro")
    with pytest.raises(UnknownNameError, match="did you mean 'nats-size'"):
        imported(made, space="nats-sise")
    with pytest.raises(UnknownNameError, match="study 't'"):
        imported(made, study="t")
    optuna.create_study(storage=made._storage, study_name="second")
    with pytest.raises(InvalidArgumentError, match="--study: the store holds 's', 'second'"):
        imported(made)
    imported(made, study="s")
    assert answer("8:8:8:8:8").value == 1


def test_a_search_stands_beside_its_verification(home: Path) -> None:
    """`verify` keeps its trainings in the store of the search, which is what is meant."""
    store = home / "run.journal"
    command = ["search", "--dataset", "digits", "--epochs", "1", "--settings", "channels=2"]
    command += ["--searcher", "random", "--predictor", "none", "--trials", "2"]
    assert main([*command, "--store", str(store), "--verify", "1"]) == 0
    assert main(["import", "optuna", str(store), "--name", "mine"]) == 0
    assert len(open_benchmark("mine").task("digits").choices) == 2


# The command ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["run.journal", "sqlite:///{}/run.db"])
def test_a_stored_search_comes_back(
    home: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Searched on a table of a space of the user, imported without being told which."""
    space = CustomSpace(OWN)
    choices = space.all_choices()
    rng = np.random.default_rng(0)
    values = rng.random((len(choices), 2, 2))
    size = choices.sum(axis=1).astype(float)
    spec = TaskSpec(
        "toy",
        Goal("loss", maximise=False),
        values,
        values + 1,
        [(Goal("size", maximise=False), size)],
        (5, 10),
        costs=(2, 4),
    )
    path = home / "home" / "tables" / "whole.h5"
    write_table(path, TableSpec("whole", space, choices, [spec]))
    store = kind.format(home) if "://" in kind else str(home / kind)
    search = ["search", "--predictor", "none", "--json", "--benchmark"]
    assert main([*search, "whole", "--task", "toy", "--trials", "20", "--store", store]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]

    assert main(["import", "optuna", store, "--name", "mine", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["architectures"], made["tasks"]) == (20, ["toy"])
    whole, mine = (open_benchmark(name).task("toy") for name in ("whole", "mine"))
    assert mine.space.identity == space.identity
    assert mine.goal == whole.goal
    assert mine.budgets == (10,)
    for trial in trials:
        arch = space.parse(trial["arch"])
        assert mine.evaluate(arch) == whole.evaluate(arch)
    assert main([*search, "mine", "--task", "toy", "--trials", "10"]) == 0
    capsys.readouterr()


def test_a_users_own_study_by_the_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{home}/own.db"
    made = optuna.create_study(
        storage=url, direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def objective(trial: optuna.Trial) -> float:
        names = [decision.name for decision in open_space("nasbench201").decisions]
        operations = open_space("nasbench201").decisions[0].options
        trial.suggest_float("lr", 0.01, 0.1)
        chosen = [trial.suggest_categorical(name, operations) for name in names]
        if trial.number % 5 == 4:
            raise optuna.TrialPruned
        return float(sum(map(len, chosen)))

    made.optimize(objective, n_trials=10)
    command = ["import", "optuna", url, "--name", "mine", "--space", "nasbench201"]
    assert main(command) == 2
    assert "--task" in capsys.readouterr().err
    assert main([*command, "--task", "toy", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["architectures"] == 8
    assert "left out of 10 trials: 2 pruned" in shown.err
    assert "ignored: lr" in shown.err
    assert main(["search", "--benchmark", "mine", "--task", "toy", "--searcher", "random",
                 "--predictor", "none", "--trials", "8", "--json"]) == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out)
    assert found["best"]["value"] == made.best_value


def test_stores_that_do_not_exist_or_are_none(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "text.txt").write_text("nothing")
    sqlite3.connect(home / "empty.db").close()
    cases = {
        str(home / "absent.journal"): "there is no trial store",
        f"sqlite:///{home}/absent.db": "there is no trial store",
        str(home / "text.txt"): "is no trial store",
        f"sqlite:///{home}/empty.db": "the store holds no study",
        "nothing://x": "nothing",
    }
    before = sorted(home.iterdir())
    for store, message in cases.items():
        command = ["import", "optuna", store, "--name", "mine", "--space", "own", "--task", "t"]
        assert main(command) == 2
        assert message in capsys.readouterr().err
    assert {p.name for p in home.iterdir()} - {p.name for p in before} <= {"text.txt.flock"}


def test_trainings_become_curves_and_their_recipe_is_noted(home: Path) -> None:
    space = open_space("nats-size")
    a, b = (space.parse(text) for text in ("8:16:24:32:40", "8:8:8:8:8"))
    recipe = {"dataset": "digits", "data": "0123", "epochs": 3, "recipe": "sgd", "settings": {}}
    kept = Stored(
        FunctionObjective(space, lambda arch: 0.0, goal=Goal("loss", maximise=False)),
        open_storage(home / "a.journal"),
        name="s",
        settings={"task": "digits", **recipe},
    )
    for arch, seed, curve in ((a, 4, (9.0, 5.0, 3.0)), (a, 6, (8.0, 4.0, 2.0)), (b, 4, (10.0,))):
        negated = tuple(-value for value in curve)
        epochs = len(curve)
        found = Evaluation(negated[-1:], epochs, epochs, seed, curve=negated)
        kept.record(Trial(Proposal(0, arch), found))
    import_optuna(open_storage(home / "a.journal"), name="made")
    task = open_benchmark("made").task("digits")
    assert (task.budgets, task.costs) == ((1, 2, 3), (1.0, 2.0, 3.0))
    assert task.training == recipe | {"seeds": 7}
    assert [task.evaluate(a, budget=e, seed=1).value for e in (1, 2, 3)] == [-8.0, -4.0, -2.0]
    assert task.evaluate(a).value == -2.5
    assert len(task) == 1  # the training that was ended early has no value at the last epoch


class Conditional(SearchSpace):
    """Numbers, and a decision that counts with some of them alone."""

    name = "conditional"
    decisions = (
        Decision.integer("depth", 2, 8, step=2),
        Decision.real("rate", 1e-4, 0.1, levels=4, log=True),
        Decision.categorical("norm", ["none", "layer"], when={"depth": [6, 8]}),
    )

    def graphs(self, choices: IntArray) -> ArchGraphs:
        raise NotImplementedError

    def parse(self, text: str) -> Architecture:
        raise NotImplementedError

    def format(self, arch: Architecture) -> str:
        raise NotImplementedError


@pytest.fixture
def conditional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SPACES, "conditional", Conditional)


def other(*trials: Mapping[str, object]) -> optuna.Study:
    """A study of a space of its own."""
    made = study(direction="maximize")
    for number, params in enumerate(trials):
        add(made, (), float(number), **dict[str, Any](params))
    return made


def rows() -> list[list[int]]:
    found: list[list[int]] = open_benchmark("mine").task("toy").choices.tolist()
    return found


@pytest.mark.usefixtures("conditional")
def test_a_study_of_another_space_is_matched_by_names() -> None:
    made = other(
        {"depth": 4.0, "lr": 0.01, "optimizer": "adam"},  # norm does not count
        {"depth": 8, "lr": 0.1, "norm": "layer"},
        {"depth": "6", "lr": 1e-4, "norm": None},
        {"depth": 2, "lr": 0.001, "norm": "layer"},
    )
    ear = Ear()
    imported(made, space="conditional", decisions={"rate": "lr"}, listener=ear)
    assert rows() == [[0, 1, 0], [1, 2, 0], [2, 0, 0], [3, 3, 1]]
    assert ear.notes == ["parameters that are no decisions of 'conditional' are ignored: optimizer"]
    with pytest.raises(
        InvalidArgumentError, match=r"rate is missing, it has .*--fixed NAME=OPTION"
    ):
        imported(made, space="conditional")
    with pytest.raises(UnknownNameError, match="decision 'rates'; did you mean 'rate'"):
        imported(made, space="conditional", decisions={"rates": "lr"})


@pytest.mark.usefixtures("conditional")
def test_decisions_that_a_study_lacks_are_fixed() -> None:
    made = other({"depth": 4}, {"depth": 8})
    made_table = imported(made, space="conditional", fixed={"rate": "1e-2", "norm": "layer"})
    assert rows() == [[1, 2, 0], [3, 2, 1]]
    assert (
        "lacks decisions (in all rows rate=1e-2, norm=layer)"
        in HDF5Benchmark(made_table.path).source
    )
    with pytest.raises(UnknownNameError, match=r"unknown rate option '0\.5'"):
        imported(made, space="conditional", fixed={"rate": "0.5", "norm": "layer"})


@pytest.mark.usefixtures("conditional")
def test_options_that_the_space_lacks_are_refused_or_skipped() -> None:
    made = other(
        {"depth": 8, "rate": 0.1, "norm": "layer"},
        {"depth": 8, "rate": 0.1, "norm": "batch"},
        {"depth": 8, "rate": 0.1},
        {"depth": 8, "rate": 0.02, "norm": "layer"},
        {"depth": 8, "rate": 0.5, "norm": "layer"},
    )
    with pytest.raises(
        FormatError,
        match=r"4 bad trials.*trial 1: unknown norm option 'batch'.*trial 2: the parameter 'norm' "
        r"is missing; trial 3: unknown rate option '0.02'.*trial 4: ",
    ):
        imported(made, space="conditional")
    made_table = imported(made, space="conditional", skip_bad=True)
    assert (rows(), len(made_table.skipped)) == ([[3, 3, 1]], 4)
    imported(made, space="conditional", skip_bad=True, nearest=True)
    assert rows() == [[3, 2, 1], [3, 3, 1]]


def test_steps_that_are_no_epochs() -> None:
    made = study(direction="maximize")
    add(made, (8,) * 5, 3, reported={1_700_000_000: 1, 1_700_000_060: 2})
    ear = Ear()
    imported(made, listener=ear)
    assert "steps above 100,000,000" in ear.notes[0]
    assert open_benchmark("mine").task("toy").budgets == (1,)


def test_seeds_of_a_study_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_nas.benchmarks.importers.optuna.MOST_VALUES", 5)
    made = study(direction="maximize")
    for layer in (8, 8, 8, 16):
        add(made, (layer,) * 5, 3)
    with pytest.raises(InvalidArgumentError, match="one architecture has 3 trials"):
        imported(made)
