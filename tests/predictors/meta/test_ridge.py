from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.predictors.meta.weights import Settings, read_weights, write_weights
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.hierarchical import HierarchicalSpace
from surrogate_nas.spaces.nas_bench_graph import NASBenchGraphSpace
from surrogate_nas.spaces.transnas_micro import TransNASMicroSpace


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


@pytest.mark.parametrize(
    "space", [NASBenchGraphSpace(), TransNASMicroSpace().with_isomorphs("merged")]
)
def test_encodings_of_one_key_are_predicted_alike(space: SearchSpace) -> None:
    raw = space.sample_choices(np.random.default_rng(0), 2_000)
    keys = space.keys(raw)
    other = (raw != keys).any(axis=1)
    assert other.any()
    values = np.asarray(keys.sum(axis=1), dtype=np.float64)
    first = np.unique(space.index(keys), return_index=True)[1]
    # One source measured representatives, and one whatever encoding came first.
    sources = [TaskData("keys", space, keys[first], values[first])]
    sources += [TaskData("raw", space, raw[first], values[first])]
    learner = TransferRidge().meta_fit(sources)
    np.testing.assert_array_equal(learner.rows(space, raw), learner.rows(space, keys))
    assert kendall_tau(learner.prior(space).predict(raw[other]).mean, values[other]) > 0.9
    assert learner.tensors()["scores"].all(axis=1).mean() > 0.9  # normal scores, rarely 0
    fitted = learner.adapt(sources[0].take(np.arange(10)))
    assert fitted.predict(raw[:0]).mean.shape == (0,)
