"""The made-up functions of ``scripts/large-spaces``."""

import numpy as np
import pytest

from surrogate_nas.spaces.custom import CustomSpace
from tests.scripts import load_script


def test_the_best_of_a_landscape_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_script("large_spaces")
    monkeypatch.setattr(script, "LAYERS", 4)
    space = CustomSpace(script.DEFINITION.replace("decisions = 20", "decisions = 4"))
    every = space.all_choices()
    for seed in range(3):
        landscape = script.Landscape(space, seed)
        values = landscape.values(every)
        assert values.max() == pytest.approx(0, abs=1e-12)
        assert values.std() == pytest.approx(1, rel=0.05)
        np.testing.assert_array_equal(values, script.Landscape(space, seed).values(every))


def test_a_run_is_repeated_by_its_seeds() -> None:
    script = load_script("large_spaces")
    runs = [script.run("evolution", 1, 2, 12)[0] for _ in range(2)]
    np.testing.assert_array_equal(*runs)
    assert runs[0].shape == (12,)
