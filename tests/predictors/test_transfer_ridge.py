from __future__ import annotations

from pathlib import Path

import numpy as np

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.predictors.transfer_ridge import TransferRidge
from surrogate_nas.predictors.weights import Settings, read_weights, write_weights
from surrogate_nas.spaces.hierarchical import HierarchicalSpace


def test_a_file_keeps_the_largest_numbers_of_encodings(tmp_path: Path) -> None:
    space = HierarchicalSpace()
    choices = space.sample_choices(np.random.default_rng(0), 200)
    assert space.index(choices).max() > 2**53  # where float64 has no odd numbers
    task = TaskData("sum", space, choices, choices.sum(axis=1).astype(np.float64))
    learner = TransferRidge().meta_fit([task])
    path = tmp_path / "a.safetensors"
    settings = Settings("transfer-ridge", (), (), 0, 0, "", learner.settings())
    write_weights(path, learner.tensors(), settings)
    tensors, found = read_weights(path)
    again = TransferRidge.restored(tensors, found.learner)
    one, other = (each.prior(space).predict(choices).mean for each in (learner, again))
    np.testing.assert_array_equal(one, other)
    assert kendall_tau(other, task.values) > 0.9
