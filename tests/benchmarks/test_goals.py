"""Metrics of tables as goals, and several tasks as one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from surrogate_nas.benchmarks.base import TabularTask
from surrogate_nas.benchmarks.combined import combined
from surrogate_nas.errors import InvalidArgumentError, UnknownNameError
from surrogate_nas.evaluation import Goal, KnowsCosts
from tests.tables import toy_task


def test_goals_are_answered_in_their_own_directions_and_tests_stay_hidden() -> None:
    plain = toy_task()
    task = plain.with_goals(["accuracy", Goal("size", maximise=False)], known=["size"])
    arch = task.space.architecture(task.choices[3])
    done, alone = task.evaluate(arch), plain.evaluate(arch)
    assert done.values == (alone.value, -alone.metrics["size"])
    assert done.hidden == alone.hidden
    assert "size" not in done.metrics
    assert task.goal_values[3].tolist() == list(done.values)
    assert isinstance(task, KnowsCosts)
    costs = task.known_costs(task.choices)
    assert list(costs) == ["size"]
    assert np.array_equal(costs["size"].mean, task.choices.sum(axis=1))
    assert not costs["size"].std.any()
    again = pickle.loads(pickle.dumps(task))
    assert again.goals == task.goals
    assert again.evaluate(arch) == done


def test_another_metric_alone_is_an_ordinary_task() -> None:
    task = toy_task().with_goals([Goal("size", maximise=False)])
    assert task.optimum == -task.choices.sum(axis=1).min()
    arch = task.space.architecture(task.choices[0])
    done = task.evaluate(arch)
    assert done.metrics["accuracy"] == toy_task().evaluate(arch).value
    assert task.fingerprint == toy_task().fingerprint  # the same task to whoever saw it


def test_limits_come_last_and_decide_ranks() -> None:
    plain = toy_task()
    task = plain.with_goals([Goal("size", maximise=False, limit=4), "accuracy"])
    assert [goal.metric for goal in task.goals] == ["accuracy", "size"]
    allowed = plain.values[plain.choices.sum(axis=1) <= 4]
    assert task.optimum == allowed.max()
    assert task.rank(float(np.sort(allowed)[-3])) == 3
    assert task.front.tolist() == [[allowed.max()]]


def test_the_true_front_is_found_by_comparing_all_pairs() -> None:
    task = toy_task().with_goals(["accuracy", Goal("size", maximise=False)])
    rows = task.goal_values
    better = (rows[:, None] >= rows).all(axis=2) & (rows[:, None] > rows).any(axis=2)
    wanted = {tuple(row) for row in rows[~better.any(axis=0)]}
    assert {tuple(row) for row in task.front} == wanted


def test_rows_that_lack_a_goal_are_left_out_and_told() -> None:
    plain = toy_task()
    size = plain.choices.sum(axis=1).astype(float)
    size[:7] = np.nan
    task = TabularTask("t", plain.space, plain.choices, plain.values, metrics={"size": size})
    with pytest.warns(UserWarning, match=r"size is missing in 7 of 242 rows"):
        two = task.with_goals(["value", Goal("size", maximise=False)])
    assert len(two) == 235
    assert len(two.space.unique()) == 235


def test_wrong_goals_are_refused() -> None:
    task = toy_task()
    with pytest.raises(UnknownNameError, match=r"metric of task 'easy' 'sise'.*size"):
        task.with_goals(["accuracy", "sise"])
    with pytest.raises(InvalidArgumentError, match="got 'size' twice"):
        task.with_goals(["accuracy", "size", Goal("size", maximise=False, limit=3)])
    with pytest.raises(InvalidArgumentError, match="one without a limit"):
        task.with_goals([Goal("size", maximise=False, limit=3)])
    with pytest.raises(UnknownNameError, match="goal that is known 'size'"):
        task.with_goals(["accuracy"], known=["size"])
    with pytest.raises(InvalidArgumentError, match="must be finite, got nan"):
        Goal("size", limit=float("nan"))


def test_a_weighted_mean_is_of_values_or_of_normal_scores() -> None:
    easy, hard = toy_task("easy"), toy_task("hard")
    task = combined([easy, hard], [3, 1])
    assert task.values == pytest.approx(0.75 * easy.values + 0.25 * hard.values)
    assert task.test_values is not None
    assert easy.test_values is not None
    assert hard.test_values is not None
    assert task.test_values == pytest.approx(0.75 * easy.test_values + 0.25 * hard.test_values)
    assert task.budgets == (10, 100)
    normal = combined([easy, hard], scale="normal")
    scores = [ndtri((rankdata(each.values) - 0.5) / len(each)) for each in (easy, hard)]
    assert normal.values == pytest.approx(sum(scores) / 2)
    arch = task.space.architecture(task.choices[5])
    assert task.evaluate(arch).metrics["hard:accuracy"] == hard.evaluate(arch).value
    assert task.evaluate(arch, budget=10).cost == 20


def test_each_task_can_be_a_goal() -> None:
    easy, loss = toy_task("easy"), toy_task("loss", maximise=False)
    both = combined([easy, loss])
    task = both.with_goals(both.each)
    assert [goal.maximise for goal in task.goals] == [True, False]
    assert task.goal_values == pytest.approx(np.stack([easy.values, loss.values], axis=1))


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0], "one for each of the 2 tasks"), ([1.0, -1.0], "not be negative"), ([0, 0], "all 0")],
)
def test_weights_must_fit_the_tasks(weights: list[float], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        combined([toy_task("easy"), toy_task("hard")], weights)
