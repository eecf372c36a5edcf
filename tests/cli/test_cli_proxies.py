"""Zero-cost proxies of the commands, on a table that records how it was trained."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.evaluation import Goal, TaskData
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces import open_space
from surrogate_nas.training.datasets.base import open_dataset
from surrogate_nas.training.plan import plan_training
from surrogate_nas.training.proxies.values import proxy_values
from surrogate_nas.workflows.compare import compare
from surrogate_nas.workflows.evaluate import evaluate
from surrogate_nas.workflows.experiment import Experiment
from surrogate_nas.workflows.proxies import all_proxies
from tests.answers import answered

SPACE = open_space("dense-cell")
CHOICES = SPACE.all_choices()[::12]
DATASET = "tests.training.data:source"
SETTINGS = {"channels": 2}


@pytest.fixture(autouse=True)
def _here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path_factory.getbasetemp() / "proxies"  # one for all tests
    monkeypatch.setenv("SURROGATE_NAS_CACHE", str(cache))
    monkeypatch.setattr("surrogate_nas.training.proxies.memory.cores", lambda: 1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """53 cells; the value of the task `snip` is snip, that of `unknown` has no known network."""
    data = open_dataset(DATASET)
    values = proxy_values(CHOICES, SPACE, data, ["snip"], settings=SETTINGS)[:, 0]
    training = {"dataset": DATASET, "data": data.fingerprint, "epochs": 1, "settings": SETTINGS}
    tasks = [
        TaskSpec("snip", Goal("snip"), values, training=training),
        TaskSpec("unknown", Goal("snip"), values),
    ]
    path = tmp_path_factory.mktemp("table") / "t.h5"
    write_table(path, TableSpec("t", SPACE, CHOICES, tasks))
    return str(path)


def _search(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return answered(capsys, "search", *arguments)


def test_a_search_by_the_value_itself_begins_with_the_best(
    table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    head = ["--benchmark", table, "--predictor", "none", "--trials", "8"]
    answer = _search(capsys, *head, "--task", "snip", "--searcher", "proxy:snip")
    values = [trial["value"] for trial in answer["trials"]]
    assert values == sorted(values, reverse=True)
    assert (answer["proxies"], answer["rank"], answer["regret"]) == (["snip"], 1, 0)
    other = ["--dataset", DATASET, "--settings", "channels=2"]
    again = _search(capsys, *head, "--task", "unknown", "--searcher", "proxy:snip", *other)
    assert again["trials"] == answer["trials"]
    plain = _search(capsys, *head, "--task", "snip", "--searcher", "random")
    assert plain["proxies"] is None


def test_a_guide_learns_from_them(table: str, tmp_path: Path) -> None:
    without = Experiment(table, tasks=["snip"], seeds=2, workers=1)
    with_them = replace(without, proxies=["snip"])
    blind_tau, told_tau = (
        np.mean([row.kendall_tau or 0 for row in evaluate("gp", on, train_sizes=[12]).results])
        for on in (without, with_them)
    )
    assert told_tau > 0.75 > blind_tau + 0.1
    runs: dict[str, Any] = {"trials": 12, "batch": 1, "out": tmp_path}
    searchers = ["random", "bayesian", "proxy:snip"]
    bare = compare(without, searchers=searchers, **runs).runs
    blind = _proposals(tmp_path / "runs.csv")
    seeing = compare(with_them, searchers=searchers, **runs).runs
    told = _proposals(tmp_path / "runs.csv")
    assert blind["random"] == told["random"]
    assert blind["bayesian"] != told["bayesian"]
    assert all(run.ranks == (1,) * 12 for run in [*bare[4:], *seeing[4:]])


def _proposals(path: Path) -> dict[str, list[str]]:
    """By searcher, all architectures in the order of a comparison's file."""
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["searcher"], []).append(row["arch"])
    return found


def test_mistakes_are_one_line(
    table: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    of_table = ["--benchmark", table, "--trials", "9"]
    task = [*of_table, "--task", "snip"]
    labels = ["--benchmark", table, "--predictor", "mlp", "--train-sizes", "5"]
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\ngraph = "chain"\ndecisions = 3\noptions = ["skip", "conv"]\n')
    compared = ["compare", *task, "--out", str(tmp_path / "out")]
    for arguments, message in {
        ("search", *task, "--proxies", "snap"): "unknown proxy 'snap'; did you mean 'snip'?",
        ("search", *task, "--proxies", "snip", "--predictor", "mlp"): "evolution with mlp",
        ("search", *task, "--searcher", "proxy:snap"): "unknown proxy 'snap'",
        ("evaluate", *labels, "--task", "snip", "--proxies", "snip"): "got the predictor mlp",
        (*compared, "--searcher", "random", "--proxies", "snip"): "got the searchers random",
        ("search", *of_table, "--task", "unknown", "--proxies", "snip"): "--dataset",
        ("evaluate", "--benchmark", table, "--task", "unknown", "--predictor", "gp",
         "--train-sizes", "5", "--proxies", "snip"): "name the images with --dataset",
        ("search", "--space", str(own), "--dataset", DATASET, "--proxies", "snip"):
            "space 'own' has no network of its own",
    }.items():  # fmt: skip
        assert main(list(arguments)) == 2, arguments
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert message in err


def test_they_help_to_predict_the_cells_of_cell_bench() -> None:
    task = open_benchmark("cell-bench").task("digits")
    choices = task.choices[np.random.default_rng(0).permutation(len(task))[:160]]
    space = task.space.restricted(choices)
    training, _ = plan_training(space, task.training, epochs=1, device="cpu")
    features = all_proxies(space, training, ["snip"], workers=1)
    data = TaskData("digits", space, space.unique(), task.lookup(space.unique()))
    taus = []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(len(data))
        support, rest = data.take(order[:20]), data.take(order[20:])
        models = [GaussianProcess().fit(replace(support, features=f)) for f in (None, features)]
        taus.append([kendall_tau(m.predict(rest.choices).mean, rest.values) for m in models])
    without, seeing = np.mean(taus, axis=0)
    assert seeing > without + 0.05
