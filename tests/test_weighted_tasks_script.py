"""The script that measures searches of weighted means."""

import numpy as np
import pytest

from tests.scripts import load_script


def test_the_report_tells_when_the_baseline_is_reached(capsys: pytest.CaptureFixture[str]) -> None:
    script = load_script("weighted_tasks")
    baseline = [np.array([3.0, 2.0, 1.5]), np.array([3.0, 1.0, 0.5])]
    method = [np.array([2.0, 1.0, 0.2]), np.array([2.0, 0.8, 0.6])]
    script._report({"gp": baseline, "meta-gnn": method}, 3)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("gp: ")
    assert first.endswith("the baseline's last 1.0000: after 3 trials")
    assert second.endswith("the baseline's last 1.0000: after 2 trials")
