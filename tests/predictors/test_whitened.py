from __future__ import annotations

import numpy as np

from surrogate_nas.predictors.whitened import Growth, Whitened, inverse_factor

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(30, 40))
COVARIANCE = ROOT @ ROOT.T / 40 + np.diag(np.r_[np.full(12, 0.1), np.zeros(18)])
SCORES = RNG.normal(size=12)


def known(rows: list[int]) -> Whitened:
    """What some of the first 12 rows say of the last 18."""
    whiten = inverse_factor(COVARIANCE[np.ix_(rows, rows)])
    block = whiten @ COVARIANCE[np.ix_(rows, range(12, 30))]
    return Whitened.of(block, np.diag(COVARIANCE)[12:])


def grown(rows: list[int], fresh: list[int]) -> Growth:
    whiten = inverse_factor(COVARIANCE[np.ix_(rows, rows)])
    return Growth.of(whiten, COVARIANCE[np.ix_(fresh, rows)], COVARIANCE[np.ix_(fresh, fresh)])


def check(found: Whitened, rows: list[int]) -> None:
    """Against the textbook's formulas."""
    inverse = np.linalg.inv(COVARIANCE[np.ix_(rows, rows)])
    cross = COVARIANCE[np.ix_(rows, range(12, 30))]
    white = inverse_factor(COVARIANCE[np.ix_(rows, rows)]) @ SCORES[rows]
    np.testing.assert_allclose(found.mean(white), cross.T @ inverse @ SCORES[rows])
    variance = np.diag(COVARIANCE)[12:] - np.einsum("ij,ik,kj->j", cross, inverse, cross)
    np.testing.assert_allclose(found.variance, variance)


def test_rows_that_are_added_count_as_if_they_had_always_been_there() -> None:
    rows = [0, 1, 2]
    found = known(rows)
    for fresh in ([3], [4], [5, 6, 7], [8], [9], [10], [11]):
        growth = grown(rows, fresh)
        found = found.extended(COVARIANCE[np.ix_(fresh, range(12, 30))], growth)
        rows = rows + fresh
        check(found, rows)
        np.testing.assert_allclose(
            growth.whiten, inverse_factor(COVARIANCE[np.ix_(rows, rows)]), atol=1e-10
        )


def test_two_that_grow_from_one_leave_each_other_alone() -> None:
    rows = [0, 1, 2]
    first = known(rows).extended(COVARIANCE[np.ix_([3], range(12, 30))], grown(rows, [3]))
    rows = [0, 1, 2, 3]
    one = first.extended(COVARIANCE[np.ix_([4], range(12, 30))], grown(rows, [4]))
    other = first.extended(COVARIANCE[np.ix_([5], range(12, 30))], grown(rows, [5]))
    check(first, rows)
    check(one, [*rows, 4])
    check(other, [*rows, 5])
