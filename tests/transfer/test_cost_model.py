from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas._types import FloatArray
from surrogate_nas.benchmarks.added import table_choices, with_metric
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.evaluation import Goal, KnowsCosts
from surrogate_nas.predictors.metrics import spearman
from surrogate_nas.spaces import open_space
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.transfer.cost_model import open_cost_model
from surrogate_nas.transfer.meta_training import meta_train
from surrogate_nas.transfer.suites import suite_tasks
from surrogate_nas.workflows.goals import WantedGoals
from tests.answers import answered
from tests.training.data import squares

SPACE = open_space("dense-cell")
CELLS = SPACE.with_isomorphs("merged").unique()
LATENCY = Goal("latency_ms", maximise=False, unit="ms")
NEW = (0.1, 1.0, 2.0, 0.3, 0.2)


def costs(each: tuple[float, ...], seed: int) -> FloatArray:
    """Milliseconds of all cells, by those of each operation."""
    sizes = np.array(SPACE.sizes)
    weights = np.resize(each, sizes.max())
    clean = 1 + weights[CELLS].sum(axis=1)
    return np.asarray(clean * (1 + 0.02 * np.random.default_rng(seed).normal(size=len(CELLS))))


def write(path: Path, rows: int, seed: int = 3, **devices: tuple[float, ...]) -> str:
    """A table of the first cells of a random order, with a task a device."""
    some = np.random.default_rng(seed).permutation(len(CELLS))[:rows]
    tasks = [
        TaskSpec(name, LATENCY, costs(each, i)[some])
        for i, (name, each) in enumerate(devices.items())
    ]
    write_table(path, TableSpec(path.stem, SPACE, CELLS[some], tasks))
    return str(path)


@pytest.fixture
def ten(tmp_path: Path) -> str:
    return write(tmp_path / "ten.h5", 10, new=NEW)


@pytest.fixture
def others(tmp_path: Path) -> str:
    return write(
        tmp_path / "others.h5", 400, one=(0.1, 0.8, 1.5, 0.1, 0.3), two=(0.2, 1.5, 2.2, 0.5, 0.1)
    )


def test_ten_measured_networks_tell_the_cost_of_all_others(ten: str, others: str) -> None:
    truth = costs(NEW, 0)
    for sources, least in ((None, 0.85), (others, 0.97)):
        model = open_cost_model(ten, sources)
        found = model.predict(CELLS)
        assert spearman(found.mean, truth) > least
        measured = np.isfinite(model.task.lookup(CELLS))
        assert measured.sum() == 10
        np.testing.assert_allclose(found.mean[measured], truth[measured])
        assert (found.std[measured] == 0).all()
        assert (found.std[~measured] > 0).all()
        assert model.bound(CELLS, 0.99).mean() > model.bound(CELLS, 0.9).mean()


def test_few_networks_cost_more_than_the_bound(tmp_path: Path, others: str) -> None:
    truth = costs(NEW, 0)
    for sources in (None, others):
        beyond = []
        for seed in range(6):
            table = write(tmp_path / f"ten{seed}.h5", 10, seed, new=NEW)
            beyond.append(truth > open_cost_model(table, sources).bound(CELLS, 0.95))
        assert np.mean(beyond) < 0.13


def test_weights_of_other_devices_do_what_their_tables_do(
    ten: str, others: str, tmp_path: Path
) -> None:
    weights = tmp_path / "devices.safetensors"
    meta_train(suite_tasks(others), predictor="meta-cost", out=weights)
    found = open_cost_model(ten, str(weights)).predict(CELLS).mean
    np.testing.assert_allclose(found, open_cost_model(ten, others).predict(CELLS).mean)
    with pytest.raises(InvalidArgumentError, match=r"learnt from .*/one itself"):
        open_cost_model(f"{others}:one", str(weights))


def test_a_table_of_all_architectures_needs_no_prediction(tmp_path: Path) -> None:
    table = write(tmp_path / "all.h5", len(CELLS), new=NEW)
    model = open_cost_model(table)
    np.testing.assert_array_equal(model.predict(CELLS).mean, costs(NEW, 0))
    assert model.predictor is None


def test_a_search_knows_the_cost_and_keeps_the_limit(
    ten: str, others: str, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = float(np.quantile(costs(NEW, 0), 0.5))
    record = answered(
        capsys,
        *("search", "--benchmark", "cell-bench", "--task", "digits", "--trials", "12"),
        *("--predictor", "gp", "--cost-model", ten, "--cost-sources", others),
        *("--limit", f"latency_ms<={limit:.3f}"),
    )
    (told,) = record["limits"]
    assert told["known"]
    cost = dict(zip(map(tuple, CELLS.tolist()), costs(NEW, 0), strict=True))
    best = SPACE.canonical(SPACE.parse(record["best"]["arch"]))
    assert cost[best.choices] <= limit
    front = answered(
        capsys,
        *("search", "--benchmark", "cell-bench", "--task", "digits", "--trials", "12"),
        *("--predictor", "gp", "--cost-model", ten, "--goal", "accuracy", "--goal", "latency_ms"),
    )
    assert [goal["known"] for goal in front["goals"]] == [False, True]


def test_a_task_with_a_computed_metric_can_be_sent_to_another_process() -> None:
    task = open_benchmark("cell-bench").task("digits")
    rows = table_choices(task)
    more = with_metric(task, LATENCY, rows.sum(axis=1) * 1.0, "a sum")
    chosen = more.with_goals(["accuracy", "latency_ms"], known=["latency_ms"])
    again = pickle.loads(pickle.dumps(chosen))
    np.testing.assert_array_equal(again.goal_values, chosen.goal_values)
    assert again.fingerprint == task.fingerprint
    assert again.known_costs(rows[:2]).keys() == {"latency_ms"}
    with pytest.raises(InvalidArgumentError, match="has a metric 'accuracy' already"):
        with_metric(task, Goal("accuracy"), rows.sum(axis=1) * 1.0, "")


def test_trainings_know_the_cost(ten: str) -> None:
    training = TrainingObjective(SPACE, squares(), epochs=1, settings={"channels": 2})
    wanted = WantedGoals(limits=("latency_ms<=9",), cost_model=ten, confidence=0.9)
    objective = wanted.of_trainings([training])
    assert isinstance(objective, KnowsCosts)
    known = objective.known_costs(CELLS[:4])["latency_ms"]
    arch = SPACE.architecture(CELLS[2])
    values = objective.evaluate(arch).values
    assert values[1] == -known.mean[2] == -open_cost_model(ten).bound(CELLS[2:3], 0.9)[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--cost-model", "TEN"], "neither a goal nor a limit"),
        (["--cost-model", "TEN", "--limit", "latency_ms<=0.1"], "no architecture keeps the limit"),
        (["--cost-model", "no.h5", "--goal", "latency_ms"], "no.h5"),
        (["--cost-model", "w.safetensors", "--goal", "latency_ms"], "give the weights as"),
        (["--cost-model", "OTHERS", "--goal", "latency_ms"], "name one, "),
        (
            ["--cost-model", "TEN", "--cost-sources", "TEN", "--goal", "latency_ms"],
            "another device",
        ),
        (["--cost-model", "TEN", "--goal", "latency_ms", "--confidence", "1"], "below 1, got 1"),
        (["--cost-sources", "TEN"], "name that one, too"),
        (["--cost-model", "TEN", "--goal", "latency_ms", "--verify", "2"], "was not measured on"),
    ],
)
def test_mistakes_are_told(
    given: list[str], told: str, ten: str, others: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("TEN", ten).replace("OTHERS", others) for word in given]
    assert main(["search", "--benchmark", "cell-bench", "--task", "digits", *words]) == 2
    assert told in capsys.readouterr().err


def test_what_a_search_returns_is_measured_on_the_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(tmp_path / "cpu.h5")
    answered(
        capsys,
        *("measure", "--count", "6", "--device", "cpu", "--repeats", "2", "--out", table),
        *("--settings", "channels=2", "--shape", "1,8,8"),
    )
    record = answered(
        capsys,
        *("search", "--benchmark", "cell-bench", "--task", "digits", "--trials", "6"),
        *("--searcher", "random", "--predictor", "none", "--cost-model", table, "--verify", "2"),
        *("--limit", "latency_ms<=10000"),
    )
    check = record["device_check"]
    assert len(check["networks"]) == 2
    assert all(network["holds"] and network["measured"] > 0 for network in check["networks"])
    assert check["violations"] == 0
    assert check["best"] == check["networks"][0]["arch"]
