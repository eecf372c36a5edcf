"""Spaces of more encodings than 64 bits can number: tables, searches, stores and transfer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.catalog import open_benchmark
from surrogate_nas.cli import main
from surrogate_nas.errors import ArchitectureError
from surrogate_nas.evaluation import FunctionObjective, TaskData, fingerprint
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.predictors.meta.weights import Settings, read_weights, write_weights
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.run import search
from surrogate_nas.searchers.factory import make_searcher
from surrogate_nas.spaces.base import Architecture
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.store import Stored, open_storage

DECISIONS = 36
DEFINITION = f"""
name = "vast"
graph = "chain"
decisions = {DECISIONS}
options = ["none", "skip", "conv1", "conv3", "conv5", "conv7", "sep3", "sep5", "avg", "max"]

[operations]
conv1 = {{operation = "conv", kernel = 1}}
conv3 = {{operation = "conv", kernel = 3}}
conv5 = {{operation = "conv", kernel = 5}}
conv7 = {{operation = "conv", kernel = 7}}
sep3 = {{operation = "separable_conv", kernel = 3}}
sep5 = {{operation = "separable_conv", kernel = 5}}
avg = {{operation = "avg_pool", kernel = 3}}
max = {{operation = "max_pool", kernel = 3}}
"""


@pytest.fixture(scope="module")
def space() -> CustomSpace:
    return CustomSpace(DEFINITION)


def _values(choices: IntArray) -> FloatArray:
    """Likes convolutions with large kernels."""
    liked = np.isin(choices, (3, 4, 5)) + 0.1 * (choices == 5)
    return np.asarray(liked.mean(axis=1))


def _objective(space: CustomSpace) -> FunctionObjective:
    return FunctionObjective(space, lambda arch: float(_values(np.array([arch.choices]))[0]))


def _rows(space: CustomSpace, n: int = 300) -> IntArray:
    return space.sample_choices(np.random.default_rng(0), n)


def test_it_has_python_integers(space: CustomSpace) -> None:
    assert space.encodings == space.size == 10**DECISIONS
    last = Architecture("vast", (9,) * DECISIONS)
    assert space.number(last) == 10**DECISIONS - 1
    texts = [space.format(last), "3" * DECISIONS, "3" * (DECISIONS - 1)]
    choices, errors = space.parse_all(texts)
    assert choices[:2].tolist() == [[9] * DECISIONS, [3] * DECISIONS]
    assert list(errors) == [2]
    near = space.neighbour_choices(choices[:1])
    assert len(near) == 9 * DECISIONS == len(np.unique(near, axis=0))


def test_a_part_of_it_is_listed(space: CustomSpace) -> None:
    rows = _rows(space)
    part = space.restricted(np.concatenate([rows, rows[:5]]))
    assert part.enumerable
    assert part.unique().tolist() == sorted(rows.tolist())
    assert part.valid(rows).all()
    outside = space.neighbour_choices(rows[:1])
    assert not part.valid(outside).any()
    with pytest.raises(ArchitectureError, match="not among the 300"):
        part.parse(space.format(space.architecture(outside[0])))


@pytest.mark.parametrize("method", ["random", "evolution", "local", "evolution+gp", "optuna:tpe"])
def test_it_is_searched(space: CustomSpace, method: str) -> None:
    searcher = make_searcher(method, space, seed=0)
    result = search(searcher, _objective(space), trials=12)
    assert len({trial.arch for trial in result.trials}) == 12


@pytest.mark.parametrize("method", ["random", "evolution+gp", "optuna:tpe"])
def test_a_table_of_it_is_searched_to_its_end(space: CustomSpace, method: str) -> None:
    rows = _rows(space, 25)
    task = TabularTask("likes", space, rows, _values(rows))
    result = search(make_searcher(method, task.space, seed=0), task, trials=25)
    assert sorted(trial.arch.choices for trial in result.trials) == sorted(map(tuple, rows))
    assert task.rows(rows[::-1]).tolist() == task.rows(rows)[::-1].tolist()
    assert task.rows(space.neighbour_choices(rows[:1])).max() == -1


def test_fingerprints_are_of_the_set_of_rows(space: CustomSpace) -> None:
    rows = _rows(space)
    values = _values(rows)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    same = fingerprint(space, rows, values)
    assert fingerprint(space, rows[shuffled], values[shuffled]) == same
    assert fingerprint(space, rows[1:], values[1:]) != same


def test_from_a_file_to_a_stored_search(
    space: CustomSpace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SURROGATE_NAS_HOME", str(tmp_path / "home"))
    rows = _rows(space, 40)
    texts = [space.format(space.architecture(row)) for row in rows]
    lines = [f"{t},{v}" for t, v in zip(texts, _values(rows).tolist(), strict=True)]
    (tmp_path / "likes.csv").write_text("\n".join(["arch,value", *lines]) + "\n")
    (tmp_path / "vast.toml").write_text(DEFINITION)
    command = ["import", "csv", str(tmp_path / "likes.csv"), "--space", str(tmp_path / "vast.toml")]
    assert main([*command, "--name", "vast", "--arch", "arch", "--task", "likes=value"]) == 0
    task = open_benchmark("vast").task("likes")
    np.testing.assert_allclose(task.lookup(rows), _values(rows))
    capsys.readouterr()
    store = str(tmp_path / "store.journal")
    command = ["search", "--benchmark", "vast", "--task", "likes", "--searcher", "evolution"]
    command += ["--predictor", "gp", "--store", store, "--json"]
    found = []
    for trials in ("8", "16"):
        assert main([*command, "--trials", trials]) == 0
        found.append([t["arch"] for t in json.loads(capsys.readouterr().out)["trials"]])
    assert found[1][:8] == found[0]
    assert len(set(found[1])) == 16


def test_a_whole_search_is_stored(space: CustomSpace, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "store.journal"))
    runs = []
    for trials in (6, 12):
        kept = Stored(_objective(space), storage, name="vast", settings={})
        runs.append(search(make_searcher("evolution", space, seed=0), kept, trials=trials))
    first, second = ([trial.arch for trial in run.trials] for run in runs)
    assert second[:6] == first


def test_predictors_learn(space: CustomSpace) -> None:
    rows = _rows(space)
    data = TaskData("likes", space, rows[:60], _values(rows[:60]))
    predicted = GaussianProcess().fit(data).predict(rows[60:]).mean
    assert kendall_tau(predicted, _values(rows[60:])) > 0.3


def test_ridge_finds_what_the_sources_measured(space: CustomSpace, tmp_path: Path) -> None:
    rows = _rows(space, 60)
    sources = [
        TaskData(f"s{i}", space, rows[i:50], _values(rows[i:50]) ** (1 + i)) for i in range(2)
    ]
    learner = TransferRidge(seed=0).meta_fit(sources)
    settings = Settings("transfer-ridge", (), (), 0, 0, "", learner.settings())
    write_weights(tmp_path / "w.safetensors", learner.tensors(), settings)
    tensors, read = read_weights(tmp_path / "w.safetensors")
    again = TransferRidge.restored(tensors, read.learner)
    for one in (learner, again):
        scores = one.rows(space, rows)
        assert (scores[:50] != 0).any(axis=1).all()
        assert (scores[50:] == 0).all()
        prior = one.prior(space).predict(rows[:50]).mean
        assert math.isclose(kendall_tau(prior, _values(rows[:50])), 1.0, abs_tol=0.05)
