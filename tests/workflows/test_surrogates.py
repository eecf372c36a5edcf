"""Surrogates of tables and stores, where searches go, and the check against the truth."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray, OnStep
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.cli import main
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces import open_space
from surrogate_nas.store import Stored, open_storage
from surrogate_nas.workflows.check_surrogate import check_surrogate
from surrogate_nas.workflows.measurements import joined, of_store, of_table, sampled_from
from surrogate_nas.workflows.sampled_build import build_sampled
from surrogate_nas.workflows.sampling import SEARCHERS, sample
from surrogate_nas.workflows.surrogates import build_surrogate
from tests.recorders import SPACE, tasks

WORDS = ("evolution", "random")


def truth(choices: IntArray) -> FloatArray:
    """More convolutions, and late ones, are better."""
    weights = np.arange(1, choices.shape[1] + 1)
    return np.asarray(((choices <= 1) * weights).sum(axis=1) + 0.3 * (choices == 0).sum(axis=1))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 625 cells with three seeds."""
    path = tmp_path_factory.mktemp("truth") / "truth.h5"
    choices = SPACE.all_choices()
    noise = 0.2 * np.random.default_rng(0).normal(size=(len(choices), 3, 1))
    spec = TaskSpec("made", Goal("score"), truth(choices)[:, None, None] + noise)
    write_table(path, TableSpec("truth", SPACE, choices, [spec]))
    return path


@pytest.fixture(scope="module")
def surrogate(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("surrogate") / "fitted.h5"
    build_surrogate(sampled_from(str(table), None, how="both", count=160), path)
    return path


def test_half_of_the_rows_are_drawn_and_half_are_where_searches_go(table: Path) -> None:
    rows = sampled_from(str(table), ["made"], how="both", count=160)
    count = Counter(rows.found_by)
    assert count["random"] == 80
    assert set(count) == {"random", *SEARCHERS}
    assert len(np.unique(rows.choices, axis=0)) == len(rows.choices) == 160
    drawn = np.array(rows.found_by) == "random"
    values = truth(rows.choices)
    assert values[~drawn].mean() > values[drawn].mean() + 1  # searches go to the good ones
    again = sampled_from(str(table), ["made"], how="both", count=160)
    np.testing.assert_array_equal(rows.choices, again.choices)
    alone = sampled_from(str(table), ["made"], how="random", count=50)
    np.testing.assert_array_equal(alone.choices[:50], rows.choices[:50])


def test_sampling_ends_where_searches_tell_nothing_new() -> None:
    def measure(choices: IntArray, _: object) -> FloatArray:
        seeds = SPACE.index(choices)
        return np.array([[np.random.default_rng(s).normal() for s in seeds.tolist()]])

    steps: list[str] = []
    order = SPACE.all_choices()
    found = sample(
        SPACE, measure, lambda n: order[:n], how="both", count=500, seed=0, on_step=steps.append
    )
    assert found.stopped
    assert len(found.choices) < 500
    assert len(steps) >= 3


def test_a_surrogate_ranks_as_the_table_does(table: Path, surrogate: Path) -> None:
    record = check_surrogate(
        surrogate, table, searchers=("random", "evolution", "local"), seeds=3, trials=60, workers=1
    )
    (check,) = record.tasks
    assert check.rest == 625 - 160
    opened, model = open_benchmark(table).task("made"), open_benchmark(surrogate).task("made")
    best = opened.choices[np.argmax(model.lookup(opened.choices))]
    assert check.regret == pytest.approx(opened.optimum - opened.lookup(best[None])[0])
    assert check.regret < 0.5
    assert check.seed_deviation == pytest.approx(0.2, rel=0.4)
    assert check.tau > 0.85
    assert 0.8 < check.coverage < 1
    assert check.at == (25, 50, 60)
    result = search(make_searcher("local", opened.space, seed=0), opened, trials=60)
    again = search(make_searcher("local", opened.space, seed=1), opened, trials=60)
    third = search(make_searcher("local", opened.space, seed=2), opened, trials=60)
    mean = np.mean([result.value, again.value, third.value])
    assert check.truth["local"][-1] == pytest.approx(mean)


def test_searches_of_a_store_are_fitted(tmp_path: Path) -> None:
    task = TabularTask("made", SPACE, SPACE.all_choices(), truth(SPACE.all_choices()))
    store = tmp_path / "run.journal"
    storage = open_storage(store)
    for word in WORDS:
        for seed in (0, 1):
            settings = {"task": "made", "searcher": word, "seed": seed}
            kept = Stored(task, storage, name=f"t/made/{word}/{seed}", settings=settings)
            search(make_searcher(word, SPACE, seed=seed), kept, trials=30)
    rows = of_store(str(store), None)
    assert set(rows.found_by) == set(WORDS)
    values = rows.tasks[0].columns["validation"]
    assert values.shape == (len(rows.choices), 1, 1)  # what two searches read is no noise
    np.testing.assert_array_equal(values[:, 0, 0], truth(rows.choices))
    card = build_surrogate(rows, tmp_path / "s.h5").card
    assert set(card["tasks"]["made"]["leave_one_searcher_out"]) <= set(WORDS)
    assert card["sampling"] == dict(Counter(rows.found_by))
    with pytest.raises(UnknownNameError, match="made"):
        of_store(str(store), ["maid"])


def test_tasks_with_rows_of_their_own_are_joined(table: Path, tmp_path: Path) -> None:
    one, other = (
        sampled_from(str(table), None, how="random", count=80, seed=seed) for seed in (0, 1)
    )
    renamed = replace(other, tasks=(replace(other.tasks[0], name="other"),))
    both = joined([one, renamed])
    assert [task.name for task in both.tasks] == ["made", "other"]
    for part, task in zip((one, other), both.tasks, strict=True):
        cells = task.columns["validation"]
        there = np.isfinite(cells).all(axis=(1, 2))
        kept = dict(zip(map(tuple, both.choices[there].tolist()), cells[there], strict=True))
        assert len(kept) == 80
        for row, expected in zip(part.choices, part.tasks[0].columns["validation"], strict=True):
            np.testing.assert_array_equal(kept[tuple(row.tolist())], expected)
    card = build_surrogate(both, tmp_path / "both.h5").card
    assert {name: own["rows"] for name, own in card["tasks"].items()} == {"made": 80, "other": 80}
    for parts in ([one, other], []):
        with pytest.raises(InvalidArgumentError, match="different tasks of one space"):
            joined(parts)


def test_trainings_go_where_searches_go_and_go_on_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "trained.h5"
    told: list[str] = []

    @contextmanager
    def shown(_label: str, _total: int) -> Iterator[OnStep]:
        yield told.append

    def built(count: int) -> int:
        return build_sampled(
            SPACE, tasks(), out=path, count=count, how="both", workers=1, progress=shown
        ).trained

    assert built(24) == 24 * 2
    assert len(told) == 24 * 2
    assert built(24) == 0
    opened = HDF5Benchmark(path)
    assert opened.found_by is not None
    assert Counter(opened.found_by)["random"] == 12
    assert of_table(str(path), ["one"]).found_by == opened.found_by
    with pytest.raises(InvalidArgumentError, match="--count"):
        build_sampled(SPACE, tasks(), out=path, count=None, how="search")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--count", "40"), "at least 50 architectures with a value, got 40; measure 10 more"),
        (("--count", "700"), "count must be at most 625"),
        (("--sample", "both"), "give it --count"),
        (("--task", "maid"), "made"),
    ],
)
def test_mistakes_are_told(
    words: tuple[str, ...],
    reason: str,
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / "s.h5")
    assert main(["build", "--surrogate", str(table), "--out", out, *words]) == 2
    assert reason in capsys.readouterr().err


def test_what_is_no_surrogate_or_of_another_space_is_refused(
    table: Path, surrogate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = open_space("nats-size")
    choices = other.all_choices()[:60]
    values = choices.sum(axis=1) * 1.0
    wrong = tmp_path / "wrong.h5"
    write_table(wrong, TableSpec("wrong", other, choices, [TaskSpec("made", Goal("v"), values)]))
    for words, reason in (
        ([table, "--truth", table], "must be a surrogate"),
        ([surrogate, "--truth", surrogate], "must hold measurements"),
        ([surrogate, "--truth", wrong], "of the space dense-cell, and the truth of nats-size"),
        ([surrogate, "--truth", table, "--task", "maid"], "both have, got maid"),
    ):
        assert main(["check-surrogate", *map(str, words)]) == 2
        assert reason in capsys.readouterr().err
    assert main(["build", "--surrogate", str(surrogate), "--out", str(tmp_path / "s.h5")]) == 2
    assert "must hold measurements" in capsys.readouterr().err
    assert main(["build", "--surrogate", str(table), "--out", str(wrong)]) == 2
    assert "choose another --out" in capsys.readouterr().err
