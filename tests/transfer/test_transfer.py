"""Which tasks a predictor may have learnt from."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from surrogate_nas._version import RESULTS
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.folders import tables_folder, weights_folder
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import (
    FormatError,
    InvalidArgumentError,
    SurrogateNASError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal
from surrogate_nas.predictors.meta import weights as weights_module
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.weights import read_settings, read_weights, write_weights
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.operations import OPERATION_IDS
from surrogate_nas.transfer import (
    PredictorChoice,
    choose_for_training,
    choose_predictor,
    held_out_tasks,
    meta_train,
    meta_training,
    suite_tasks,
)
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from tests.suites import TASKS, table, trained

pytestmark = pytest.mark.usefixtures("home")


def test_suites() -> None:
    table("yours", ("x", "y"))
    names = [(task.benchmark, task.name) for task in suite_tasks("mine:c,a;yours")]
    assert names == [("mine", "c"), ("mine", "a"), ("yours", "x"), ("yours", "y")]
    path = tables_folder() / "mine.h5"
    assert [task.name for task in suite_tasks(f"{path}:b")] == ["b"]
    assert [task.name for task in suite_tasks(str(path))] == list(TASKS)
    for wrong in ("", "mine:", "mine:a,,b", ":a", "mine;"):
        with pytest.raises(InvalidArgumentError, match="a suite must be"):
            suite_tasks(wrong)
    with pytest.raises(UnknownNameError, match="did you mean 'mine'"):
        suite_tasks("mina:a")
    with pytest.raises(UnknownNameError, match="'z'"):
        suite_tasks("mine:z")
    table("copy", ("b",))
    with pytest.raises(InvalidArgumentError, match="same measurements"):
        suite_tasks("mine;copy")


def test_held_out_names() -> None:
    table("yours", ("x", "a2"))
    found = held_out_tasks("mine:b;yours", ["a", "yours/x"])
    assert [(task.benchmark, task.name) for task in found] == [("mine", "a"), ("yours", "x")]
    with pytest.raises(UnknownNameError):
        held_out_tasks("mine;yours", ["q"])
    table("third", ("a",))
    with pytest.raises(InvalidArgumentError, match="mine/a, third/a"):
        held_out_tasks("mine;third", ["a"])
    found = held_out_tasks("mine:b;mine:c", ["a", "mine/a"])
    assert [task.name for task in found] == ["a"]


def test_a_held_out_task_is_measured_and_not_learnt_from(home: Path) -> None:
    mine = open_benchmark("mine")
    found = trained(home / "w.safetensors", "mine", holdout=[mine.task("b")])
    assert found.tasks == ("mine/a", "mine/c")
    assert found.labels == 600
    taus = found.held_out["mine/b"]
    assert list(taus) == ["0", "5", "20", "100"]
    assert 0.5 < taus["0"] < 1
    settings = read_settings(home / "w.safetensors")
    assert not settings.saw(open_space("nats-size"), "b", [mine.task("b").fingerprint])
    assert settings.saw(open_space("nats-size"), "renamed", [mine.task("a").fingerprint])
    assert settings.saw(open_space("nats-size"), "A", ["fingerprint of a mean over more seeds"])
    assert not settings.saw(open_space("nasbench201"), "a", ["of another space"])
    assert settings.held_out == found.held_out
    with pytest.raises(InvalidArgumentError, match="no task is left"):
        trained(home / "w.safetensors", "mine:b", holdout=[mine.task("b")])


def others_of_a() -> list[TabularTask]:
    """The values of a under another name, and other values under its name."""
    table("renamed", {"first": "a"})
    table("redrawn", {"A": "q"})
    return [open_benchmark("renamed").task("first"), open_benchmark("redrawn").task("A")]


def test_the_default_never_uses_weights_that_saw_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under whatever name the task's values were imported, and whatever its values are."""
    folder = weights_folder()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 1e9)
        trained(folder / "saw_b_and_c.safetensors", "mine:b,c")
    trained(folder / "saw_a.safetensors", "mine:a")
    for task in (open_benchmark("mine").task("a"), *others_of_a()):
        choice = choose_predictor("transfer-ridge", task)
        assert choice.weights == str(folder / "saw_b_and_c.safetensors")
        assert choice.source_evaluations == 600
        with pytest.raises(InvalidArgumentError, match="itself"):
            choose_predictor(str(folder / "saw_a.safetensors"), task)
    (folder / "saw_b_and_c.safetensors").unlink()
    with pytest.raises(InvalidArgumentError, match=r"meta-train --suite mine --holdout a"):
        choose_predictor("transfer-ridge", open_benchmark("mine").task("a"))


def test_the_newest_weights_of_the_space_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    table("macro", ("m",), space="nasbench-macro")
    folder = weights_folder()
    for second, (name, suite) in enumerate(
        {"old": "mine:b", "new": "mine:c", "of-another-space": "macro"}.items()
    ):
        monkeypatch.setattr(time, "time", functools.partial(float, 1_000_000_000 + second))
        trained(folder / f"{name}.safetensors", suite)
    task = open_benchmark("mine").task("a")
    assert choose_predictor("transfer-ridge", task).weights == str(folder / "new.safetensors")
    (folder / "newer.safetensors").write_bytes(b"cut off")  # cannot be read, so it is passed over
    assert choose_predictor("transfer-ridge", task).weights == str(folder / "new.safetensors")


def test_weights_serve_spaces_most_of_whose_operations_they_know() -> None:
    """Those of the space itself come first."""

    def settings(space: str, *operations: str) -> weights_module.Settings:
        source = weights_module.SourceTask("there/x", space, "its fingerprint", 100)
        ids = tuple(OPERATION_IDS[name] for name in operations)
        return weights_module.Settings("meta-gnn", (source,), ids, 0, 0, "0")

    cells = weights_folder() / "cells.safetensors"
    write_weights(cells, {}, settings("transnas-micro", "skip", "conv"))
    write_weights(weights_folder() / "graphs.safetensors", {}, settings("g", "gcn", "gat", "skip"))
    table("cells201", space="nasbench201")
    task = open_benchmark("cells201").task("a")
    assert choose_predictor("meta-gnn", task).weights == str(cells)
    with pytest.raises(InvalidArgumentError, match="serve the space nas-bench-graph"):
        choose_predictor("meta-gnn", open_benchmark("nas-bench-graph").task("cora"))
    own = weights_folder() / "own.safetensors"
    write_weights(own, {}, settings("nasbench201", "skip"))
    assert choose_predictor("meta-gnn", task).weights == str(own)


def test_decisions_that_weights_cannot_see_are_named() -> None:
    source = weights_module.SourceTask("there/x", "elsewhere", "its fingerprint", 100)
    known = tuple(OPERATION_IDS[name] for name in ("conv", "max_pool"))
    settings = weights_module.Settings("meta-gnn", (source,), known, 0, 0, "0")
    write_weights(weights_folder() / "pools.safetensors", {}, settings)
    text = 'name = "own"\ngraph = "chain"\ndecisions = [{name = "size", options = ["a", "b"]}, '
    text += '{name = "kind", options = ["c", "d"]}]\n[operations]\n'
    for name, operation in zip("abcd", ("conv", "max_pool", "unknown", "unknown"), strict=True):
        text += f"{name} = {{operation = '{operation}'}}\n"
    space = CustomSpace(text)
    spec = TaskSpec("t", Goal("value"), np.arange(4.0))
    write_table(tables_folder() / "own.h5", TableSpec("own", space, space.all_choices(), [spec]))
    with pytest.warns(UserWarning, match=r"pools.* of kind apart in own"):
        choose_predictor("meta-gnn", open_benchmark("own").task("t"))


def meta_gnn_settings(*sources: tuple[str, str], at: int = 0) -> weights_module.Settings:
    """Settings of weights that were trained on some tasks, each (space, its name)."""
    tasks = tuple(
        weights_module.SourceTask(f"there/{name}", space, f"of {name}", 100)
        for space, name in sources
    )
    return weights_module.Settings("meta-gnn", tasks, (OPERATION_IDS["conv"],), 0, at, "0")


def test_auto_takes_weights_of_the_space_that_never_saw_the_task() -> None:
    mine = open_benchmark("mine")
    assert choose_predictor("auto", mine.task("a")).name == "gp"
    folder = weights_folder()
    write_weights(folder / "else.safetensors", {}, meta_gnn_settings(("nasbench201", "x")))
    assert choose_predictor("auto", mine.task("a")).name == "gp"
    sources = ("nats-size", "b"), ("nats-size", "c")
    write_weights(folder / "old.safetensors", {}, meta_gnn_settings(*sources, at=1))
    write_weights(folder / "new.safetensors", {}, meta_gnn_settings(*sources, at=2))
    choice = choose_predictor("auto", mine.task("a"))
    assert (choice.name, choice.weights) == ("meta-gnn", str(folder / "new.safetensors"))
    assert choice.source_evaluations == 200
    assert choose_predictor("auto", mine.task("b")) == PredictorChoice("gp")
    # The same for trainings: a task of the data set's name counts as the task.
    space = mine.task("a").space
    assert choose_for_training("auto", space, "a") == choice
    assert choose_for_training("auto", space, "B") == PredictorChoice("gp")


def test_auto_learns_from_sources_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def meta_train(tasks: Sequence[TabularTask], *, predictor: str, out: Path, **_: Any) -> None:
        asked.append((predictor, [task.name for task in tasks]))
        write_weights(out, {}, meta_gnn_settings(("nats-size", "b")))

    monkeypatch.setattr("surrogate_nas.transfer.choice.meta_train", meta_train)
    task = open_benchmark("mine").task("a")
    choice = choose_predictor("auto", task, leave_one_out=True)
    assert choice.name == "meta-gnn"
    assert choice == choose_predictor("meta-gnn", task, sources="mine:b,c")
    assert asked == [("meta-gnn", ["b", "c"])]


def test_what_auto_took_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table_options = ("--benchmark", "mine", "--task", "a", "--trials", "25", "--json")
    store = ("--store", str(home / "s.journal"))
    assert main(["search", "--predictor", "auto", *store, *table_options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["predictor"], found["guide"], found["weights"]) == ("auto", "gp", None)
    # The same search under the name of what was taken: nothing is evaluated again.
    assert main(["search", "--predictor", "gp", *store, *table_options]) == 0
    captured = capsys.readouterr()
    assert "25 trials of this search" in captured.err
    assert json.loads(captured.out)["trials"] == found["trials"]
    experiment = Experiment("mine", tasks=["a"], seeds=1, workers=1)
    searchers = ["evolution+auto", "evolution"]
    runs = compare(experiment, searchers=searchers, trials=25, out=home / "compared").runs
    assert [(run.predictor, run.guide) for run in runs] == [("auto", "gp"), (None, None)]
    values = [trial["value"] for trial in found["trials"]]
    assert list(runs[0].values) == np.maximum.accumulate(values).tolist()


def test_sources_are_trained_once_and_never_on_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    task = open_benchmark("mine").task("a")
    choice = choose_predictor("transfer-ridge", task, leave_one_out=True)
    assert choice.source_evaluations == 600
    assert choice.weights is not None
    assert [s.name for s in read_settings(choice.weights).tasks] == ["mine/b", "mine/c"]
    monkeypatch.setattr(
        "surrogate_nas.transfer.choice.meta_train", lambda *a, **k: pytest.fail("trained again")
    )
    assert choose_predictor("transfer-ridge", task, sources="mine") == choice
    with pytest.raises(InvalidArgumentError, match="another task"):
        choose_predictor("transfer-ridge", task, sources="mine:a")


def test_weights_of_a_program_with_other_digits_are_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = open_benchmark("mine").task("a")
    older = choose_predictor("transfer-ridge", task, leave_one_out=True)
    monkeypatch.setattr("surrogate_nas.transfer.choice.RESULTS", RESULTS + 1)
    newer = choose_predictor("transfer-ridge", task, leave_one_out=True)
    assert newer.weights != older.weights


def test_the_order_of_sources_counts() -> None:
    """As it does in their training."""
    task = open_benchmark("mine").task("a")
    one, other = (
        choose_predictor("transfer-ridge", task, sources=f"mine:{s}") for s in ("b,c", "c,b")
    )
    assert one.weights != other.weights


def test_sources_of_a_foreign_space_are_refused_before_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table("macro", ("m",), space="nasbench-macro")
    monkeypatch.setattr(
        "surrogate_nas.transfer.choice.meta_train", lambda *a, **k: pytest.fail("trained")
    )
    with pytest.raises(InvalidArgumentError, match=r"sources are for nasbench-macro, .* nats-size"):
        choose_predictor("transfer-ridge", open_benchmark("mine").task("a"), sources="macro")


def test_a_file_is_not_mistaken_for_an_installed_table_of_its_name(home: Path) -> None:
    space = open_space("nats-size")
    for name in ("mine", "elsewhere"):
        rng = np.random.default_rng(len(name))
        specs = [TaskSpec(task, Goal("value"), rng.normal(size=50)) for task in ("x", "y")]
        path = home / f"{name} file.h5"
        write_table(path, TableSpec(name, space, space.all_choices()[:50], specs))
        task = open_benchmark(path).task("x")
        choice = choose_predictor("transfer-ridge", task, leave_one_out=True)
        assert choice.weights is not None
        assert [s.name for s in read_settings(choice.weights).tasks] == [f"{name}/y"]
        with pytest.raises(InvalidArgumentError, match=f"--suite '{path}' --holdout x"):
            choose_predictor("transfer-ridge", task)


def test_values_in_other_units_are_recognised() -> None:
    choices = open_space("nats-size").all_choices()[:500]
    percent = np.random.default_rng(0).integers(0, 100_000, 500) / 1000
    one, other = (
        TabularTask(name, open_space("nats-size"), choices, values)
        for name, values in (("one", percent), ("other", percent / 100))
    )
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint in other.fingerprints
    assert other.fingerprint in one.fingerprints
    path = weights_folder() / "w.safetensors"
    meta_train([one], predictor="transfer-ridge", out=path)
    with pytest.raises(InvalidArgumentError, match="trained on arrays/other itself"):
        choose_predictor(str(path), other)


def test_a_space_of_the_same_name_is_another(home: Path) -> None:
    def task(kernel: int, name: str) -> TabularTask:
        path = home / "tiny.toml"
        path.write_text(
            f'name = "tiny"\ngraph = "chain"\ndecisions = 4\noptions = ["skip", "c"]\n'
            f'[operations]\nc = {{ operation = "conv", kernel = {kernel} }}\n'
        )
        space = open_space(str(path))
        choices = space.all_choices()
        return TabularTask(name, space, choices, choices @ np.arange(1.0, 5.0))

    path = home / "w.safetensors"
    meta_train([task(3, "x")], predictor="transfer-ridge", out=path)
    with pytest.raises(FormatError, match="are for tiny#"):
        choose_predictor(str(path), task(5, "y"))
    with pytest.raises(InvalidArgumentError, match="itself"):
        choose_predictor(str(path), task(3, "x"))
    tensors, settings = read_weights(path)
    old = replace(settings, tasks=(replace(settings.tasks[0], space="tiny", fingerprint=""),))
    write_weights(path, tensors, old)
    assert choose_predictor(str(path), task(5, "y")).weights == str(path)

    # A learner that serves other spaces serves it as another one, and knows its own from a name.
    source = task(3, "x")
    learner = MetaGNN(steps=1).meta_fit([source.data()])
    learnt = learner.settings()
    assert learnt["spaces"] == [source.space.identity]
    for noted in (learnt["spaces"], ["tiny"]):  # the name alone as in 0.1.0
        about = meta_training.source_settings("meta-gnn", [source])
        write_weights(path, learner.tensors(), replace(about, learner={**learnt, "spaces": noted}))
        assert choose_predictor(str(path), task(5, "y")).weights == str(path)
        tensors, settings = read_weights(path)
        terms = MetaGNN.restored(tensors, settings.for_learner())._learnt.terms
        assert terms.of_space(task(3, "z").space)
        assert not terms.of_space(task(5, "z").space)


def test_of_other_spaces_the_weights_with_the_most_labels_are_taken() -> None:
    for second, sources in enumerate(("xyz", "x")):
        path = weights_folder() / f"{sources}.safetensors"
        settings = meta_gnn_settings(*(("g", x) for x in sources), at=second)
        known = tuple(OPERATION_IDS[name] for name in ("conv", "skip"))
        write_weights(path, {}, replace(settings, operations=known))
    table("cells201", space="nasbench201")
    choice = choose_predictor("meta-gnn", open_benchmark("cells201").task("a"))
    assert choice.source_evaluations == 300


def test_where_weights_cannot_go_is_told_before_training(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "surrogate_nas.transfer.meta_training.meta_class", lambda name: pytest.fail("trained")
    )
    (home / "file").write_text("")
    (home / "folder.safetensors").mkdir()
    with pytest.raises(SurrogateNASError, match="cannot write the weights"):
        trained(home / "file" / "w.safetensors", "mine:b")
    with pytest.raises(InvalidArgumentError, match="must be a file"):
        trained(home / "folder.safetensors", "mine:b")


def test_sources_and_what_is_held_out_are_told_apart_as_weights_are(home: Path) -> None:
    a = open_benchmark("mine").task("a")
    for other in others_of_a():
        suite = f"mine:b;{other.benchmark}"
        choice = choose_predictor("transfer-ridge", a, sources=suite)
        assert choice.weights is not None
        assert [s.name for s in read_settings(choice.weights).tasks] == ["mine/b"]
        assert trained(home / "w.safetensors", suite, holdout=[a]).tasks == ("mine/b",)


def test_a_cut_off_file_of_the_cache_is_made_again() -> None:
    task = open_benchmark("mine").task("a")
    choice = choose_predictor("transfer-ridge", task, leave_one_out=True)
    assert choice.weights is not None
    path = Path(choice.weights)
    content = path.read_bytes()
    path.write_bytes(content[:50])
    assert choose_predictor("transfer-ridge", task, leave_one_out=True).weights == str(path)
    assert load_file(path).keys() == {"index", "scores"}


def test_a_table_that_is_replaced_is_opened_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def best(seed: int) -> float:
        experiment = Experiment("mine", tasks=["a"], seeds=1, workers=1)
        found = compare(experiment, searchers=["random"], trials=5, out=home / str(seed))
        evaluate("forest", experiment, train_sizes=[20])
        last = found.runs[0].values[-1]
        assert last is not None
        return last

    before = best(0)
    table("mine", offset=1000.0)
    assert best(1) == pytest.approx(before + 1000)
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(home / "another"))
    table("mine")  # the values of the first file, which is no more
    assert best(2) == before
    experiment = Experiment("mine", tasks=["a", "b"], seeds=1, workers=1, leave_one_out=True)
    found = compare(experiment, searchers=["random+transfer-ridge"], trials=5, out=home / "3")
    assert not found.failed


def test_who_learns_from_one_task_takes_no_sources() -> None:
    task = open_benchmark("mine").task("a")
    assert choose_predictor("gp", task).weights is None
    with pytest.raises(InvalidArgumentError, match="learns from one task alone"):
        choose_predictor("gp", task, leave_one_out=True)
    with pytest.raises(UnknownNameError, match="did you mean 'gp'"):
        choose_predictor("gpp", task)


def test_the_commands(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = home / "w.safetensors"

    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)

    made = run(
        "meta-train", "--suite", "mine", "--holdout", "a", "--predictor", "transfer-ridge",
        "--out", str(out),
    )  # fmt: skip
    assert made.keys() == {"tasks", "labels", "seconds", "held_out"}
    assert not list(home.glob("*.checkpoint"))

    evaluated = run(
        "evaluate", "--predictor", str(out), "--benchmark", "mine", "--task", "a",
        "--train-sizes", "0,10", "--seeds", "2", "--workers", "1",
    )["results"]  # fmt: skip
    assert [row["train_size"] for row in evaluated] == [0, 0, 10, 10]
    assert evaluated[0]["kendall_tau"] == pytest.approx(made["held_out"]["mine/a"]["0"])

    searched = run(
        "search", "--benchmark", "mine", "--task", "a", "--predictor", "transfer-ridge",
        "--leave-one-out", "--trials", "30", "--store", str(home / "s.journal"),
    )  # fmt: skip
    assert searched["source_evaluations"] == 600
    assert Path(searched["weights"]).is_file()

    compared = run(
        "compare", "--benchmark", "mine", "--task", "a,b", "--searcher",
        "random,random+transfer-ridge", "--leave-one-out", "--trials", "20", "--seeds", "1",
        "--workers", "1", "--out", str(home / "compared"),
    )  # fmt: skip
    labels = {(r["task"], r["predictor"]): r["source_evaluations"] for r in compared["runs"]}
    assert labels == {
        ("a", None): 0, ("a", "transfer-ridge"): 600,
        ("b", None): 0, ("b", "transfer-ridge"): 600,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "--predictor", "none", "--leave-one-out"), "need a --predictor"),
        (("search", "--predictor", "gp", "--sources", "mine:b"), "learns from one task alone"),
        (("compare", "--searcher", "random+gp", "--leave-one-out", "--out", "x"), "learns from"),
        (("evaluate", "--predictor", "meta-gnn"), "--sources or --leave-one-out"),
        (("evaluate", "--predictor", "gp", "--train-sizes", "0"), "at least 1"),
        (("meta-train", "--suite", "mine:q", "--out", "w.safetensors"), "unknown task 'q'"),
        (("meta-train", "--suite", "mine", "--seed", "9" * 20, "--out", "w.safetensors"), "2**63"),
        (("meta-train", "--suite", "mine", "--out", "w.pt"), "must end in .safetensors"),
        (("meta-train", "--suite", "mine", "--predictor", "gp", "--out", "w.safetensors"), "alone"),
    ],
)
def test_mistakes_are_told_on_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    arguments = tuple(str(home / a) if a == "x" or a.startswith("w.") else a for a in arguments)
    of_table = () if arguments[0] == "meta-train" else ("--benchmark", "mine", "--task", "a")
    assert main([*arguments, *of_table]) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
