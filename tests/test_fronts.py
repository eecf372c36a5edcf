"""Fronts and hypervolumes, against moocore."""

from __future__ import annotations

import moocore
import numpy as np
import pytest

from surrogate_nas import fronts
from surrogate_nas.errors import InvalidArgumentError
from surrogate_nas.searchers.improvement import expected_hypervolume_improvement


def rows(n: int, goals: int, digits: int = 6) -> np.ndarray:
    return np.round(np.random.default_rng(n * 10 + goals).random((n, goals)), digits)


@pytest.mark.parametrize("goals", [2, 3, 4])
@pytest.mark.parametrize(("n", "digits"), [(1, 6), (40, 1), (200, 6)])  # one digit: many ties
def test_ranks_and_hypervolumes_are_those_of_moocore(n: int, goals: int, digits: int) -> None:
    values = rows(n, goals, digits)
    assert np.array_equal(fronts.ranks(values), moocore.pareto_rank(-values))
    assert np.array_equal(fronts.nondominated(values), moocore.pareto_rank(-values) == 0)
    beyond = np.full(goals, 0.1)
    curve = fronts.hypervolumes(values, beyond)
    for k in (1, n // 2 + 1, n):
        wanted = moocore.hypervolume(-values[:k], ref=-beyond)
        assert curve[k - 1] == pytest.approx(wanted, abs=1e-12)
    assert (np.diff(curve) >= 0).all()


def test_rows_without_values_add_no_volume() -> None:
    values = np.array([[np.nan, np.nan], [1.0, 1.0], [np.nan, np.nan]])
    assert fronts.hypervolumes(values, np.zeros(2)).tolist() == [0, 1, 1]
    assert fronts.hypervolume(np.zeros((0, 2)), np.zeros(2)) == 0


def test_more_than_four_goals_have_no_hypervolume() -> None:
    with pytest.raises(InvalidArgumentError, match="at most 4 goals, got 5"):
        fronts.hypervolumes(rows(3, 5), np.zeros(5))


def test_violations_come_after_all_others_by_their_size() -> None:
    values = np.array([[9.0, 9.0], [8.0, 8.0], [1.0, 1.0], [2.0, 0.5]])
    beyond = fronts.violation(np.array([[-7.0], [-5.5], [-5.0], [-4.0]]), [-5.0])
    assert beyond == pytest.approx([0.4, 0.1, 0, 0])
    assert fronts.ranks(values, beyond).tolist() == [2, 1, 0, 0]
    assert fronts.best_first(values, beyond).tolist() == [2, 3, 1, 0]


def test_crowding_prefers_the_ends_and_the_empty_parts() -> None:
    values = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [8.0, 2.0], [10.0, 0.0]])
    found = fronts.crowding(values)
    assert found[[0, 4]].tolist() == [np.inf, np.inf]
    assert found[1:4] == pytest.approx([0.4, 1.4, 1.6])


def test_the_reference_lies_a_tenth_behind_the_box() -> None:
    values = np.array([[0.0, 20.0], [10.0, 0.0]])
    assert fronts.reference(values).tolist() == [-1, -2]
    assert (fronts.reference(np.array([[3.0, 4.0]])) < [3, 4]).all()


@pytest.mark.parametrize("goals", [1, 2, 3])
def test_expected_improvement_is_the_mean_of_drawn_ones(goals: int) -> None:
    rng = np.random.default_rng(goals)
    front, beyond = rng.random((6, goals)), np.full(goals, -0.1)
    mean, std = rng.random((4, goals)), 0.3 * rng.random((4, goals))
    std[1, 0] = 0  # a goal that is known
    found = expected_hypervolume_improvement(mean, std, front, beyond)
    drawn = mean[:, None] + std[:, None] * rng.normal(size=(4, 4_000, goals))
    before = fronts.hypervolume(front, beyond)
    for i in range(4):
        if goals == 1:
            gained = np.maximum(drawn[i, :, 0] - front.max(), 0)
        else:
            whole = [moocore.hypervolume(-np.vstack([front, x]), ref=-beyond) for x in drawn[i]]
            gained = np.array(whole) - before
        assert found[i] == pytest.approx(gained.mean(), abs=5 * gained.std() / 63 + 1e-5)


def test_a_known_improvement_is_exact() -> None:
    front, beyond = rows(8, 3), np.zeros(3)
    candidates = rows(5, 3) * 1.2
    found = expected_hypervolume_improvement(candidates, np.zeros((5, 3)), front, beyond)
    before = moocore.hypervolume(-front, ref=-beyond)
    for candidate, gained in zip(candidates, found, strict=True):
        after = moocore.hypervolume(-np.vstack([front, candidate]), ref=-beyond)
        assert gained == pytest.approx(after - before, abs=1e-12)
