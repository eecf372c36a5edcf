"""Trainings on a Ray cluster of this machine."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.errors import InvalidArgumentError, MissingDependencyError
from surrogate_nas.training.cluster import Cluster
from surrogate_nas.workflows.build import Task, build, log_of
from tests.recorders import ROWS, SPACE, Arithmetic
from tests.workflows.test_build import columns, results


@pytest.mark.extra
def test_a_killed_worker_is_replaced_and_its_training_repeated(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    rows = ROWS[:8]
    killed, diverged = SPACE.index(rows)[[2, 5]].tolist()
    recorder = Arithmetic(
        "one", pause=0.05, attempts=str(attempts), dies_once=(killed,), diverges=(diverged,)
    )
    tasks = {"one": Task(recorder, {})}
    built = build(SPACE, tasks, rows, out=tmp_path / "t.h5", workers=2, ray="local")
    assert len(results(log_of(built.path))) == built.trained == 8
    begun = {path.name: path.stat().st_size for path in attempts.iterdir()}
    assert begun.pop(f"one-{killed}-0") == 2  # the cluster tried again by itself
    assert set(begun.values()) == {1}
    assert [reason for *_, reason in built.failed] == [
        "TrainingError: the training diverged in epoch 1"
    ]
    without = {"one": Task(Arithmetic("one", diverges=(diverged,)), {})}
    build(SPACE, without, rows, out=tmp_path / "here.h5", workers=1)
    here = dict(columns(tmp_path / "here.h5"))
    for name, values in columns(built.path):
        assert np.array_equal(values, here[name], equal_nan=True)


@pytest.mark.extra
@pytest.mark.parametrize(
    ("address", "gpus", "message"),
    [("local", 999.0, "needs 999 GPU"), ("127.0.0.1:1", 0.0, "--ray must be the address.*refused")],
)
def test_a_cluster_that_cannot_train_is_refused(address: str, gpus: float, message: str) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    cluster = Cluster(address, 1, gpus, print)
    with pytest.raises(InvalidArgumentError, match=message), cluster:
        pass


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match="pip install ray"):
        Cluster("local", 1, 0, print)


@pytest.mark.parametrize("gpus", [-1, 1.5, math.nan, math.inf])
def test_other_than_whole_gpus_or_shares_of_one_are_refused(gpus: float) -> None:
    with pytest.raises(InvalidArgumentError, match="a share from 0 to 1 or a whole number"):
        Cluster("local", 1, gpus, print)
