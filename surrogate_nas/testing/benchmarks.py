"""Contract tests of benchmarks and of their tasks."""

from __future__ import annotations

from typing import ClassVar, get_args

import numpy as np

from surrogate_nas.benchmarks.base import Benchmark
from surrogate_nas.benchmarks.surrogate import SurrogateTask
from surrogate_nas.errors import (
    ArchitectureError,
    InvalidArgumentError,
    MissingRecordError,
    UnknownNameError,
)
from surrogate_nas.evaluation import Objective
from surrogate_nas.spaces.base import Architecture, Isomorphs
from surrogate_nas.testing.contract import Contract, raises


class BenchmarkContract(Contract):
    """Promises of a `Benchmark`; a subclass defines `make`."""

    _made: ClassVar[Benchmark | None] = None

    def make(self) -> Benchmark:
        """The benchmark."""
        raise NotImplementedError

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark to be tested, made once."""
        kind = type(self)
        found: Benchmark | None = vars(kind).get("_made")  # not that of a base class
        if found is None:
            found = kind._made = self.make()
        return found

    def test_it_describes_itself(self) -> None:
        """A benchmark has a name, a space and tasks."""
        benchmark = self.benchmark
        assert benchmark.available
        assert benchmark.how_to_get
        assert len(set(benchmark.tasks)) == len(benchmark.tasks) > 0
        assert benchmark.architectures >= max(len(benchmark.task(t)) for t in benchmark.tasks)
        benchmark.check()

    def test_what_a_search_may_propose_has_a_record(self) -> None:
        """Every architecture that a search may propose has a record, or a predicted one."""
        benchmark = self.benchmark
        for isomorphs in get_args(Isomorphs):
            rng = np.random.default_rng(0)
            for name in benchmark.tasks:
                task = benchmark.task(name, isomorphs=isomorphs)
                assert isinstance(task, Objective)
                assert task.name == name
                assert task.benchmark == benchmark.name
                space = task.space
                assert space.name == benchmark.space.name
                assert space.size == len(task) or not task.listed
                arch = space.sample(rng)
                for _ in range(20):
                    answer = task.evaluate(arch)
                    assert answer.values == (task.lookup(np.array([arch.choices]))[0],)
                    assert task.evaluate(space.key(arch)) == answer
                    assert not task.listed or 1 <= task.rank(answer.value) <= len(task)
                    assert task.regret(answer.value) >= 0
                    assert answer.budget == task.budgets[-1]
                    assert answer.cost > 0
                    arch = space.mutate(arch, rng)
                candidates = space.unique() if task.listed else task.choices
                assert np.isfinite(task.lookup(candidates)).all()
                best = space.architecture(task.choices[np.argmax(task.values)])
                value = task.evaluate(best).value
                assert value == task.optimum
                assert task.rank(value) == 1
                assert task.regret(value) == 0

    def test_the_test_metric_is_hidden(self) -> None:
        """The test metric is hidden."""
        benchmark = self.benchmark
        for name in benchmark.tasks:
            task = benchmark.task(name)
            answer = task.evaluate(task.space.architecture(task.choices[0]))
            assert task.test_values is not None
            assert answer.hidden == {task.goal.metric: task.test_values[0]}
            assert all(value not in answer.hidden.values() for value in answer.metrics.values())
            assert answer.value != task.goal.sign * task.test_values[0]

    def test_no_answer_without_a_record(self) -> None:
        """An architecture without a record is refused."""
        benchmark = self.benchmark
        with raises(UnknownNameError, match="choose from"):
            benchmark.task("no such task")
        with raises(InvalidArgumentError, match="isomorphs"):
            benchmark.task(benchmark.tasks[0], isomorphs="joined")  # type: ignore[arg-type]
        rng = np.random.default_rng(0)
        for name in benchmark.tasks:
            task = benchmark.task(name)
            arch = task.space.sample(rng)
            with raises(MissingRecordError, match="recorded"):
                task.evaluate(arch, budget=max(task.budgets) + 1)
            if not isinstance(task, SurrogateTask):  # which has a predicted one of every seed
                with raises(MissingRecordError, match="recorded"):
                    task.evaluate(arch, seed=1_000)
            for wrong in (
                Architecture("no such space", arch.choices),
                Architecture(arch.space, arch.choices[1:]),
                Architecture(arch.space, (*arch.choices[1:], 99)),
                Architecture(arch.space, (*arch.choices[1:], -1)),
            ):
                with raises(ArchitectureError):
                    task.evaluate(wrong)
            if not benchmark.space.enumerable:
                continue
            everything = benchmark.space.all_choices()
            absent = everything[~task.space.valid(everything)]
            if len(absent):
                with raises(MissingRecordError, match="no record"):
                    task.evaluate(benchmark.space.architecture(absent[0]))

    def test_tasks_differ_and_support_sets_are_theirs(self) -> None:
        """Tasks differ, and a support set is of its own task."""
        benchmark = self.benchmark
        prints = set()
        for name in benchmark.tasks:
            data = benchmark.task_data(name, 30, np.random.default_rng(0))
            again = benchmark.task_data(name, 30, np.random.default_rng(0))
            np.testing.assert_array_equal(data.choices, again.choices)
            task = benchmark.task(name)
            np.testing.assert_array_equal(task.lookup(data.choices), data.values)
            prints.add(data.fingerprint)
        assert len(prints) == len(benchmark.tasks)
