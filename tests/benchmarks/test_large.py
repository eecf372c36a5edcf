"""The surrogate benchmarks that come with the program."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas.benchmarks.catalog import list_benchmarks, open_benchmark
from surrogate_nas.benchmarks.large import TASKS
from surrogate_nas.benchmarks.sources import METRICS, VALIDATION
from surrogate_nas.benchmarks.surrogate import ROWS, SurrogateBenchmark, SurrogateTask
from surrogate_nas.parallel import one_thread
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.training.plan import plan_training
from surrogate_nas.training.recorder import TrainingRecorder
from tests.scripts import load_script

NAMES = ("large-layerwise", "large-hierarchical")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "large-benchmarks.md"
MOST = 3_000_000  # bytes


@pytest.fixture(scope="module", params=NAMES)
def benchmark_(request: Any) -> SurrogateBenchmark:
    opened = open_benchmark(request.param)
    assert isinstance(opened, SurrogateBenchmark)
    return opened


@pytest.fixture(params=TASKS)
def task(request: Any, benchmark_: SurrogateBenchmark) -> SurrogateTask:
    return benchmark_.task(request.param)


def test_they_are_small_intact_and_listed(benchmark_: SurrogateBenchmark) -> None:
    assert benchmark_.path.stat().st_size <= MOST
    benchmark_.check()
    assert benchmark_.tasks == TASKS
    assert benchmark_.licence == "Apache-2.0"
    assert benchmark_.space.identity == open_space(benchmark_.name.removeprefix("large-")).identity
    (listing,) = (one for one in list_benchmarks() if one.name == benchmark_.name)
    assert (listing.tasks, listing.available) == (TASKS, True)


def test_the_rows_are_half_random_and_half_where_searches_go(task: SurrogateTask) -> None:
    rows = task.table.array(ROWS)
    assert len(np.unique(rows, axis=0)) == len(rows) == task.table.card["rows"]
    sampling = task.table.card["sampling"]
    assert len(sampling) == 7
    assert sum(sampling.values()) == len(rows)
    assert set(task.card["columns"]) == {
        *("validation", "test"),
        *(METRICS + name for name in ("parameters", "flops", "latency")),
    }
    assert task.budgets == (1, 2)


def test_any_architecture_has_an_answer_and_seeds_repeat(task: SurrogateTask) -> None:
    choices = task.space.sample_choices(np.random.default_rng(1), 40)
    values = task.lookup(choices)
    assert values.std() > 1
    assert 0 <= values.min() < values.max() <= 100
    arch = task.space.architecture(choices[0])
    mean, one, again = (task.evaluate(arch, seed=seed) for seed in (None, 3, 3))
    assert mean.value == pytest.approx(values[0], abs=1e-3)
    assert one == again != mean
    assert set(mean.metrics) == {"parameters", "flops", "latency", "extrapolation"}
    assert mean.hidden["accuracy"] == pytest.approx(mean.value, abs=15)
    assert task.evaluate(arch, budget=1).value < values[0] + 5


def test_a_search_finds_better_ones(benchmark_: SurrogateBenchmark) -> None:
    task = benchmark_.task("digits")
    found = search(make_searcher("evolution", task.space, seed=0), task, trials=40)
    best = max(trial.value or 0.0 for trial in found.trials)
    assert np.quantile(task.lookup(task.choices), 0.9) < best <= task.optimum + 2


def test_a_row_that_is_trained_again_has_its_value() -> None:
    task = open_benchmark("large-layerwise").task("digits")
    assert isinstance(task, SurrogateTask)
    arrays = task.table.arrays(f"tasks/digits/{VALIDATION}")
    rows, known = task.table.array(ROWS)[arrays["rows"]], arrays["known"]
    objective, plan = plan_training(task.table.space, task.training, device="cpu")
    recorder = TrainingRecorder(objective)
    row = int(np.argsort(known)[-len(known) // 4])  # a good one, as the poor ones are noisy
    with one_thread():
        again = recorder.record(task.table.space.architecture(rows[row]), 0, "cpu")
    if plan["machines"] == [recorder.machine("cpu")]:
        assert again.validation[-1] == known[row]
    assert again.validation[-1] == pytest.approx(known[row], abs=15)


@pytest.mark.parametrize("name", NAMES)
def test_the_document_says_what_the_card_does(name: str) -> None:
    path = open_benchmark(name).path  # type: ignore[attr-defined]
    numbers = load_script("large_benchmarks").numbers(path)
    assert set(numbers.splitlines()) <= set(DOCUMENT.read_text(encoding="utf-8").splitlines())
