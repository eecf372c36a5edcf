"""``scripts/unseen-spaces``: its made-up tasks, and its report."""

from types import ModuleType

import numpy as np
import pytest

from surrogate_nas.evaluation import TaskData
from surrogate_nas.spaces import open_space
from tests.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("unseen_spaces")


def test_made_up_tasks_are_repeated_by_their_seed_and_mostly_no_noise(script: ModuleType) -> None:
    space = open_space("transnas-micro")
    first, again, other = (script.made_up(space, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    assert abs(np.corrcoef(first.values[:900], other.values[:900])[0, 1]) < 0.5
    # Effects of options and of consecutive pairs explain all but the noise: .09 of 1.09.
    options = np.eye(4)[first.choices]  # (n, 6, 4)
    pairs = np.einsum("nia,nib->niab", options[:, :-1], options[:, 1:])
    columns = np.concatenate([options.reshape(len(first), -1), pairs.reshape(len(first), -1)], 1)
    fitted = columns @ np.linalg.lstsq(columns, first.values, rcond=None)[0]
    assert 1 - np.var(first.values - fitted) / np.var(first.values) == pytest.approx(0.92, abs=0.03)


def test_a_report_compares_both_on_the_same_architectures(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    space = open_space("transnas-micro")

    def few(table: str) -> list[TaskData]:
        return [script.made_up(space, 0).take(np.arange(300))]

    monkeypatch.setattr(script, "tasks", few)
    script.main(["any=cells-nasbench201", "--labels", "5,40", "--supports", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "any by cells-nasbench201, 5 labels",
        "any by cells-nasbench201, 40 labels",
    ]
    few_labels, many = (float(line.split("gp ")[1].split()[0]) for line in lines)
    assert few_labels < many
