import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.added import table_choices, with_metric
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.benchmarks.surrogate import SurrogateBenchmark, SurrogateTask, normals
from surrogate_nas.errors import (
    ArchitectureError,
    FormatError,
    InvalidArgumentError,
    MissingRecordError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal, Objective
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.workflows.measurements import MeasuredTask, Measurements
from surrogate_nas.workflows.surrogates import build_surrogate

BUDGETS = (1, 2)


def values(choices: IntArray) -> FloatArray:
    """A loss that is smaller for later options: (n, budgets)."""
    worth = choices[:, 1:].mean(axis=1) + 0.5 * choices[:, 0]
    return np.stack([9 - worth, 8 - 1.5 * worth], axis=1)


def made(space: str, path: Path, n: int = 120) -> SurrogateBenchmark:
    opened, rng = open_space(space), np.random.default_rng(0)
    choices = np.unique(opened.sample_choices(rng, n), axis=0)
    cells = values(choices)[:, None, :] + 0.05 * rng.normal(size=(len(choices), 2, 2))
    latency = 1.0 + choices.sum(axis=1)[:, None, None]
    columns = {VALIDATION: cells, TEST: cells + 1, f"{METRICS}latency": latency}
    columns[f"{METRICS}constant"] = np.ones((len(choices), 1, 1))
    goals = {name: Goal(name.removeprefix(METRICS), maximise=False) for name in columns}
    loss = Goal("loss", maximise=False)
    task = MeasuredTask("made", loss, columns, goals, BUDGETS, (1.0, 2.0), ("source",))
    by = ("random",) * len(choices)
    build_surrogate(Measurements(opened, choices, by, (task,), "a test"), path)
    found = open_benchmark(path)
    assert isinstance(found, SurrogateBenchmark)
    return found


@pytest.fixture(scope="module", params=["dense-cell", "layerwise"])
def benchmark_(request: Any, tmp_path_factory: pytest.TempPathFactory) -> SurrogateBenchmark:
    """One of a space that can be listed, and one of a space that cannot."""
    return made(request.param, tmp_path_factory.mktemp("surrogates") / "made.h5")


@pytest.fixture
def task(benchmark_: SurrogateBenchmark) -> SurrogateTask:
    return benchmark_.task("made")


def test_every_architecture_has_an_answer(task: SurrogateTask) -> None:
    assert isinstance(task, Objective)
    rng = np.random.default_rng(1)
    choices = task.space.sample_choices(rng, 40)
    said = task.lookup(choices)
    assert np.corrcoef(said, -values(choices)[:, 1])[0, 1] > 0.8
    for row, value in zip(choices[:5], said, strict=False):
        answer = task.evaluate(task.space.architecture(row))
        assert answer.value == pytest.approx(value, abs=1e-4)
        assert set(answer.metrics) == {"latency", "extrapolation"}
        assert set(answer.hidden) == {"loss"}
        assert answer.hidden["loss"] == pytest.approx(1 - value, abs=0.5)
        assert (answer.budget, answer.cost) == (2, 2.0)
        early = task.evaluate(task.space.architecture(row), budget=1)
        assert -early.value == pytest.approx(values(row[None])[0, 0], abs=1.5)
        assert 1 <= task.rank(answer.value) <= len(task) + 1
    assert task.uncertainty(choices).min() > 0


def test_a_seed_is_one_training_with_noise_that_is_repeated(task: SurrogateTask) -> None:
    rng = np.random.default_rng(2)
    choices = task.choices[rng.permutation(len(task))[:300]]
    mean, one, other = (task.lookup(choices, seed=seed) for seed in (None, 0, 1_000))
    np.testing.assert_array_equal(one, task.lookup(choices, seed=0))
    arch = task.space.architecture(choices[0])
    assert task.evaluate(arch, seed=0).value == pytest.approx(one[0], abs=1e-4)
    for drawn in (one, other):
        assert abs((drawn - mean).mean()) < 0.02
        assert (drawn - mean).std() == pytest.approx(0.05, rel=0.4)  # that of the measurements
    assert abs(np.corrcoef(one - mean, other - mean)[0, 1]) < 0.2


def test_normals_are_normal_and_independent() -> None:
    from scipy import stats

    choices = open_space("nats-size").all_choices()[:20_000]
    drawn = np.stack([normals(choices, salt, seed) for salt in (1, 2) for seed in (0, 1)])
    for row in drawn:
        assert stats.kstest(row, "norm").pvalue > 1e-3
    correlation = np.corrcoef(drawn)
    assert np.abs(correlation - np.eye(4)).max() < 0.03


def test_far_architectures_are_marked(tmp_path: Path) -> None:
    """Fitted to short networks alone, long ones are far away."""
    opened, rng = open_space("layerwise"), np.random.default_rng(0)
    drawn = np.unique(opened.sample_choices(rng, 1_500), axis=0)
    short, long = (drawn[mask] for mask in (drawn[:, 0] < 3, drawn[:, 0] > 6))
    cells = values(short)[:, None, :1]
    task = MeasuredTask("made", Goal("loss"), {VALIDATION: cells}, {}, (1,), (1.0,))
    by = ("random",) * len(short)
    path = tmp_path / "short.h5"
    build_surrogate(Measurements(opened, short, by, (task,), "a test"), path)
    far = open_benchmark(path).task("made").with_goals(["extrapolation"])
    assert np.abs(far.lookup(long)).mean() > 0.9
    assert np.abs(far.lookup(short)).mean() < 0.05


def test_the_card_says_what_it_was_fitted_to(benchmark_: SurrogateBenchmark) -> None:
    card = benchmark_.card
    assert card["fitted_to"] == "a test"
    assert card["sampling"] == {"random": card["rows"]}
    own = card["tasks"]["made"]
    assert set(own["columns"]) == {VALIDATION, TEST, f"{METRICS}latency"}  # not what is constant
    assert own["columns"][VALIDATION]["held_out"]["tau"] > 0.6
    task = benchmark_.task("made")
    best = task.space.parse(own["optimum"]["arch"])
    assert task.evaluate(best).value == pytest.approx(task.optimum, abs=1e-4)
    assert "source" in task.fingerprints


def test_it_survives_other_processes(task: SurrogateTask) -> None:
    again = pickle.loads(pickle.dumps(task))
    assert isinstance(again, SurrogateTask)
    arch = task.space.sample(np.random.default_rng(0))
    assert again.evaluate(arch, seed=3) == task.evaluate(arch, seed=3)
    assert again.fingerprint == task.fingerprint


def test_goals_and_budgets(task: SurrogateTask) -> None:
    both = task.with_goals(["loss", Goal("latency", maximise=False)], known=["latency"])
    choices = task.space.sample_choices(np.random.default_rng(3), 9)
    known = both.known_costs(choices)["latency"].mean
    answer = both.evaluate(task.space.architecture(choices[0]))
    assert answer.values[1] == pytest.approx(-known[0], abs=1e-3)
    with pytest.raises(MissingRecordError, match="recorded: 1, 2"):
        task.evaluate(task.space.architecture(choices[0]), budget=7)


def test_a_computed_metric_needs_a_row_for_each_architecture(task: SurrogateTask) -> None:
    rows = table_choices(task)
    if not task.listed:
        with pytest.raises(InvalidArgumentError, match="surrogate of a space that cannot be"):
            with_metric(task, Goal("cost"), rows.sum(axis=1) * 1.0, "a sum")
        return
    other = with_metric(task, Goal("cost"), rows.sum(axis=1) * 1.0, "a sum")
    answer = other.evaluate(task.space.architecture(rows[7]), seed=4)
    assert answer.metrics["cost"] == rows[7].sum()


def test_wrong_questions(benchmark_: SurrogateBenchmark, task: SurrogateTask) -> None:
    with pytest.raises(UnknownNameError, match="choose from"):
        benchmark_.task("other")
    with pytest.raises(MissingRecordError, match="seed"):
        task.evaluate(task.space.sample(np.random.default_rng(0)), seed=-1)
    with pytest.raises(ArchitectureError):
        task.evaluate(Architecture("darts", (0,)))


def test_damage_is_noticed(benchmark_: SurrogateBenchmark, tmp_path: Path) -> None:
    benchmark_.check()
    path = tmp_path / "damaged.h5"
    for name in ("surrogate/card", "surrogate/tasks/made/std", "surrogate/rows"):
        path.write_bytes(benchmark_.path.read_bytes())
        with h5py.File(path, "r+") as file:
            array = file[name][()]
            array.flat[0] += 1
            file[name][...] = array
        with pytest.raises(FormatError, match="checksum"):
            open_benchmark(path).check()
    path.write_bytes(benchmark_.path.read_bytes()[:5_000])
    with pytest.raises(FormatError):
        open_benchmark(path)


def test_older_programs_read_it_as_a_table(benchmark_: SurrogateBenchmark) -> None:
    plain, own = HDF5Benchmark(benchmark_.path).task("made"), benchmark_.task("made")
    np.testing.assert_array_equal(plain.values, own.values)
