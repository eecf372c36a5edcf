from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, NotFittedError, SurrogateNASError
from surrogate_nas.evaluation import TaskData, fingerprint
from surrogate_nas.predictors.base import Adapted, MetaPredictor
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.encoder import (
    EncoderJob,
    State,
    group_tasks,
    sampled,
    train_encoder,
)
from surrogate_nas.predictors.meta.kernel import TransferKernel
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.ridge import TransferRidge
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.predictors.scores import normal_scores
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.spaces.rows import RowIndex
from surrogate_nas.spaces.transnas_micro import TransNASMicroSpace

CELLS = TransNASMicroSpace()
STEPS = 60


def values(space: SearchSpace, seed: int, *, own: float = 0.4) -> FloatArray:
    """A task: what operations are worth at each place, in common with other tasks and its own."""
    choices = space.all_choices()
    common, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    total = np.zeros(len(choices))
    for i, size in enumerate(space.sizes):
        worth = common.normal(size=5)[:size] + own * rng.normal(size=size)
        total += worth[choices[:, i]]
    total += 0.3 * rng.normal(size=len(choices))
    return np.asarray(80 + 5 * total)


def task(seed: int, space: SearchSpace = CELLS) -> TaskData:
    choices, value = space.all_choices(), values(space, seed)
    return TaskData(
        f"t{seed}", space, choices, value, fingerprint=fingerprint(space, choices, value)
    )


def split(data: TaskData, n: int, seed: int = 0) -> tuple[TaskData, TaskData]:
    order = np.random.default_rng(seed).permutation(len(data))
    return data.take(order[:n]), data.take(np.sort(order[n:]))


@functools.cache
def learnt() -> MetaGNN:
    return MetaGNN(steps=STEPS).meta_fit([task(i) for i in range(1, 5)])


def test_few_labels_suffice_and_many_do_not_hurt() -> None:
    new = task(9)
    prior = kendall_tau(Adapted(learnt(), CELLS).predict(new.choices).mean, new.values)
    assert prior > 0.4
    for n in (10, 100):
        taus = []
        for seed in range(3):
            support, rest = split(new, n, seed)
            adapted = learnt().adapt(support).predict(rest.choices)
            scratch = GaussianProcess().fit(support).predict(rest.choices)
            taus.append(
                (kendall_tau(adapted.mean, rest.values), kendall_tau(scratch.mean, rest.values))
            )
        ours, theirs = np.mean(taus, axis=0)
        assert ours > theirs + (0.1 if n == 10 else -0.01)
    assert ours > prior


def test_its_intervals_hold() -> None:
    new = task(9)
    covered = []
    for seed in range(6):
        support, rest = split(new, 50, seed)
        covered.append(coverage_90(learnt().adapt(support).predict(rest.choices), rest.values))
    assert 0.83 < np.mean(covered) < 0.97


def test_sources_that_mislead_lose_their_say() -> None:
    """All sources say the opposite of the new task."""
    good = task(9)
    new = TaskData("opposite", CELLS, good.choices, -good.values)
    support, rest = split(new, 100)
    adapted = kendall_tau(learnt().adapt(support).predict(rest.choices).mean, rest.values)
    scratch = kendall_tau(GaussianProcess().fit(support).predict(rest.choices).mean, rest.values)
    assert adapted > scratch - 0.05


def test_the_same_seed_learns_the_same() -> None:
    tasks = [task(1), task(2)]
    one = MetaGNN(steps=5, seed=3).meta_fit(tasks).tensors()
    other = MetaGNN(steps=5, seed=3).meta_fit(tasks).tensors()
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, other[name])


def test_the_meta_learner_is_untouched_by_adapting() -> None:
    before = {name: tensor.copy() for name, tensor in learnt().tensors().items()}
    learnt().adapt(split(task(9), 20)[0])
    for name, tensor in learnt().tensors().items():
        np.testing.assert_array_equal(tensor, before[name])


@pytest.mark.parametrize("kind", [MetaGNN, TransferRidge])
def test_what_is_restored_predicts_the_same(kind: type[MetaPredictor]) -> None:
    learner = learnt() if kind is MetaGNN else kind().meta_fit([task(i) for i in range(1, 5)])
    again = kind.restored(learner.tensors(), learner.settings())
    support, rest = split(task(9), 20)
    for one, other in (
        (learner.prior(CELLS), again.prior(CELLS)),
        (learner.adapt(support), again.adapt(support)),
    ):
        a, b = one.predict(rest.choices), other.predict(rest.choices)
        np.testing.assert_array_equal(a.mean, b.mean)
        np.testing.assert_array_equal(a.std, b.std)


def test_a_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [task(1), task(2), task(3)]
    whole = MetaGNN(steps=5).meta_fit(tasks).tensors()
    finished: list[str] = []

    def interrupted(text: str) -> None:
        finished.append(text)
        if len(finished) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MetaGNN(steps=5, checkpoint=tmp_path, on_step=interrupted).meta_fit(tasks)
    kept = sorted(tmp_path.glob("*.safetensors"))
    assert len(kept) == 2
    kept[0].write_bytes(kept[0].read_bytes()[:100])  # as after a full disk

    trained: list[object] = []

    def counted(job: EncoderJob) -> State:
        trained.append(job)
        return train_encoder(job)

    monkeypatch.setattr("surrogate_nas.predictors.meta.learner.train_encoder", counted)
    resumed = MetaGNN(steps=5, checkpoint=tmp_path).meta_fit(tasks).tensors()
    assert len(trained) == 4  # of five encoders, one was kept whole
    for name, tensor in whole.items():
        np.testing.assert_array_equal(tensor, resumed[name])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate_nas.predictors.meta.kernel._STEPS", 2)


@pytest.mark.usefixtures("quick")
def test_trainings_share_the_encoder_without_either_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = task(1), task(2), task(3)
    alone = MetaGNN(steps=2).meta_fit([b, c]).tensors()
    MetaGNN(steps=2, checkpoint=tmp_path).meta_fit([a, c])
    trained: list[EncoderJob] = []

    def counted(job: EncoderJob) -> State:
        trained.append(job)
        return train_encoder(job)

    monkeypatch.setattr("surrogate_nas.predictors.meta.learner.train_encoder", counted)
    shared = MetaGNN(steps=2, checkpoint=tmp_path).meta_fit([b, c]).tensors()
    assert len(trained) == 3  # of four, that of c alone was there
    for name, tensor in alone.items():
        np.testing.assert_array_equal(tensor, shared[name])


@pytest.mark.usefixtures("quick")
def test_many_tasks_and_architectures_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "surrogate_nas.predictors.meta"
    monkeypatch.setattr(f"{module}.encoder._ARCHITECTURES", 60)
    monkeypatch.setattr(f"{module}.learner._EPISODES", 2)
    few = task(1).take(np.arange(20))
    tasks = [few, task(2).take(np.arange(20, 500)), task(3).take(np.arange(500, 2_000))]
    (whole,) = group_tasks(tasks)
    part = sampled(whole)
    assert np.isfinite(part.scores).sum(axis=0).tolist() == [20, 20, 20]
    index = RowIndex.of(part.space, part.choices)
    for column, one in enumerate(tasks):
        known = np.isfinite(part.scores[:, column])
        row = index.find(one.choices)
        wanted = normal_scores(one.values)[row >= 0].astype(np.float32)
        np.testing.assert_array_equal(part.scores[row[row >= 0], column], wanted)
        assert known.sum() == (row >= 0).sum()
    episodes: list[int] = []
    fit = TransferKernel.fit

    def counted(self: TransferKernel, found: Sequence[Any], *rest: Any) -> TransferKernel:
        episodes.append(len(found))
        return fit(self, found, *rest)

    monkeypatch.setattr(TransferKernel, "fit", counted)
    MetaGNN(steps=1).meta_fit(tasks)
    assert episodes == [2, 2]


def test_a_checkpoint_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SurrogateNASError, match="cannot keep a finished part"):
        MetaGNN(steps=1, checkpoint=tmp_path / "file").meta_fit([task(1)])


def test_large_seeds() -> None:
    MetaGNN(steps=1, seed=10**20 - 1).meta_fit([task(1)])


def convolutions(choices: IntArray) -> FloatArray:
    return np.asarray(((choices == 2) | (choices == 3)).sum(axis=1), dtype=np.float64)


def test_it_learns_from_tasks_of_several_spaces_and_of_parts_of_them() -> None:
    cells = NASBench201Space()
    part = cells.restricted(cells.all_choices()[::3])
    tasks = [
        TaskData(space.name, space, rows, convolutions(rows) + 0.1 * (rows[:, 0] == 1))
        for space in (part, CELLS)
        for rows in [space.all_choices()]
    ]
    learner = MetaGNN(steps=STEPS).meta_fit(tasks)
    for space in (CELLS, cells):
        choices = space.all_choices()
        prediction = Adapted(learner, space).predict(choices)
        assert kendall_tau(prediction.mean, convolutions(choices)) > 0.5
        support = TaskData("new", space, choices[:200:10], convolutions(choices[:200:10]))
        assert np.isfinite(learner.adapt(support).predict(choices).std).all()


@pytest.mark.parametrize("kind", [MetaGNN, TransferRidge])
def test_one_source_and_one_label_are_enough(kind: type[MetaPredictor]) -> None:
    learner = kind() if kind is TransferRidge else MetaGNN(steps=STEPS)
    learner.meta_fit([task(1)])
    support, rest = split(task(9), 1)
    assert kendall_tau(learner.prior(CELLS).predict(rest.choices).mean, rest.values) > 0.3
    prediction = learner.adapt(support).predict(rest.choices)
    assert np.isfinite(prediction.mean).all()
    assert (prediction.std > 0).all()


@pytest.mark.parametrize("kind", [MetaGNN, TransferRidge])
def test_mistakes(kind: type[MetaPredictor]) -> None:
    with pytest.raises(NotFittedError):
        kind().prior(CELLS)
    with pytest.raises(NotFittedError):
        kind().tensors()
    with pytest.raises(InvalidArgumentError, match="at least one task"):
        kind().meta_fit([])


def test_transfer_ridge_is_for_one_space() -> None:
    cells = NASBench201Space()
    other = TaskData("other", cells, cells.all_choices()[:50], np.arange(50.0))
    with pytest.raises(InvalidArgumentError, match="one space"):
        TransferRidge().meta_fit([task(1), other])
    with pytest.raises(InvalidArgumentError, match="transnas-micro"):
        TransferRidge().meta_fit([task(1)]).adapt(other)
