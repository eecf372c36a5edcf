from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from surrogate_nas.records.comparison import Run
from surrogate_nas.reporting.statistics import (
    against_unguided,
    average_ranks,
    band,
    by_cost,
    compare_pairs,
    grid,
    holm,
    summarise,
)


def made(method: str, task: str, seed: int, ranks: list[int | None], cost: float = 2.0) -> Run:
    searcher, plus, predictor = method.partition("+")
    return Run(
        task=task,
        searcher=searcher,
        predictor=predictor if plus else None,
        guide=None,
        seed=seed,
        source_evaluations=0,
        values=(0.0,) * len(ranks),
        ranks=tuple(ranks),
        costs=tuple(cost * (i + 1) for i in range(len(ranks))),
        test=(None,) * len(ranks),
    )


RUNS = [
    made("random", "a", 0, [40, 30, 30, 9]),
    made("random", "a", 1, [None, 20, 20, 7]),
    made("random", "b", 0, [200, 100, 50, 50]),
    made("random", "b", 1, [100, 100, 100, 60]),
    made("local+gp", "a", 0, [40, 10, 4, 1], cost=1.0),
    made("local+gp", "a", 1, [20, 10, 5, 3]),
    made("local+gp", "b", 0, [200, 100, 10, 5]),
    made("local+gp", "b", 1, [100, 90, 20, 15]),
]
SIZES = {"a": 50, "b": 200}


def test_means_and_medians() -> None:
    found = summarise(RUNS, SIZES)
    assert found.at == (1, 2, 4)
    plain, guided = found.methods
    assert (plain.method, guided.method) == ("random", "local+gp")
    # Before its first success a run counts as the last of the table.
    assert plain.mean_rank == ((40 + 50 + 200 + 100) / 4, 62.5, (9 + 7 + 50 + 60) / 4)
    assert guided.median_rank[-1] == 4
    assert guided.mean_percent[-1] == pytest.approx((2 + 6 + 2.5 + 7.5) / 4)
    assert guided.average_rank == ((1.5 + 1 + 1.5 + 1.5) / 4, (1 + 1 + 1.5 + 1) / 4, 1.0)
    row = next(r for r in found.tasks if r.task == "b" and r.method == "random")
    assert row.mean_rank == (150.0, 100.0, 55.0)


def test_one_run_is_enough() -> None:
    found = summarise(RUNS[:1], SIZES)
    assert not found.tests
    assert found.methods[0].average_rank == (1.0, 1.0, 1.0)


def test_pairs_are_tested_by_scipy() -> None:
    ranks = np.random.default_rng(0).integers(1, 100, size=(3, 4, 5)).astype(np.float64)
    ranks[1] /= 3
    found = compare_pairs(["x", "y", "z"], ranks, 5)
    assert (found[0].better, found[0].worse) == ("y", "x")
    first = found[0]
    a, b = ranks[1].ravel(), ranks[0].ravel()
    assert first.p == stats.wilcoxon(a, b).pvalue
    assert first.p_one_sided == stats.wilcoxon(a, b, alternative="less").pvalue
    assert first.p_one_sided < 0.01 < found[1].p
    assert [t.p_holm for t in found] == holm([t.p for t in found])


def test_methods_that_never_differ() -> None:
    (found,) = compare_pairs(["x", "y"], np.ones((2, 3, 3)), 1)
    assert (found.p, found.p_one_sided, found.p_holm) == (1, 1, 1)


def test_guided_methods_are_tested_against_their_searchers_alone() -> None:
    rng = np.random.default_rng(1)
    seeds, trials = 12, 8
    drawn = {
        (task, method): np.sort(rng.integers(1, top, size=(seeds, trials)))[:, ::-1]
        for task, tops in {"a": (30, 90), "b": (60, 60), "c": (90, 30)}.items()
        for method, top in zip(("local+gp", "local"), tops, strict=True)
    }
    runs = [
        made(method, task, seed, ranks[seed].tolist())
        for (task, method), ranks in drawn.items()
        for seed in range(seeds)
    ]
    sizes = dict.fromkeys("abc", 100)
    found = against_unguided(runs, sizes, {"local+gp": "local"})
    assert [(test.task, test.budget) for test in found] == [
        (task, budget) for task in "cba" for budget in (2, 4, 6, 8)
    ]
    for budget in (2, 4, 6, 8):
        tests = [test for test in found if test.budget == budget]
        for test in tests:
            guided, alone = (drawn[test.task, m][:, budget - 1] for m in ("local+gp", "local"))
            assert (test.guided, test.unguided) == (guided.mean(), alone.mean())
            assert test.p == stats.wilcoxon(guided, alone, alternative="greater").pvalue
        assert [test.p_holm for test in tests] == holm([test.p for test in tests])
    assert found[0].p < 0.01
    chosen = against_unguided(runs, sizes, {"local+gp": "local"}, budgets=(4,))
    assert sorted(chosen, key=str) == sorted((t for t in found if t.budget == 4), key=str)


@pytest.mark.parametrize(
    ("p", "corrected"),  # of R's p.adjust(p, "holm")
    [
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.04, 0.001, 0.5], [0.08, 0.003, 0.5]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm(p: list[float], corrected: list[float]) -> None:
    assert holm(p) == pytest.approx(corrected)


def test_ties_share_an_average_rank() -> None:
    ranks = np.array([3.0, 3.0, 1.0])[:, None, None]
    assert average_ranks(ranks).tolist() == [2.5, 2.5, 1.0]


def test_band_is_that_of_the_mean() -> None:
    samples = np.random.default_rng(1).normal(5, 2, size=(200, 3))
    limits = band(samples)
    assert limits is not None
    error = stats.sem(samples)
    np.testing.assert_allclose(limits[0], samples.mean(axis=0) - 1.96 * error, atol=0.06)
    np.testing.assert_allclose(limits[1], samples.mean(axis=0) + 1.96 * error, atol=0.06)
    assert band(samples[:1]) is None


def test_by_cost() -> None:
    spent, percent = by_cost(grid(RUNS, SIZES), points=8)
    # One run pays 1 a trial and ends at 4; the others are compared as far as that.
    assert spent.tolist() == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert percent[1, 0, 0].tolist() == [100, 80, 80, 20, 20, 8, 8, 2]
    assert percent[0, 1, 0].tolist() == [100, 100, 100, 100, 100, 100, 100, 50]
