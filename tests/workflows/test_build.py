"""Building a table: every training once, whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError, SurrogateNASError
from surrogate_nas.spaces import open_space
from surrogate_nas.training.log import TrainingLog
from surrogate_nas.training.record import Record
from surrogate_nas.workflows.build import Task, build, choose, log_of
from tests.recorders import ROWS, SEEDS, SPACE, Arithmetic, build_here, tasks

ROOT = Path(__file__).resolve().parents[2]
JOBS = 2 * SEEDS * len(ROWS)
MEASURED = ("metrics/latency", "metrics/seconds")  # by a clock


def results(log: Path) -> list[dict[str, Any]]:
    """The trainings in a log; a torn last line does not count."""
    whole = log.read_bytes().rpartition(b"\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    return [line for line in lines if "seed" in line]


def columns(path: Path) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    table = HDF5Benchmark(path)
    for task in table.tasks:
        yield from (
            (f"{task}/{name}", values)
            for name, (_, values) in table.columns(task).items()
            if name not in MEASURED
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that was built without a pause."""
    path = tmp_path_factory.mktemp("whole") / "t.h5"
    built = build_here(path)
    assert (built.architectures, built.trainings, built.trained) == (len(ROWS), JOBS, JOBS)
    assert built.failed == ()
    return path


def test_the_table_holds_every_epoch_of_every_training(whole: Path) -> None:
    table = HDF5Benchmark(whole)
    table.check()
    assert (table.name, table.tasks, table.architectures) == ("t", ("one", "three"), len(ROWS))
    task = table.task("three")
    assert task.budgets == (1, 2)
    for number in SPACE.index(ROWS)[[0, 7]].tolist():
        arch = SPACE.architecture(SPACE.from_index(np.array([number]))[0])
        found = task.evaluate(arch, budget=2, seed=1)
        assert found.value == number / 7 + 1 / 3 + 5 + 1 / 11
        assert found.hidden["accuracy"] == number / 7 + 1 / 3 + 5 - 1 / 13
        assert (found.metrics["parameters"], found.metrics["flops"]) == (number, 2 * number)
        assert {"latency", "seconds"} < set(found.metrics)
        assert task.evaluate(arch, budget=1, seed=0).value == number / 7 + 5
    assert task.training == {
        "dataset": "three",
        "epochs": 2,
        "seeds": SEEDS,
        "machines": [{"processor": "abacus, cpu", "torch": "none"}],
    }


def test_the_same_call_trains_nothing_again(whole: Path) -> None:
    before, values = log_of(whole).read_bytes(), dict(columns(whole))
    assert build_here(whole).trained == 0
    assert log_of(whole).read_bytes() == before
    assert all(np.array_equal(values[name], now) for name, now in columns(whole))


def test_more_seeds_rows_and_tasks_go_on(tmp_path: Path) -> None:
    path, all_tasks = tmp_path / "t.h5", tasks()
    first = {"one": all_tasks["one"]}
    assert build(SPACE, first, ROWS[:2], out=path, workers=1).trained == 2
    assert build(SPACE, first, ROWS[:3], out=path, workers=1, seeds=2).trained == 4
    assert build(SPACE, all_tasks, ROWS[:3], out=path, workers=1, seeds=2).trained == 6
    # Fewer are a smaller table, and the log keeps the others.
    assert build(SPACE, first, ROWS[1:3], out=path, workers=1).trained == 0
    assert HDF5Benchmark(path).architectures == 2
    assert len(results(log_of(path))) == 12


def check_kills(folder: Path, whole: Path, kills: int) -> None:
    """Kill builds at random moments until one ends: nothing is lost, nothing repeated."""
    path, attempts = folder / "t.h5", folder / "attempts"
    attempts.mkdir()
    log, rng = log_of(path), np.random.default_rng(kills)
    command = [sys.executable, "-m", "tests.recorders", str(path), "0.03", str(attempts)]
    for _ in range(kills):
        kept = results(log) if log.exists() else []
        begun = {name: os.path.getsize(attempts / name) for name in os.listdir(attempts)}
        program = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        deadline, size = time.monotonic() + 60, log.stat().st_size if log.exists() else 0
        while (log.stat().st_size if log.exists() else 0) <= size:
            assert program.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.random() * 1.2 / kills)
        program.send_signal(signal.SIGKILL)
        program.wait()
        assert results(log)[: len(kept)] == kept
        for line in kept:  # what was in the log was not begun again
            number = SPACE.index(np.array([line["choices"]]))[0]
            name = f"{line['task']}-{number}-{line['seed']}"
            assert os.path.getsize(attempts / name) == begun[name]
        with open(log, "ab") as file:  # as if the kill had torn a line
            file.write(b'{"task": "one", "cho')
    assert len(results(log)) < JOBS
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, stderr=subprocess.DEVNULL)
    done = [(line["task"], tuple(line["choices"]), line["seed"]) for line in results(log)]
    assert len(done) == len(set(done)) == JOBS
    values = dict(columns(whole))
    assert all(np.array_equal(values[name], now) for name, now in columns(path))


def test_nothing_is_lost_or_repeated_after_kills(tmp_path: Path, whole: Path) -> None:
    check_kills(tmp_path, whole, kills=3)


def test_failures_are_missing_values_with_reasons(tmp_path: Path) -> None:
    numbers = SPACE.index(ROWS)[:6].tolist()
    recorder = Arithmetic("one", dies=(numbers[1],), diverges=(numbers[3],))
    built = build(
        SPACE, {"one": Task(recorder, {})}, ROWS[:6], out=tmp_path / "t.h5", workers=2, seeds=2
    )
    reasons = {(arch, seed): reason for _, arch, seed, reason in built.failed}
    died, diverged = (SPACE.format(SPACE.architecture(ROWS[place])) for place in (1, 3))
    assert set(reasons) == {(died, 0), (died, 1), (diverged, 0), (diverged, 1)}
    assert reasons[diverged, 1] == "TrainingError: the training diverged in epoch 1"
    assert "was ended by SIGKILL" in reasons[died, 0]
    task = HDF5Benchmark(built.path).task("one")
    assert len(task) == 4
    assert not set(map(tuple, task.choices.tolist())) & set(map(tuple, ROWS[[1, 3]].tolist()))


def test_a_table_says_which_trainings_fell_back(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.h5", ROWS[:3]
    training = {"dataset": "one", "epochs": 1, "optimizer": {"file": "learned", "identity": "a"}}
    plain = Record((50.0,), (50.0,), (1.0,), parameters=1, flops=1, latency=1.0)
    told = (replace(plain, fell_back=1.0), replace(plain, fell_back=0.0), plain)
    with TrainingLog(log_of(path)) as log:  # all trainings are there, the last by an old version
        log.begin(SPACE.identity, {"one": training})
        for row, record in zip(rows.tolist(), told, strict=True):
            log.add(("one", tuple(row), 0), record, None)
    build(SPACE, {"one": Task(Arithmetic("one", epochs=1), training)}, rows, out=path)
    _, found = HDF5Benchmark(path).columns("one")["metrics/fell_back"]
    np.testing.assert_array_equal(found.ravel(), [1, 0, np.nan])
    assert (
        HDF5Benchmark(path).task("one").evaluate(SPACE.architecture(rows[0])).metrics["fell_back"]
    )


def test_one_process_a_device(tmp_path: Path) -> None:
    recorder = Arithmetic("one", places=("cuda:0", "cuda:1"), pause=0.2)
    build(SPACE, {"one": Task(recorder, {})}, ROWS[:4], out=tmp_path / "t.h5")
    training = HDF5Benchmark(tmp_path / "t.h5").task("one").training
    assert training is not None
    assert sorted(machine["processor"] for machine in training["machines"]) == [
        "abacus, cuda:0",
        "abacus, cuda:1",
    ]


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    recorder = Arithmetic("one")
    object.__setattr__(recorder, "attempts", lambda: "")
    with pytest.raises(InvalidArgumentError, match="cannot be sent to other processes"):
        build(SPACE, {"one": Task(recorder, {})}, ROWS, out=tmp_path / "t.h5")


def test_a_task_without_any_value_is_an_error(tmp_path: Path) -> None:
    recorder = Arithmetic("one", diverges=tuple(range(625)))
    reason = r"every training of 'one' failed.*diverged.*t\.h5\.log; `surrogate-nas retry`"
    with pytest.raises(SurrogateNASError, match=reason):
        build(SPACE, {"one": Task(recorder, {})}, ROWS[:1], out=tmp_path / "t.h5", workers=1)


def test_what_every_training_would_repeat_ends_the_build(tmp_path: Path) -> None:
    recorder = Arithmetic("one", misses=tuple(range(625)))
    with pytest.raises(MissingDependencyError, match="install something"):
        build(SPACE, {"one": Task(recorder, {})}, ROWS, out=tmp_path / "t.h5", workers=1)
    assert results(log_of(tmp_path / "t.h5")) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"out": "t.hdf"}, r"must be a file that ends with \.h5"),
        ({"out": "nowhere/t.h5"}, "folder that exists"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match=message):
        build(SPACE, tasks(), ROWS, **{"out": "t.h5", **change})


def test_a_table_of_other_origin_stays(tmp_path: Path) -> None:
    (tmp_path / "t.h5").write_bytes(b"precious")
    with pytest.raises(InvalidArgumentError, match="there is no log"):
        build_here(tmp_path / "t.h5")
    assert (tmp_path / "t.h5").read_bytes() == b"precious"


def test_all_or_a_sample_that_grows() -> None:
    assert np.array_equal(choose(SPACE), SPACE.all_choices())
    ten, twenty = choose(SPACE, 10), choose(SPACE, 20)
    assert len(np.unique(SPACE.index(twenty))) == 20
    assert np.array_equal(twenty[:10], ten)
    assert not np.array_equal(choose(SPACE, 10, seed=1), ten)
    with pytest.raises(InvalidArgumentError, match="between 1 and 625"):
        choose(SPACE, 626)


def test_isomorphs_are_trained_once() -> None:
    space = open_space("nasbench201")
    every = choose(space)
    assert len(every) == space.with_isomorphs("merged").size < len(space.all_choices())


def test_a_sample_of_a_space_too_large_to_list() -> None:
    space = open_space("nasbench101")
    few, more = choose(space, 5, seed=3), choose(space, 12, seed=3)
    assert np.array_equal(more[:5], few)
    assert np.array_equal(space.canonicalise(more), more)
    with pytest.raises(InvalidArgumentError, match="--count"):
        choose(space)
