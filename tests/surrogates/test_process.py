import numpy as np
import pytest

from surrogate_nas.errors import FormatError
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.spaces import open_space
from surrogate_nas.surrogates.model import SpaceColumns
from surrogate_nas.surrogates.process import Process, Together


def test_one_pass_for_one_row_says_what_each_process_says() -> None:
    space, rng = open_space("layerwise"), np.random.default_rng(0)
    choices = space.sample_choices(rng, 60)
    columns = SpaceColumns(space, choices)
    x = columns.process(choices)
    processes = []
    for scores in (rng.normal(size=60), choices[:, 1] - 1.0):
        data = TaskData("", columns.space, choices, scores)
        processes.append(Process.of(GaussianProcess().fit(data), columns.inputs, x))
    processes[0] = processes[0].with_outputs(rng.normal(size=(60, 2)))
    together = Together.of(processes)
    assert together is not None
    for row in columns.process(np.concatenate([choices[:2], space.sample_choices(rng, 5)])):
        for process, (mean, similarity) in zip(processes, together.mean(row[None]), strict=True):
            expected = process.mean(row[None])
            np.testing.assert_allclose(mean, expected[0], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(similarity, expected[1], rtol=1e-9)


def test_a_process_on_decisions_is_restored_and_answers_alone() -> None:
    space, rng = open_space("gnn-design"), np.random.default_rng(0)
    choices = space.sample_choices(rng, 40)
    columns = SpaceColumns(space, choices)
    x = columns.process(choices)
    fitted = GaussianProcess().fit(TaskData("", columns.space, choices, rng.normal(size=40)))
    process = Process.of(fitted, columns.inputs, x)
    assert Together.of([process, process]) is None
    again = Process.restored(process.arrays(), columns.inputs, x)
    others = columns.process(space.sample_choices(rng, 30))
    for found, expected in zip(again.mean(others), process.mean(others), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(FormatError):
        Process.restored(process.arrays() | {"product": np.zeros(3)}, columns.inputs, x)
