"""The table that comes with the program: whole, and repeatable by anyone."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from surrogate_nas.benchmarks.cell_bench import TASKS, CellBench, training_of
from surrogate_nas.benchmarks.sources import METRICS, TEST, VALIDATION
from surrogate_nas.cli.cell_bench import measured
from surrogate_nas.parallel import one_thread
from surrogate_nas.spaces.dense_cell import OPERATIONS
from surrogate_nas.training.plan import plan_training
from surrogate_nas.training.recorder import TrainingRecorder
from surrogate_nas.training_settings import RECORDED

ROOT = Path(__file__).resolve().parents[2]

# Channels of an image, pixels behind the stem, classes.
SHAPES = {
    "digits": (1, 64, 10),
    "mnist5k-14": (1, 49, 10),
    "fashion-mnist-14": (1, 49, 10),
    "watch": (6, 64, 14),
}
WIDTH = 8


@pytest.fixture(scope="module")
def table() -> CellBench:
    return CellBench()


def test_all_architectures_on_all_tasks(table: CellBench) -> None:
    table.check()
    assert table.tasks == TASKS == tuple(SHAPES)
    assert table.architectures == len(table.choices) == 625
    assert table.licence == "Apache-2.0"
    for name in TASKS:
        task, columns = table.task(name), table.columns(name)
        assert len(task) == 625
        assert task.space.size == 625
        rows, seeds, epochs = columns[VALIDATION][1].shape
        assert (rows, task.budgets) == (625, tuple(range(1, epochs + 1)))
        assert seeds >= 2
        for values in (columns[VALIDATION][1], columns[TEST][1]):
            assert np.isfinite(values).all()
            assert 0 <= values.min() < values.max() <= 100
        for metric in ("latency", "seconds"):
            assert (columns[METRICS + metric][1] > 0).all()


@pytest.mark.parametrize("name", TASKS)
def test_how_it_was_trained_is_noted(table: CellBench, name: str) -> None:
    training = table.task(name).training
    assert training is not None
    assert set(RECORDED) | {"seeds", "machines"} == set(training)
    for key, value in training_of(name).items():
        assert training[key] == value
    assert training["epochs"] == table.task(name).budgets[-1] <= 8
    assert training["seeds"] == table.columns(name)[VALIDATION][1].shape[1]
    assert training["machines"]


@pytest.mark.parametrize("name", TASKS)
def test_parameters_and_multiply_adds_follow_from_the_operations(
    table: CellBench, name: str
) -> None:
    channels, pixels, classes = SHAPES[name]
    stem, head = 9 * channels * WIDTH, 4 * WIDTH * classes
    weights = np.array([{"conv3x3": 9, "conv5x5": 25}.get(op, 0) for op in OPERATIONS]) * WIDTH**2
    cells = weights[table.choices].sum(axis=1)
    norms = (weights[table.choices] > 0).sum(axis=1) * 2 * WIDTH
    columns = table.columns(name)
    parameters = stem + 2 * WIDTH + cells + norms + head + classes
    assert np.array_equal(columns[f"{METRICS}parameters"][1][:, 0, 0], parameters)
    flops = pixels * (stem + cells) + head
    assert np.array_equal(columns[f"{METRICS}flops"][1][:, 0, 0], flops)


def test_the_card_says_what_the_table_does(table: CellBench) -> None:
    card = (ROOT / "docs" / "cell-bench.md").read_text(encoding="utf-8").splitlines()
    numbers = measured(table)
    assert set(numbers.splitlines()) <= set(card)
    # One number of it by other means.
    seeds = table.columns("watch")[VALIDATION][1][:, :2, -1]
    ranks = scipy.stats.rankdata(seeds, axis=0)
    rho = np.corrcoef(ranks.T)[0, 1]
    assert f"| watch | {rho:.2f} |" in numbers


def test_three_architectures_trained_again_have_the_tables_values(table: CellBench) -> None:
    task = table.task("digits")
    columns = table.columns("digits")
    validation, test = columns[VALIDATION][1], columns[TEST][1]
    objective, plan = plan_training(table.space, task.training, device="cpu")
    recorder = TrainingRecorder(objective)
    same_machine = plan["machines"] == [recorder.machine("cpu")]
    final = validation[..., -1]
    best = np.argsort(-final.mean(axis=1))[:156]  # the poor ones are the noisy ones
    noise = np.sqrt(final[best].var(axis=1, ddof=1).mean())
    rows = np.random.default_rng(0).choice(best, 3, replace=False)
    with one_thread():
        for row in rows:
            arch = table.space.architecture(table.choices[row])
            again = recorder.record(arch, 0, "cpu")
            if same_machine:
                assert again.validation == tuple(validation[row, 0])
                assert again.test == tuple(test[row, 0])
            # Elsewhere the last digits differ, which a training makes as large as another seed.
            assert abs(again.validation[-1] - final[row].mean()) < 5 * noise
