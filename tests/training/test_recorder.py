"""What is measured of a training beside its curve."""

from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.benchmarks.hdf5 import HDF5Benchmark
from surrogate_nas.spaces import open_space
from surrogate_nas.training.objective import TrainingObjective
from surrogate_nas.training.recorder import TrainingRecorder
from surrogate_nas.workflows.build import Task, build
from tests.training.data import squares
from tests.training.test_graph_training import DATA as NEIGHBOURS
from tests.training.test_graph_training import SPACE as GRAPH_SPACE


def test_records_what_the_objective_trains() -> None:
    space = open_space("dense-cell")
    objective = TrainingObjective(
        space, squares(), epochs=2, seed=5, device="cpu", settings={"channels": 2}
    )
    recorder = TrainingRecorder(objective)
    assert recorder.devices() == ["cpu"]
    assert recorder.epochs == 2
    arch = space.parse("conv3x3-skip-maxpool3x3-conv5x5")
    found, trained = recorder.record(arch, 1, "cpu"), objective.train(arch, seed=1)
    assert found.validation == tuple(point.validation_accuracy for point in trained.curve)
    assert found.test == tuple(point.test_accuracy for point in trained.curve)
    assert (found.parameters, found.flops) == (trained.parameters, trained.flops)
    assert 0 < found.elapsed[0] < found.elapsed[1]
    assert 0.001 < found.latency < 1000  # a network of a thousand multiply-adds, in ms
    assert found.fell_back is None  # without a learned optimizer
    machine = recorder.machine("cpu")
    assert machine["processor"]
    assert machine["torch"][0].isdecimal()


@pytest.mark.gpu
def test_a_gpu_trains_a_table(tmp_path: Path) -> None:
    space = open_space("dense-cell")
    objective = TrainingObjective(
        space, squares(), epochs=8, device="cuda", settings={"channels": 4}
    )
    recorder = TrainingRecorder(objective)
    assert recorder.devices()[0] == "cuda:0"
    rows = np.array([[0, 1, 2, 4], [1, 1, 2, 0]])
    built = build(space, {"squares": Task(recorder, {})}, rows, out=tmp_path / "t.h5")
    task = HDF5Benchmark(built.path).task("squares")
    assert task.values.max() > 60
    assert task.training is not None
    assert "NVIDIA" in task.training["machines"][0]["processor"]


def test_a_graph_is_answered_as_a_whole() -> None:
    objective = TrainingObjective(
        GRAPH_SPACE, NEIGHBOURS, epochs=1, device="cpu", settings={"channels": 4}
    )
    arch = GRAPH_SPACE.parse("0123-sage-fc-fc-fc")
    found = TrainingRecorder(objective).record(arch, 0, "cpu")
    assert len(found.validation) == 1
    assert found.latency > 0
