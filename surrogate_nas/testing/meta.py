"""Contract tests of meta-learners."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from surrogate_nas._types import FloatArray
from surrogate_nas.errors import InvalidArgumentError, NotFittedError
from surrogate_nas.evaluation import Prediction, TaskData, fingerprint
from surrogate_nas.predictors.base import MetaPredictor
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.testing.contract import Contract, raises

_TEXT = """
name = "{name}"
graph = "chain"
decisions = 3
options = ["skip", "max_pool", "c3", "{last}"]
[operations]
c3 = {{ operation = "conv", kernel = 3 }}
{last} = {{ operation = "conv", kernel = {kernel} }}
"""


def space(name: str = "chain", kernel: int = 5) -> SearchSpace:
    """A chain of three operations: 64 architectures."""
    return CustomSpace(_TEXT.format(name=name, last=f"c{kernel}", kernel=kernel))


def task(seed: int, where: SearchSpace | None = None) -> TaskData:
    """A task with random effects of operations, most of which it shares with other tasks."""
    where = space() if where is None else where
    choices = where.all_choices()
    common, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    worth = common.normal(size=(3, 4)) + 0.3 * rng.normal(size=(3, 4))
    values = sum(worth[i][choices[:, i]] for i in range(3)) + 0.1 * rng.normal(size=len(choices))
    values = np.asarray(70 + 5 * values)
    return TaskData(
        f"t{seed}", where, choices, values, fingerprint=fingerprint(where, choices, values)
    )


def _support(seed: int, n: int, where: SearchSpace | None = None) -> TaskData:
    whole = task(seed, where)
    return whole.take(np.random.default_rng(seed).permutation(len(whole))[:n])


def _numbers(prediction: Prediction) -> FloatArray:
    return np.stack([prediction.mean, prediction.std])


class MetaPredictorContract(Contract):
    """Promises of a `MetaPredictor`; a subclass defines `make`."""

    _made: ClassVar[MetaPredictor | None] = None

    def make(self, seed: int) -> MetaPredictor:
        """A new meta-learner that is small enough to learn from two tasks of 64 rows quickly."""
        raise NotImplementedError

    @property
    def learnt(self) -> MetaPredictor:
        """The meta-learner to be tested, meta-trained once."""
        kind = type(self)
        found: MetaPredictor | None = vars(kind).get("_made")  # not that of a base class
        if found is None:
            found = kind._made = self.make(0).meta_fit([task(1), task(2)])
        return found

    def test_nothing_is_known_before_the_meta_training(self) -> None:
        """Use before meta-training, and meta-training without a task, are refused."""
        learner = self.make(0)
        for ask in (
            lambda: learner.prior(space()),
            lambda: learner.adapt(_support(9, 5)),
            learner.tensors,
            learner.settings,
        ):
            with raises(NotFittedError, match="fit"):
                ask()
        with raises(InvalidArgumentError, match="at least one task"):
            learner.meta_fit([])

    def test_what_tasks_have_in_common_is_known_without_a_label(self) -> None:
        """The prior's order is better than chance, and a few labels do not hurt it."""
        new = task(9)
        prior = self.learnt.prior(new.space).predict(new.choices)
        assert prior.mean.shape == prior.std.shape == (len(new),)
        assert (prior.std > 0).all()
        before = kendall_tau(prior.mean, new.values)
        assert before > 0.3
        adapted = self.learnt.adapt(_support(9, 40)).predict(new.choices)
        assert (adapted.std > 0).all()
        assert kendall_tau(adapted.mean, new.values) > before - 0.1
        assert abs(np.median(adapted.mean - new.values)) < np.ptp(new.values) / 4

    def test_adapting_leaves_the_learner_and_other_tasks_alone(self) -> None:
        """A predictor that is adapted to one task does not change other predictors."""
        learner, pool = self.learnt, task(9).choices
        before = {name: array.copy() for name, array in learner.tensors().items()}
        one = learner.adapt(_support(9, 20))
        expected = _numbers(one.predict(pool))
        prior = _numbers(learner.prior(space()).predict(pool))
        learner.adapt(_support(8, 30)).predict(pool)
        np.testing.assert_array_equal(_numbers(one.predict(pool)), expected)
        np.testing.assert_array_equal(_numbers(learner.prior(space()).predict(pool)), prior)
        after = learner.tensors()
        assert before.keys() == after.keys()
        for name, array in before.items():
            np.testing.assert_array_equal(after[name], array)

    def test_what_was_learnt_can_be_kept_in_a_file(self) -> None:
        """A learner restored from its arrays and JSON values has the same predictions."""
        learner, pool = self.learnt, task(9).choices
        settings = json.loads(json.dumps(learner.settings()))
        restored = type(learner).restored(learner.tensors(), settings)
        for one, other in (
            (learner.prior(space()), restored.prior(space())),
            (learner.adapt(_support(9, 20)), restored.adapt(_support(9, 20))),
        ):
            np.testing.assert_array_equal(
                _numbers(other.predict(pool)), _numbers(one.predict(pool))
            )
        assert all(np.isfinite(array).all() for array in learner.tensors().values())

    def test_the_same_seed_learns_the_same(self) -> None:
        """Meta-training with the same seed gives the same predictions, to the last bit."""
        one = self.learnt.tensors()
        other = self.make(0).meta_fit([task(1), task(2)]).tensors()
        assert one.keys() == other.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(other[name], array)

    def test_spaces_are_told_by_their_identity(self) -> None:
        """A space of the same name with other operations is refused, or treated as another one."""
        learner, other = self.learnt, space(kernel=7)
        assert other.name == space().name
        if not learner.any_space:
            with raises(InvalidArgumentError, match="chain#"):
                learner.prior(other)
            return
        pool = other.all_choices()
        namesake = _numbers(learner.prior(other).predict(pool))
        stranger = _numbers(learner.prior(space("another", kernel=7)).predict(pool))
        np.testing.assert_array_equal(namesake, stranger)

    def test_a_copy_of_what_adapted_is_independent(self) -> None:
        """It works in the space of the sources, and in another one if that is served."""
        learner = self.learnt
        spaces = [space()] + ([space("another", kernel=7)] if learner.any_space else [])
        for where in spaces:
            fitted, pool = learner.adapt(_support(9, 20, where)), where.all_choices()
            expected = _numbers(fitted.predict(pool))
            for learn in ("fit", "update"):
                copied = copy.copy(fitted)
                getattr(copied, learn)(_support(8, 30, where))
                np.testing.assert_array_equal(_numbers(fitted.predict(pool)), expected)
                assert not np.array_equal(_numbers(copied.predict(pool)), expected)
            fitted.fit(_support(8, 30, where)).fit(_support(9, 20, where))
            np.testing.assert_allclose(_numbers(fitted.predict(pool)), expected, rtol=1e-6)

    def test_values_of_any_magnitude(self) -> None:
        """Sources and supports near the largest and the smallest numbers give finite answers."""
        pool = task(9).choices
        ordinary = self.learnt.adapt(_support(9, 20)).predict(pool).mean
        for scale in (2.0**990, 2.0**-990):
            support = _support(9, 20)
            adapted = self.learnt.adapt(replace(support, values=support.values * scale))
            mean = adapted.update(replace(support, values=support.values * scale))
            found = _numbers(mean.predict(pool))
            np.testing.assert_allclose(found[0] / scale, ordinary, rtol=1e-3)
            assert np.isfinite(found).all()
        sources = [replace(task(i), values=task(i).values * 2.0**990) for i in (1, 2)]
        for array in self.make(0).meta_fit(sources).tensors().values():
            assert np.isfinite(array).all()

    def test_what_are_no_encodings_is_refused(self) -> None:
        """Encodings of another type, shape or range raise one error at once, as in predictors."""
        rows = task(9).choices[:4]
        for predictor in (self.learnt.prior(space()), self.learnt.adapt(_support(9, 20))):
            wrong: Any
            for wrong, told in (
                (rows + 4, "between 0 and 3, got"),
                (-1 - rows, "between 0 and 3, got -"),
                (rows + 0.5, "must be integers, got float64"),
                (rows[0], r"must have the shape \(n, 3\)"),
                (rows[:, :2], r"must have the shape \(n, 3\)"),
            ):
                with raises(InvalidArgumentError, match=told):
                    predictor.predict(wrong)
