"""Spaces of the user: the meta-learner sees decisions that the vocabulary does not know."""

import functools

import numpy as np
import pytest

from surrogate_nas._types import FloatArray
from surrogate_nas.evaluation import TaskData
from surrogate_nas.predictors.gp import GaussianProcess
from surrogate_nas.predictors.meta.learner import MetaGNN
from surrogate_nas.predictors.meta.unseen_space import unseen_decisions
from surrogate_nas.predictors.metrics import kendall_tau
from surrogate_nas.spaces import open_space
from surrogate_nas.spaces.custom import CustomSpace
from surrogate_nas.spaces.operations import OPERATION_IDS

SIZES = (5, 4, 4, 3)
KNOWN = ("conv", "max_pool", "gat", "linear", "gcn")


def space(operations: tuple[str, ...] = ("unknown",), word: str = "option") -> CustomSpace:
    lines = ['name = "mine"', 'graph = "chain"']
    described = ["[operations]"]
    for i, size in enumerate(SIZES):
        options = [f"{word}-{i}-{j}" for j in range(size)]
        lines += ["[[decisions]]", f'name = "{word} {i}"', f"options = {options!r}"]
        for j, option in enumerate(options):
            operation = operations[(3 * i + j) % len(operations)]
            described.append(f'{option} = {{operation = "{operation}"}}')
    return CustomSpace("\n".join([*lines, *described]))


def values(seed: int) -> FloatArray:
    """A task: what options are worth alone and in pairs, much in common with other tasks."""
    choices = space().all_choices()
    common, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    total = 0.3 * common.normal(size=(5, 4))[choices[:, 0], choices[:, 1]]
    for i, size in enumerate(SIZES):
        total += (common.normal(size=size) + 0.3 * rng.normal(size=size))[choices[:, i]]
    return np.asarray(80 + 5 * total + rng.normal(size=len(choices)))


def task(seed: int, where: CustomSpace) -> TaskData:
    return TaskData(f"t{seed}", where, where.all_choices(), values(seed))


def meta_trained(where: CustomSpace) -> MetaGNN:
    return MetaGNN(steps=80).meta_fit([task(i, where) for i in range(1, 4)])


@functools.cache
def learned() -> MetaGNN:
    return meta_trained(space())


def taus(learner: MetaGNN, where: CustomSpace, labels: int) -> float:
    """Mean over new tasks and supports; without a label over tasks alone."""
    found = []
    for seed in (7, 8, 9):
        data = task(seed, where)
        order = np.random.default_rng(seed).permutation(len(data))
        rest = np.sort(order[labels:])
        model = learner.adapt(data.take(order[:labels])) if labels else learner.prior(where)
        found.append(kendall_tau(model.predict(data.choices[rest]).mean, data.values[rest]))
    return float(np.mean(found))


def test_options_that_no_vocabulary_knows_are_seen() -> None:
    """Better than what learns from the few labels alone."""
    where = space()
    assert taus(learned(), where, 0) > 0.5
    scratch = []
    for seed in (7, 8, 9):
        data = task(seed, where)
        order = np.random.default_rng(seed).permutation(len(data))
        rest = np.sort(order[8:])
        predicted = GaussianProcess().fit(data.take(order[:8])).predict(data.choices[rest])
        scratch.append(kendall_tau(predicted.mean, data.values[rest]))
    assert taus(learned(), where, 8) > np.mean(scratch) + 0.15


@pytest.mark.parametrize("other", [space(KNOWN), space(("conv",), "x"), space(("conv", "unknown"))])
def test_names_and_operations_do_not_matter(other: CustomSpace) -> None:
    changed = meta_trained(other)
    for labels in (0, 8, 40):
        assert taus(changed, other, labels) == pytest.approx(
            taus(learned(), space(), labels), abs=0.06
        )


def test_names_alone_change_nothing() -> None:
    other = space(word="wahl")
    changed = meta_trained(other)
    data = task(9, other)
    np.testing.assert_allclose(
        changed.prior(other).predict(data.choices).mean,
        learned().prior(space()).predict(data.choices).mean,
        rtol=1e-5,
        atol=1e-6,
    )


def test_weights_serve_a_space_of_the_same_definition() -> None:
    """Restored in another process, where the same file declares the space."""
    again = MetaGNN.restored(learned().tensors(), learned().settings())
    same = CustomSpace("# the same\n" + str(space().definition))
    data = task(9, space())
    for one, other in (
        (learned().prior(space()), again.prior(same)),
        (learned().adapt(data.take(np.arange(20))), again.adapt(task(9, same).take(np.arange(20)))),
    ):
        a, b = one.predict(data.choices), other.predict(data.choices)
        np.testing.assert_array_equal(a.mean, b.mean)
        np.testing.assert_array_equal(a.std, b.std)


def test_decisions_of_one_space_mean_nothing_in_another() -> None:
    """Of the same names, but of another definition: nothing is known before the first label."""
    other = CustomSpace(str(space().definition).replace("option-0-0", "another"))
    assert np.ptp(learned().prior(other).predict(other.all_choices()).mean) == 0


def test_a_task_like_one_group_of_sources_is_recognised() -> None:
    """Two groups of sources that contradict each other: their mean says nothing."""
    where = space()
    sources = [task(i, where) for i in range(1, 5)]
    sources = [
        TaskData(s.name, where, s.choices, sign * s.values)
        for s, sign in zip(sources, (1, 1, -1, -1), strict=True)
    ]
    learner = MetaGNN(steps=80).meta_fit(sources)
    assert abs(taus(learner, where, 0)) < 0.5
    assert taus(learner, where, 8) > 0.55


def test_decisions_that_other_spaces_do_not_show_are_named() -> None:
    conv, pool = OPERATION_IDS["conv"], OPERATION_IDS["max_pool"]
    where = space(("conv", "max_pool", "gat"))  # every third option of a decision is the same
    assert unseen_decisions(space(), [conv]) == tuple(f"option {i}" for i in range(4))
    assert unseen_decisions(where, [conv, pool]) == ("option 0", "option 1", "option 2")
    cells = open_space("nasbench201")
    for some in (cells, cells.restricted(cells.all_choices()[::50])):
        assert unseen_decisions(some, [conv, OPERATION_IDS["skip"]]) == ()
