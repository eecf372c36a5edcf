"""The made-up functions of ``scripts/large-spaces``."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surrogate_nas.spaces.base import Decision
from surrogate_nas.spaces.custom import CustomSpace, define_space
from tests.benchmarks.test_surrogate import made
from tests.scripts import SCRIPTS, load_script


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return load_script("large_functions")


def test_the_best_of_a_landscape_is_zero(functions: ModuleType) -> None:
    chain = CustomSpace(functions.DEFINITION.replace("decisions = 20", "decisions = 4"))
    numbers = define_space("few", [Decision.real(f"x{i}", -1, 1, levels=6) for i in range(4)])
    for kind, space in ((functions.Chain, chain), (functions.Surface, numbers)):
        every = space.all_choices()
        for seed in range(3):
            values = kind(space, np.random.default_rng(seed)).values(every)
            assert values.max() == pytest.approx(0, abs=1e-12)
            assert values.std() == pytest.approx(1, rel=0.05)
            again = kind(space, np.random.default_rng(seed)).values(every)
            np.testing.assert_array_equal(values, again)


@pytest.mark.parametrize("setting", ["nasbench101", "hierarchical"])
def test_a_random_network_is_standardised_and_sees_no_encodings(
    setting: str, functions: ModuleType
) -> None:
    space, function, _ = functions.made(setting, 0)
    choices = space.sample_choices(np.random.default_rng(5), 300)
    values = function.values(choices)
    assert values.mean() == pytest.approx(0, abs=0.25)
    assert values.std() == pytest.approx(1, rel=0.15)
    np.testing.assert_allclose(function.values(space.keys(choices)), values)
    np.testing.assert_allclose([function.values(row[None])[0] for row in choices[:9]], values[:9])


def test_a_surrogate_benchmark_is_a_setting(functions: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "made.h5"
    task = made("dense-cell", path, 60).task("made")
    space, function, objective = functions.made(f"{path}:made", 3)
    choices = space.sample_choices(np.random.default_rng(0), 9)
    np.testing.assert_array_equal(function.values(choices), task.lookup(choices))
    measured = [objective.evaluate(space.architecture(row)).value for row in choices]
    np.testing.assert_array_equal(measured, task.lookup(choices, seed=3))
    assert (task.lookup(choices) != measured).all()


def test_a_run_is_repeated_by_its_seed(
    functions: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load_script("large_spaces")
    runs = [script.run("numbers", "evolution", 1, 12)[0] for _ in range(2)]
    np.testing.assert_array_equal(*runs)
    assert runs[0].shape == (12,)
    jobs = [("numbers", method, 0) for method in ("evolution", "evolution+none")]
    found = {job: (np.arange(12.0), 0.1) for job in jobs}
    script.report(found, jobs, 12)
    assert (
        "numbers evolution+none: 8 ms a trial; 12 trials 11.00 (p = 1)" in capsys.readouterr().out
    )
