"""A space of other operations, as sources see it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.meta.encoder import graph_tensors, group_tasks, terms_of
from surrogate_nas.predictors.meta.unseen_space import SizeScores, SourceTerms, VocabularyMapping
from surrogate_nas.predictors.structure.features import StructuralFeatures
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.operations import STRUCTURAL_OPERATIONS
from surrogate_nas.training.networks.base import NetworkTask, build_network, count_parameters

KNOWN = open_space("transnas-micro")
WITH_POOLING = open_space("nasbench201")
SKIP, POOLING = 1, 4  # options of NAS-Bench-201; the smaller ones are those of TransNAS-Bench-101


def terms(*spaces: SearchSpace) -> SourceTerms:
    tasks = []
    for i, space in enumerate(spaces):
        choices = space.sample_choices(np.random.default_rng(i), 60)
        keys = space.keys(choices)
        keys = keys[np.unique(space.index(keys), return_index=True)[1]]
        tasks.append(TaskData(f"toy{i}", space, keys, keys.sum(axis=1).astype(float)))
    return terms_of(group_tasks(tasks))


def test_pooling_is_read_as_a_skip_and_as_nothing() -> None:
    known = terms(KNOWN)
    choices = WITH_POOLING.sample_choices(np.random.default_rng(0), 300)
    graphs = WITH_POOLING.graphs(choices).pruned()
    readings = VocabularyMapping(graphs, known)(graphs)
    pooling = choices == POOLING
    for reading, stand_in in zip(readings, (SKIP, 0), strict=True):
        plain = np.where(pooling, stand_in, choices)
        expected = graph_tensors(KNOWN, plain, known.features)
        np.testing.assert_allclose(reading.features, expected.features, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(
            reading.kinds[reading.kind], expected.kinds[expected.kind], strict=True
        )
        np.testing.assert_array_equal(reading.edges, expected.edges)


def test_known_operations_are_read_once_as_they_are() -> None:
    known = terms(WITH_POOLING)
    choices = KNOWN.sample_choices(np.random.default_rng(0), 100)
    graphs = KNOWN.graphs(choices).pruned()
    (reading,) = VocabularyMapping(graphs, known)(graphs)
    expected = graph_tensors(WITH_POOLING, choices, known.features)
    np.testing.assert_allclose(reading.features, expected.features, rtol=1e-4, atol=1e-4)


def test_unknown_weights_are_read_as_known_ones() -> None:
    known = terms(KNOWN)
    space = open_space("nas-bench-graph")
    graphs = space.graphs(space.sample_choices(np.random.default_rng(0), 100)).pruned()
    for reading in VocabularyMapping(graphs, known)(graphs):
        read = set(reading.kinds[:, 0].int().tolist()) - STRUCTURAL_OPERATIONS
        assert read <= set(known.operations[:, 0].tolist())


def test_features_count_an_unknown_kernel_as_the_nearest() -> None:
    known = terms(KNOWN)  # kernels of 1 and 3
    cells = open_space("dense-cell")
    choices = np.full((2, 4), cells.decisions[0].options.index("conv3x3"))
    choices[1] = cells.decisions[0].options.index("conv5x5")
    graphs = cells.graphs(choices).pruned()
    (reading,) = VocabularyMapping(graphs, known)(graphs)
    counted = known.features.index("count[conv(kernel=3)]")
    raw = reading.features.numpy() * known.scale + known.centre
    np.testing.assert_allclose(raw[0], raw[1], atol=1e-4)
    assert raw[1, counted] == pytest.approx(4, abs=1e-4)
    kernels = reading.kinds[reading.kind][:, 1].max()
    assert kernels == pytest.approx(np.log2(5))  # which the encoder itself is told


def test_size_scores_rank_as_the_parameters_of_the_networks() -> None:
    space = WITH_POOLING
    pool = space.graphs(space.unique()).pruned()
    rng = np.random.default_rng(0)
    # A network has weights also for operations that lead nowhere; without `none` there are none.
    choices = rng.integers(1, 5, size=(12, 6))
    task = NetworkTask((3, 8, 8), 10)
    built = [build_network(space.architecture(row), task) for row in choices]
    parameters = [count_parameters(network) for network in built]
    scores = SizeScores(pool)(space.graphs(choices).pruned())
    assert kendalltau(scores, parameters).statistic == pytest.approx(1)


def test_statistics_are_means_over_the_spaces_that_have_a_feature() -> None:
    both = terms(KNOWN, WITH_POOLING)
    assert both.spaces == (KNOWN.name, WITH_POOLING.name)
    one, other = (StructuralFeatures.of(space) for space in (KNOWN, WITH_POOLING))
    for name in ("count[skip]", "count[avg_pool(kernel=3)]"):
        found = [s.centre[s.names.index(name)] for s in (one, other) if name in s.names]
        place = both.features.index(name)
        assert both.centre[place] == pytest.approx(np.mean(found))
    assert len(set(both.features)) == len(both.features)
