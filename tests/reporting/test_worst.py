"""The worst task, and the tasks on which a method loses to gp."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surrogate_nas.records import ComparisonRecord, Measurement
from surrogate_nas.records.comparison import Run
from surrogate_nas.reporting.statistics import summarise
from surrogate_nas.reporting.worst import (
    compared_worst,
    measured_worst,
    summarise_measurements,
    worst_tasks,
)

SIZES = {"a": 100, "b": 1000}


def measured(task: str, tau: float | None, seed: int = 0, size: int = 5) -> Measurement:
    return Measurement(task, size, seed, tau, tau, 0.5, 0.0, None, None, 0.0, 0.0, "p", None)


def run(task: str, predictor: str | None, rank: int) -> Run:
    ranks = (90, rank)
    return Run(task, "evolution", predictor, predictor, 0, 0, (0.1, 0.2), ranks, (1.0, 2.0), (0, 0))


def test_measurements() -> None:
    own = [measured("a", 0.2), measured("a", 0.4, seed=1), measured("b", 0.5), measured("c", 0.6)]
    gp = [measured("a", 0.35), measured("b", 0.6), measured("c", 0.5)]
    own.append(measured("a", 0.1, size=0))
    row, prior = summarise_measurements(own, "gp", gp)
    assert row.kendall_tau == pytest.approx((0.3 + 0.5 + 0.6) / 3)
    assert row.worst_task == "a"
    assert row.worst_kendall_tau == pytest.approx(0.3)
    assert row.against_kendall_tau == pytest.approx((0.35 + 0.6 + 0.5) / 3)
    assert row.behind == ("b", "a")
    assert row.furthest == pytest.approx(0.1)
    assert (prior.against, prior.against_kendall_tau, prior.behind) == (None, None, ())
    told = measured_worst((row, prior), tasks=3)
    assert told[0].startswith("5 labels: the worst task is a with τ 0.300; behind gp on 2 of 3")
    assert told[0].endswith("(b, a), by up to 0.100")
    (unknown,) = summarise_measurements([measured("a", None)], None, [])
    assert (unknown.kendall_tau, unknown.worst_task) == (None, None)
    assert measured_worst((unknown,), tasks=1) == []


def test_comparisons_go_by_the_share_of_the_table() -> None:
    runs = [run("a", "gp", 4), run("b", "gp", 5), run("a", "learnt", 2), run("b", "learnt", 10)]
    runs += [run("a", None, 4), run("b", None, 5)]
    summary = summarise(runs, SIZES)
    worst = worst_tasks(runs, SIZES, summary)
    last = {row.method: row for row in worst if row.at == 2}
    assert last["evolution+gp"].task == "a"  # rank 4 of 100 is worse than 5 of 1,000
    assert last["evolution+gp"].against is None
    learnt = last["evolution+learnt"]
    assert (learnt.task, learnt.mean_percent, learnt.behind) == ("a", 2.0, ("b",))
    assert last["evolution"].behind == ()
    record = ComparisonRecord("t", tuple(runs), summary, worst=worst)
    lines = compared_worst(record)
    assert (
        "evolution+learnt: the worst task is a with 2.0; behind evolution+gp on 1 of 2" in lines[1]
    )
    assert compared_worst(replace(record, worst=())) == []


def test_gp_may_stand_under_another_name_of_the_same_search() -> None:
    runs = [run("a", "gp", 4), run("a", "learnt", 9)]
    runs = [replace(runs[0], searcher="local"), runs[1]]
    same = (("local+gp", "evolution+gp"),)
    summary = summarise(runs, SIZES, same=same)
    row = worst_tasks(runs, SIZES, summary)[-1]
    assert (row.method, row.against, row.behind) == ("evolution+learnt", "local+gp", ("a",))
