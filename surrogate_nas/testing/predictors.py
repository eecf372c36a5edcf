"""Contract tests of predictors."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from surrogate_nas._types import FloatArray, IntArray
from surrogate_nas.errors import InvalidArgumentError, NotFittedError
from surrogate_nas.evaluation import Prediction, TaskData
from surrogate_nas.predictors.base import Predictor
from surrogate_nas.predictors.metrics import coverage_90, kendall_tau
from surrogate_nas.spaces.base import SearchSpace
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.nasbench201 import NASBench201Space
from surrogate_nas.testing.contract import Contract, need_not, raises
from surrogate_nas.testing.processes import elsewhere

SPACE = NASBench201Space()
CELLS = SPACE.all_choices()[::7]


def values_of(choices: IntArray, noise: float) -> FloatArray:
    """Accuracy-like numbers: convolutions help, `none` on the direct edge hurts."""
    rng = np.random.default_rng(5)
    clean = (choices == 3).sum(axis=1) + 0.5 * (choices == 2).sum(axis=1)
    clean = clean - 1.5 * (choices[:, 3] == 0) - 0.3 * (choices == 4).sum(axis=1)
    return np.asarray(80 + 2 * clean + noise * rng.normal(size=len(choices)))


def task(n: int, *, seed: int = 0, noise: float = 0.5) -> tuple[TaskData, TaskData]:
    """A support set of n cells, and the rest."""
    data = TaskData("task", SPACE, CELLS, values_of(CELLS, noise))
    order = np.random.default_rng(seed).permutation(len(CELLS))
    return data.take(order[:n]), data.take(order[n:])


def _pair(prediction: Prediction) -> tuple[list[float], list[float]]:
    return prediction.mean.tolist(), prediction.std.tolist()


class Luck:
    """Features that decide the values, but do not depend on the architecture's structure."""

    names = ("luck",)

    def __call__(self, choices: IntArray) -> FloatArray:
        """Normal random numbers that depend on the encoding alone: float64 (n, 1)."""
        number = SPACE.index(choices)
        return np.asarray(np.random.default_rng(2).normal(size=SPACE.encodings)[number, None])


def _unknown(operations: str, *decisions: tuple[str, ...]) -> SearchSpace:
    """A chain of decisions; the operations of options are `unknown` or as given."""
    options = dict.fromkeys(option for decision in decisions for option in decision)
    lines = ['name = "little"', 'graph = "chain"']
    for number, names in enumerate(decisions):
        lines += ["[[decisions]]", f'name = "d{number}"', f"options = {list(names)}"]
    lines.append("[operations]")
    lines += [f'{option} = {{operation = "{operations}"}}' for option in options]
    return CustomSpace("\n".join(lines))


def _little() -> dict[str, SearchSpace]:
    """Spaces whose architectures differ in few features, or in none."""
    xy, uv = ("x", "y"), ("u", "v")
    return {
        "nothing that the vocabulary knows": _unknown("unknown", ("x", "y", "z"), uv),
        "one option of one decision": _unknown("unknown", ("x",), uv),
        "one option of each decision": _unknown("unknown", ("x",), ("u",)),
        "equal nodes": _unknown("conv", xy, xy),
        "constant columns": SPACE.restricted(CELLS[:1]),
        "a constant decision": _unknown("unknown", xy, uv).restricted(np.array([[0, 0], [0, 1]])),
    }


class PredictorContract(Contract):
    """Promises of a `Predictor`; a subclass defines `make`."""

    def make(self, seed: int) -> Predictor:
        """A new predictor that is small enough to learn quickly."""
        raise NotImplementedError

    def test_it_learns_and_its_intervals_hold(self) -> None:
        """It predicts well, and its intervals have their coverage."""
        taus, covered = [], []
        for seed in range(4):
            support, rest = task(80, seed=seed)
            prediction = self.make(seed).fit(support).predict(rest.choices)
            assert prediction.mean.shape == prediction.std.shape == (len(rest),)
            assert (prediction.std > 0).all()
            assert np.isfinite(prediction.mean).all()
            taus.append(kendall_tau(prediction.mean, rest.values))
            covered.append(coverage_90(prediction, rest.values))
        assert np.mean(taus) > 0.55
        assert 0.8 < np.mean(covered) < 0.98

    def test_what_it_does_not_know_is_less_than_what_a_measurement_may_be(self) -> None:
        """Its epistemic standard deviation is smaller than that of a measurement."""
        covered = []
        for seed in range(4):
            support, rest = task(150, seed=seed, noise=1.0)
            prediction = self.make(seed).fit(support).predict(rest.choices)
            if prediction.epistemic is None:
                raise need_not("does not tell the noise of a measurement from what it ignores")
            assert np.median(prediction.epistemic / prediction.std) < 0.8
            known = dataclasses.replace(prediction, std=prediction.epistemic)
            covered.append(coverage_90(known, values_of(rest.choices, noise=0.0)))
        assert 0.7 < np.mean(covered) < 0.99

    def test_more_labels_are_better(self) -> None:
        """More labels give better predictions."""

        def tau(n: int) -> float:
            support, rest = task(n, seed=1)
            return kendall_tau(self.make(0).fit(support).predict(rest.choices).mean, rest.values)

        assert tau(300) > tau(15)

    def test_same_seed_same_predictions_in_a_fresh_process(self) -> None:
        """The same seed and rows give the same predictions, in another process too."""
        here, again = self.predictions(), self.predictions()
        assert here == again
        assert here == elsewhere(type(self), "predictions")

    def predictions(self) -> str:
        """The predictions of a predictor with seed 3, to the last bit."""
        return self.make(3).fit(task(30)[0]).predict(CELLS[:50]).mean.tobytes().hex()

    def test_a_copy_is_independent(self) -> None:
        """Fitting a shallow copy does not change the original, nor the other way round."""
        support, _ = task(30)
        other, _ = task(50, seed=9)
        fitted = self.make(0).fit(support)
        expected = _pair(fitted.predict(CELLS[:40]))
        for learn in ("fit", "update"):
            copied = copy.copy(fitted)
            assert _pair(copied.predict(CELLS[:40])) == expected
            getattr(copied, learn)(other)
            assert _pair(fitted.predict(CELLS[:40])) == expected, f"{learn} changed the original"
            kept = _pair(copied.predict(CELLS[:40]))
            assert kept != expected
            fitted.fit(support)
            assert _pair(copied.predict(CELLS[:40])) == kept, "fit changed a copy"

    def test_a_read_only_array_is_predicted_as_any_other(self) -> None:
        """After each fit, the cache for a read-only array equals a new computation."""
        pool = CELLS[:200].copy()
        pool.setflags(write=False)
        predictor = self.make(0)
        for rows in (task(20)[0], task(40, seed=9)[0]):
            predictor.fit(rows)
            for _ in range(2):
                found, expected = predictor.predict(pool), predictor.predict(CELLS[:200])
                np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-6)
                np.testing.assert_allclose(found.std, expected.std, rtol=1e-6)
        predictor.update(task(60, seed=9)[0])
        found, expected = predictor.predict(pool), predictor.predict(CELLS[:200])
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-5)
        writable = CELLS[:20].copy()
        before = predictor.predict(writable).mean
        writable[:] = CELLS[20:40]
        assert not np.array_equal(predictor.predict(writable).mean, before), "a kept answer"

    def test_no_rows_and_lists_of_rows(self) -> None:
        """It predicts for no rows and for lists of rows."""
        fitted = self.make(0).fit(task(10)[0])
        nothing = fitted.predict(CELLS[:0])
        assert nothing.mean.shape == nothing.std.shape == (0,)
        found = fitted.predict(CELLS[:3].tolist()).mean
        np.testing.assert_allclose(found, fitted.predict(CELLS[:3]).mean)

    def test_fit_forgets(self) -> None:
        """Fit forgets."""
        support, _ = task(30)
        other, _ = task(50, seed=9)
        once = self.make(0).fit(support).predict(CELLS[:40])
        twice = self.make(0).fit(other).fit(support).predict(CELLS[:40])
        np.testing.assert_array_equal(once.mean, twice.mean)
        np.testing.assert_array_equal(once.std, twice.std)

    def test_each_architecture_is_predicted_alone(self) -> None:
        """A prediction does not depend on the other rows."""
        fitted = self.make(0).fit(task(40)[0])
        whole = fitted.predict(CELLS[:60])
        order = np.random.default_rng(0).permutation(60)[:20]
        part = fitted.predict(CELLS[:60][order])
        np.testing.assert_allclose(part.mean, whole.mean[order], rtol=1e-5)
        np.testing.assert_allclose(part.std, whole.std[order], rtol=1e-5)

    def test_predictions_follow_the_unit_of_the_values(self) -> None:
        """Predictions scale with the unit of the values."""
        support, rest = task(40)
        scaled = TaskData("task", SPACE, support.choices, 100 * support.values - 7)
        a = self.make(0).fit(support).predict(rest.choices)
        b = self.make(0).fit(scaled).predict(rest.choices)
        assert kendall_tau(a.mean, b.mean) > 0.95  # rounding breaks ties between splits
        np.testing.assert_allclose(np.median(b.std / a.std), 100, rtol=0.1)

    def test_few_rows(self) -> None:
        """Few rows."""
        for n in (1, 2, 3):
            support, rest = task(n)
            prediction = self.make(0).fit(support).predict(rest.choices)
            assert np.isfinite(prediction.mean).all()
            assert (prediction.std > 0).all()
            if n > 1:
                assert prediction.std.max() <= 20 * np.ptp(support.values)

    def test_spaces_that_show_little(self) -> None:
        """There is no division by zero in any space, for few rows or for equal values."""
        for case, space in _little().items():
            pool = space.unique()
            for n, constant in product((1, 5), (False, True)):
                rows = pool[np.arange(n) % len(pool)]
                values = np.full(n, 0.3) if constant else np.arange(n) / 10
                data = TaskData("task", space, rows, values)
                predictor = self.make(0).fit(data)
                for found in (predictor.predict(pool), predictor.update(data).predict(pool)):
                    assert np.isfinite(found.mean).all(), case
                    assert np.isfinite(found.std).all(), case
                    assert (found.std > 0).all(), case

    def test_constant_values(self) -> None:
        """Constant values."""
        support, rest = task(20)
        flat = TaskData("flat", SPACE, support.choices, np.full(20, 0.7))
        prediction = self.make(0).fit(flat).predict(rest.choices)
        np.testing.assert_allclose(prediction.mean, 0.7, rtol=1e-6)
        assert (prediction.std > 0).all()

    def test_bad_use(self) -> None:
        """Bad use."""
        with raises(NotFittedError, match="fit"):
            self.make(0).predict(CELLS[:3])
        support, _ = task(5)
        with raises(InvalidArgumentError, match="at least 1"):
            self.make(0).fit(support.take(np.arange(0)))

    def test_values_of_any_magnitude(self) -> None:
        """Values near the largest and the smallest numbers give finite predictions."""
        support, rest = task(20)
        ordinary = self.make(0).fit(support).predict(rest.choices[:50])
        for scale in (2.0**990, 2.0**-990):
            values = support.values * scale
            data = TaskData("task", SPACE, support.choices, values)
            predictor = self.make(0).fit(data)
            for found in (predictor, predictor.update(data)):
                prediction = found.predict(rest.choices[:50])
                np.testing.assert_allclose(prediction.mean / scale, ordinary.mean, rtol=1e-3)
                assert np.isfinite(prediction.std).all()
                assert (prediction.std > 0).all()
        again = predictor.fit(support).predict(rest.choices[:50])
        np.testing.assert_allclose(again.mean, ordinary.mean, rtol=1e-6)

    def test_what_are_no_encodings_is_refused(self) -> None:
        """Encodings and values of another type, shape or range raise one error at once."""
        support, _ = task(10)
        fitted = self.make(0).fit(support)
        rows = CELLS[:4].copy()
        large, negative = rows.copy(), rows.copy()
        large[2, 1], negative[2, 1] = 5, -1
        wrong: Any
        for wrong, told in (
            (large, "between 0 and 4, got 5 in row 2"),
            (negative, "between 0 and 4, got -1 in row 2"),
            (rows + 0.5, "must be integers, got float64"),
            (np.full((4, 6), np.nan), "must be integers, got float64"),
            (rows[0], r"must have the shape \(n, 6\)"),
            (rows[:, :5], r"must have the shape \(n, 6\)"),
            (np.hstack([rows, rows]), r"must have the shape \(n, 6\)"),
            (rows[None], r"must have the shape \(n, 6\)"),
        ):
            for _ in range(2):
                with raises(InvalidArgumentError, match=told):
                    fitted.predict(wrong)
            with raises(InvalidArgumentError, match=told):
                TaskData("task", SPACE, wrong, np.arange(len(wrong)) * 1.0)
        values: Any
        for values in (np.arange(4) * 1j, np.array(["a"] * 4), np.array([None] * 4)):
            with raises(InvalidArgumentError, match="values must be real numbers"):
                TaskData("task", SPACE, rows, values)
        assert np.isfinite(fitted.predict(rows).mean).all()

    def test_an_update_with_the_same_rows_changes_nothing(self) -> None:
        """An update with the same rows changes nothing."""
        support, rest = task(40)
        once = self.make(0).fit(support)
        expected = once.predict(rest.choices[:200])
        again = once.update(support).predict(rest.choices[:200])
        np.testing.assert_allclose(again.mean, expected.mean, rtol=1e-6)
        np.testing.assert_allclose(again.std, expected.std, rtol=1e-5)

    def test_features_reach_those_who_read_them(self) -> None:
        """Features change the predictions of predictors that read them."""
        lucky = values_of(CELLS, 0.1) + 4 * Luck()(CELLS)[:, 0]
        bare = TaskData("task", SPACE, CELLS, lucky)
        order = np.random.default_rng(0).permutation(len(CELLS))
        support, rest = bare.take(order[:60]), bare.take(order[60:])
        without = self.make(0).fit(support).predict(rest.choices).mean
        features = Luck()
        predictor = self.make(0).fit(replace(support, features=features))
        found = predictor.predict(rest.choices).mean
        if not predictor.reads_features:
            np.testing.assert_array_equal(found, without)
            return
        assert kendall_tau(found, rest.values) > kendall_tau(without, rest.values) + 0.2
        updated = predictor.update(replace(support, features=features)).predict(rest.choices).mean
        np.testing.assert_allclose(updated, found, rtol=1e-6)
        again = predictor.fit(support).predict(rest.choices).mean
        np.testing.assert_array_equal(again, without)
