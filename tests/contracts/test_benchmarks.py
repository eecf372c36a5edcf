"""What every benchmark promises, for each that is registered and for a table in a file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas import registry
from surrogate_nas.benchmarks.base import Benchmark
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.errors import (
    ArchitectureError,
    InvalidArgumentError,
    MissingRecordError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Goal, Objective
from surrogate_nas.spaces.base import Architecture, Isomorphs
from surrogate_nas.spaces.nasbench201 import NASBench201Space

TABLE = "a table in a file"


def _write(path: Path) -> None:
    """Two tasks with seeds, budgets and missing values; one of the two is minimised."""
    space = NASBench201Space()
    rng = np.random.default_rng(0)
    choices = space.all_choices()[::40]
    cube = rng.normal(size=(len(choices), 3, 2))
    cube[rng.random(len(choices)) < 0.2] = np.nan
    tasks = (
        TaskSpec("loss", Goal("loss", maximise=False), cube, cube + 1, budgets=(4, 9)),
        TaskSpec("accuracy", Goal("accuracy"), rng.random(len(choices)), rng.random(len(choices))),
    )
    write_table(path, TableSpec("tiny", space, choices, tasks))


@pytest.fixture(scope="module", params=[*registry.BENCHMARKS, TABLE])
def benchmark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Benchmark]:
    """Each benchmark in turn; what it converts lies in a temporary folder."""
    folder = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURROGATE_NAS_CACHE", str(folder))
        if request.param == TABLE:
            _write(folder / "tiny.h5")
            yield open_benchmark(folder / "tiny.h5")
        else:
            yield open_benchmark(request.param)


def test_it_describes_itself(benchmark: Benchmark) -> None:
    assert benchmark.available
    assert benchmark.how_to_get
    assert len(set(benchmark.tasks)) == len(benchmark.tasks) > 0
    assert benchmark.architectures >= max(len(benchmark.task(t)) for t in benchmark.tasks)
    benchmark.check()


@pytest.mark.parametrize("isomorphs", ["separate", "merged"])
def test_what_a_search_may_propose_has_a_record(benchmark: Benchmark, isomorphs: Isomorphs) -> None:
    rng = np.random.default_rng(0)
    for name in benchmark.tasks:
        task = benchmark.task(name, isomorphs=isomorphs)
        assert isinstance(task, Objective)
        assert task.name == name
        assert task.benchmark == benchmark.name
        space = task.space
        assert space.name == benchmark.space.name
        assert space.size == len(task)
        arch = space.sample(rng)
        for _ in range(20):
            answer = task.evaluate(arch)
            assert answer.values == (task.lookup(np.array([arch.choices]))[0],)
            assert task.evaluate(space.key(arch)) == answer
            assert 1 <= task.rank(answer.value) <= len(task)
            assert task.regret(answer.value) >= 0
            assert answer.budget == task.budgets[-1]
            assert answer.cost > 0
            arch = space.mutate(arch, rng)
        assert np.isfinite(task.lookup(space.unique())).all()
        best = space.architecture(task.choices[np.argmax(task.values)])
        value = task.evaluate(best).value
        assert value == task.optimum
        assert task.rank(value) == 1
        assert task.regret(value) == 0


def test_the_test_metric_is_hidden(benchmark: Benchmark) -> None:
    for name in benchmark.tasks:
        task = benchmark.task(name)
        answer = task.evaluate(task.space.architecture(task.choices[0]))
        assert task.test_values is not None
        assert answer.hidden == {task.goal.metric: task.test_values[0]}
        assert all(value not in answer.hidden.values() for value in answer.metrics.values())
        assert answer.value != task.goal.sign * task.test_values[0]


def test_no_answer_without_a_record(benchmark: Benchmark) -> None:
    with pytest.raises(UnknownNameError, match="choose from"):
        benchmark.task("no such task")
    with pytest.raises(InvalidArgumentError, match="isomorphs"):
        benchmark.task(benchmark.tasks[0], isomorphs="joined")  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for name in benchmark.tasks:
        task = benchmark.task(name)
        arch = task.space.sample(rng)
        with pytest.raises(MissingRecordError, match="recorded"):
            task.evaluate(arch, budget=max(task.budgets) + 1)
        with pytest.raises(MissingRecordError, match="recorded"):
            task.evaluate(arch, seed=1_000)
        for wrong in (
            Architecture("no such space", arch.choices),
            Architecture(arch.space, arch.choices[1:]),
            Architecture(arch.space, (*arch.choices[1:], 99)),
            Architecture(arch.space, (*arch.choices[1:], -1)),
        ):
            with pytest.raises(ArchitectureError):
                task.evaluate(wrong)
        everything = benchmark.space.all_choices()
        absent = everything[~task.space.valid(everything)]
        if len(absent):
            with pytest.raises(MissingRecordError, match="no record"):
                task.evaluate(benchmark.space.architecture(absent[0]))


def test_tasks_differ_and_support_sets_are_theirs(benchmark: Benchmark) -> None:
    prints = set()
    for name in benchmark.tasks:
        data = benchmark.task_data(name, 30, np.random.default_rng(0))
        again = benchmark.task_data(name, 30, np.random.default_rng(0))
        np.testing.assert_array_equal(data.choices, again.choices)
        task = benchmark.task(name)
        np.testing.assert_array_equal(task.lookup(data.choices), data.values)
        prints.add(data.fingerprint)
    assert len(prints) == len(benchmark.tasks)
