"""The script that ranks a table's architectures by zero-cost proxies."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surrogate_nas.benchmarks.table_writer import TableSpec, TaskSpec, write_table
from surrogate_nas.evaluation import Goal
from surrogate_nas.spaces import open_space
from tests.scripts import load_script


@pytest.fixture
def script() -> ModuleType:
    return load_script("proxies")


def test_a_table_of_parameters_is_ranked_by_parameters(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = open_space("dense-cell")
    choices = space.all_choices()
    channels = 16  # of the network that is built by default; a normalisation adds 2 a channel
    options = list(space.decisions[0].options)
    count = np.zeros(len(choices))
    for kernel in (3, 5):
        chosen = choices == options.index(f"conv{kernel}x{kernel}")
        count += chosen.sum(axis=1) * (kernel**2 * channels**2 + 2 * channels)
    tasks = [TaskSpec("size", Goal("parameters", maximise=False), count)]
    write_table(tmp_path / "sizes.h5", TableSpec("sizes", space, choices, tasks))
    dataset = "tests.training.data:source"
    given = ["--benchmark", str(tmp_path / "sizes.h5"), "--dataset", dataset, "--device", "cpu"]
    kept = tmp_path / "kept.npz"
    some = ["--proxy", "parameters,synflow", "--sample", "20", "--batch", "4", "--save", str(kept)]
    script.main([*given, *some])
    printed = capsys.readouterr().out
    assert "sizes, size: 20 of 625 cells" in printed
    assert "| parameters | -1.00 | 0.00 | -1.00 |" in printed  # the task wants few
    with np.load(kept) as file:
        rows, values = file["size rows"], file["size proxies"]
    assert len(np.unique(rows)) == 20
    found, expected = values[:, 0], count[rows]
    np.testing.assert_array_equal(found - found[0], expected - expected[0])


def test_values_that_are_not_finite_do_not_count(script: ModuleType) -> None:
    true = np.arange(6.0)
    values = np.array([0.0, 1, 2, np.nan, 4, -9])[:, None]
    (line,) = script.correlations(["zen"], values, true, sampled=False)[2:]
    # Without the fourth: ranks 2 3 4 5 1 against 1 2 3 4 5, so ρ = 1 - 6 * 20 / (5 * 24).
    assert line == "| zen | 0.00 | 0.20 |"
